"""The accounts: officers make and close them, stewards those of clients; nobody grants more."""

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from api.auth import Overseer, only
from api.paging import OnePage
from api.people.accounts import NAME, Person
from api.people.errors import GrantRefused, PersonExists
from api.people.people import People
from api.people.roles import GRANTS, Caller, Role, may_grant
from api.people.schemas import Invited, NewPerson, PersonView
from api.people.sessions import people_of
from api.people.setup_link import setup_path
from api.routes.desk import OpenDesk

router = APIRouter(tags=["people"])

OpenPeople = Annotated[People, Depends(people_of)]
Granter = Annotated[Caller, Depends(only(*GRANTS))]
PersonName = Annotated[str, Path(pattern=NAME)]


@router.get("/api/v1/people")
def list_people(
    people: OpenPeople,
    _caller: Overseer,
    page: OnePage,
    after: Annotated[str, Query(pattern=NAME + "|^$", description="the last page's last")] = "",
) -> list[PersonView]:
    """Return accounts by name; ``Link`` leads to the next page."""
    found = people.accounts.page(limit=page.enough, after=after)
    shown = page.of(found, lambda one: one.name, by="after")
    return [PersonView.of(person) for person in shown]


@router.post("/api/v1/people", status_code=HTTPStatus.CREATED)
def add_person(
    body: NewPerson, people: OpenPeople, desk: OpenDesk, caller: Granter, request: Request
) -> Invited:
    """Make an account, and a link with which its person sets a password."""
    _check_grant(caller, body.role)
    if any(token.name == body.name for token in request.app.state.tokens):
        raise PersonExists
    if body.client_id is not None:
        desk.register.level(body.client_id, datetime.now(UTC))  # UnknownClient if there is none
    now = int(time.time())
    person = people.accounts.add(
        name=body.name, role=body.role, client_id=body.client_id, made_by=caller.name, now=now
    )
    return _invited(person, people, caller, now)


@router.post("/api/v1/people/{name}/link")
def renew_link(name: PersonName, people: OpenPeople, caller: Granter) -> Invited:
    """Make a new setup link for an account; its earlier link stops to hold."""
    person = people.accounts.get(name)
    _check_grant(caller, person.role)
    return _invited(person, people, caller, int(time.time()))


@router.delete("/api/v1/people/{name}")
def close_person(name: PersonName, people: OpenPeople, caller: Granter) -> PersonView:
    """Close an account for good and end its sessions; its name stays taken."""
    _check_grant(caller, people.accounts.get(name).role)
    people.accounts.close(name, by=caller.name, now=int(time.time()))
    people.sessions.close_all(name)
    return PersonView.of(people.accounts.get(name))


def _check_grant(caller: Caller, role: Role) -> None:
    if not may_grant(caller.role, role):
        raise GrantRefused(caller.role, role)


def _invited(person: Person, people: People, caller: Caller, now: int) -> Invited:
    link = people.links.renew(person.name, by=caller.name, now=now)
    return Invited(person=PersonView.of(person), setup_path=setup_path(link))
