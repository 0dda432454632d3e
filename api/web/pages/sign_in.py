"""Signing in and out, and choosing a password by a setup link: the API's functions, with forms."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.people.csrf import check_csrf
from api.people.errors import (
    PersonExists,
    TooManyRequests,
    WeakPassword,
    WrongPassword,
)
from api.people.next_page import safe_next
from api.people.schemas import SetupRequest
from api.people.sessions import address_of, people_of, sign_in_by_password, sign_out
from api.problems import TABLE
from api.web.forms import Fields, Posted
from api.web.page_route import SIGN_IN, PageRoute
from api.web.render import page

router = APIRouter(
    route_class=PageRoute, include_in_schema=False, dependencies=[Depends(check_csrf)]
)
_KEPT = "kept."


@router.get(SIGN_IN)
def show_sign_in(request: Request, next: Annotated[str, Query()] = "/") -> Response:  # noqa: A002 - as it stands in the address
    """Show the sign-in form."""
    return page(request, "sign_in.html", None, next=safe_next(next), kept=[])


@router.post(SIGN_IN)
def sign_in(request: Request, fields: Posted) -> Response:
    """Sign in and go on: to the page that was wanted, or to the form that was being filled in."""
    wanted, kept = safe_next(fields.one("next", "/")), _kept(fields)
    answer = RedirectResponse(wanted, status_code=HTTPStatus.SEE_OTHER)
    name, password = fields.one("name"), "".join(fields.get("password", [])[:1])
    try:
        caller = sign_in_by_password(request, answer, name=name, password=password)
    except (WrongPassword, TooManyRequests) as refusal:
        status = TABLE[type(refusal)].status
        known = {"next": wanted, "kept": kept, "refusal": refusal, "name": name}
        return page(request, "sign_in.html", None, status=status, **known)
    if not kept:
        return answer
    shown = page(request, "resume.html", caller, action=wanted, kept=kept)
    shown.headers.append("set-cookie", answer.headers["set-cookie"])
    return shown


@router.post("/sign-out")
def leave(request: Request) -> Response:
    """End the session."""
    answer = RedirectResponse(SIGN_IN, status_code=HTTPStatus.SEE_OTHER)
    sign_out(request, answer)
    return answer


@router.get("/setup")
def show_setup(request: Request, link: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show whose password a setup link sets."""
    invited = people_of(request).links.find(link, int(time.time()))
    return page(request, "setup.html", None, link=link, invited=invited.name, refusal=None)


@router.post("/setup")
def set_up(request: Request, fields: Posted) -> Response:
    """Set a password, once, and go on to sign in with it."""
    people, link, now = people_of(request), fields.one("link"), int(time.time())
    invited = people.links.find(link, now)
    people.by_address.take(address_of(request), time.monotonic())
    password = "".join(fields.get("password", [])[:1])
    refusal: Exception | str | None = None
    try:
        body = SetupRequest.model_validate(
            {"link": link, "password": password, "name": fields.one("name") or None}
        )
        name = people.links.use(link, password=password, now=now, name=body.name)
        people.sessions.close_all(name)
    except ValidationError:
        refusal = "name"
    except (WeakPassword, PersonExists) as error:
        refusal = error
    if refusal is None:
        return RedirectResponse(SIGN_IN, status_code=HTTPStatus.SEE_OTHER)
    known = {"link": link, "invited": invited.name, "refusal": refusal}
    return page(request, "setup.html", None, status=HTTPStatus.UNPROCESSABLE_ENTITY, **known)


def _kept(fields: Fields) -> list[tuple[str, str]]:
    """Return what was typed into another form before the session ended."""
    return [
        (name.removeprefix(_KEPT), value)
        for name, values in fields.items()
        if name.startswith(_KEPT)
        for value in values
    ]
