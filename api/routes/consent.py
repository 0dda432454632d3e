"""What one client authorizes, for stewards and the client. A change binds every later plan."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.auth import OfClient, Steward
from api.consent_schemas import ChangeAcknowledged, ClientEntry, LevelRequest, StandingView
from api.idempotency import Answer, OnlyOnce
from api.people.roles import Role
from api.routes.desk import OpenDesk
from api.schemas import LevelView
from consent import events
from consent.events import (
    ObjectForFamily,
    ObjectTo,
    SetLevel,
    WithdrawFamilyObjection,
    WithdrawObjection,
)
from federation.coordinator import consent_desk
from federation.coordinator.steward_acts import StewardActs, What

router = APIRouter(tags=["consent"])

CLIENT = "/api/v1/clients/{client_id:path}"
LEVEL = CLIENT + "/level"
OBJECTION = CLIENT + "/objections/{purpose}"
FAMILY = CLIENT + "/family-objection"


Changing = Callable[[events.Request, LevelRequest | None], Response]


def _changing(desk: OpenDesk, caller: OfClient, once: OnlyOnce) -> Changing:
    """Let the caller change what a client of theirs authorizes, once for each key."""

    def change(asked: events.Request, body: LevelRequest | None) -> Response:
        def work() -> Answer:
            now = datetime.now(UTC)
            done = consent_desk.change(asked, desk, now=now)
            if caller.role is Role.STEWARD:
                acts = StewardActs(desk.engine)
                acts.note(caller.name, asked.client, What.CHANGED, at=now, epoch=done.epoch)
            return Answer(body=ChangeAcknowledged.of(done).model_dump_json().encode())

        return once.do(caller, body, work)

    return change


Change = Annotated[Changing, Depends(_changing)]


@router.get(LEVEL)
def read_level(client_id: str, desk: OpenDesk, _caller: OfClient) -> LevelView:
    """Return the level in force now of one client, by the normalized id."""
    return LevelView.of(desk.register.level(client_id, datetime.now(UTC)))


@router.get(CLIENT + "/standing")
def read_standing(client_id: str, desk: OpenDesk, _caller: OfClient) -> StandingView:
    """Return all that one client has in force now: level, its end, objections."""
    return StandingView.of(desk.register.standing(client_id), now=datetime.now(UTC))


@router.put(LEVEL, response_model=ChangeAcknowledged)
def set_level(client_id: str, body: LevelRequest, change: Change) -> Response:
    """Give, raise, lower or withdraw (0) one client's authorization, and return the receipt.

    200 means: it is in the epoch of every plan carried out from now on, and in the log.
    """
    ends = None if body.expires_at is None else int(body.expires_at.timestamp())
    asked = SetLevel(client=client_id, level=body.level, expires_at=ends)
    return change(asked, body)


@router.put(OBJECTION, response_model=ChangeAcknowledged)
def object_to(client_id: str, purpose: str, desk: OpenDesk, change: Change) -> Response:
    """Keep everything of one client from one purpose, whatever the level opens."""
    return change(ObjectTo(client=client_id, purpose=desk.catalogue.purpose(purpose)), None)


@router.delete(OBJECTION, response_model=ChangeAcknowledged)
def take_objection_back(client_id: str, purpose: str, desk: OpenDesk, change: Change) -> Response:
    """Open to the purpose again what the client's level opens."""
    asked = WithdrawObjection(client=client_id, purpose=desk.catalogue.purpose(purpose))
    return change(asked, None)


@router.put(FAMILY, response_model=ChangeAcknowledged)
def object_for_family(client_id: str, change: Change) -> Response:
    """Close the family fields of everyone in the client's household."""
    return change(ObjectForFamily(client=client_id), None)


@router.delete(FAMILY, response_model=ChangeAcknowledged)
def take_family_objection_back(client_id: str, change: Change) -> Response:
    """Take this member's objection back; while another member's stands, the fields stay closed."""
    return change(WithdrawFamilyObjection(client=client_id), None)


@router.put(CLIENT)
def enter_client(
    client_id: str, body: ClientEntry, desk: OpenDesk, caller: Steward
) -> StandingView:
    """Enter a client at level 0; one whom the register knows keeps what is in force."""
    now = datetime.now(UTC)
    entered = consent_desk.enter(client_id, body.household, desk, now=now)
    StewardActs(desk.engine).note(caller.name, client_id, What.ENTERED, at=now)
    return StandingView.of(entered, now=now)
