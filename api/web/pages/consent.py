"""The consent centre: a client's own ladder, or the steward's who helps one. About one person.

A client's id stands in the body of a form, never in an address, and no page of it is kept.
"""

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import RUN, OpenDesk
from api.web.caller import PageCaller
from api.web.consent_view import KINDS, acts_told, family_fields, purpose_lines
from api.web.forms import Fields, Posted
from api.web.language import Language, language_of
from api.web.page_route import PageRoute
from api.web.render import page
from api.web.screens import CONSENT, admit
from api.web.words import field_title, purpose_title
from consent import events
from consent.catalogue import Field
from consent.errors import ConsentError
from consent.events import (
    ObjectForFamily,
    ObjectTo,
    SetLevel,
    WithdrawFamilyObjection,
    WithdrawObjection,
)
from consent.levels import Level
from consent.stages import STAGES
from federation.coordinator.consent_desk import change, history_of, receipts_of
from federation.coordinator.desk import Desk
from federation.coordinator.lineage import Use, uses_of
from federation.coordinator.receipt_forms import family_closed_at
from federation.coordinator.steward_acts import StewardActs, What
from privacy.loss import Delta, Epsilon
from privacy.odds import odds_of_claim
from privacy.odds_text import sentences

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_USES, _RECEIPTS, _ACTS = 10, 10, 20


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


EXAMPLES: Final[dict[int, str]] = {
    0: _("You are in no figure and in no model from now on. Your adviser serves you as before."),
    1: _("“How many clients are there in each age band?” You may be one of them: nobody can tell."),
    2: _(
        "“Which products suit cautious clients?” Your choices help to answer; they are never shown."
    ),
    3: _(
        "“How many families plan a succession?” Anybody in your family may say no for all of you."
    ),
    4: _("“How much debt do families carry?” Only for purposes that you do not object to."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One level of the ladder: what it opens, what never, and an example."""

    level: Level
    opens: tuple[Field, ...]
    never: str
    example: str


@router.get("/consent")
def show_centre(request: Request, caller: PageCaller, desk: OpenDesk) -> Response:
    """Show a client the own ladder; ask a steward whom they help."""
    admit(caller, CONSENT)
    if caller.client_id is not None:
        return _person(request, caller, desk, caller.client_id)
    return _whom(request, caller, desk)


@router.post("/consent")
def find_client(request: Request, caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Show the client that a steward helps."""
    admit(caller, CONSENT)
    client_id = _whose(caller, fields.one("client_id"))
    if caller.client_id is None:
        acts = StewardActs(desk.engine)
        acts.note(caller.name, client_id, What.LOOKED, at=datetime.now(UTC))
    before = fields.one("before")
    older = before if re.fullmatch(RUN, before) else None
    return _person(request, caller, desk, client_id, before=older)


@router.post("/consent/change")
def make_change(request: Request, caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Raise, lower, withdraw or object in one step; what comes back says what is in force now."""
    admit(caller, CONSENT)
    client_id = _whose(caller, fields.one("client_id"))
    now = datetime.now(UTC)
    try:
        wanted = _wanted(client_id, fields, desk)
        done = None if wanted is None else change(wanted, desk, now=now).epoch
        if caller.client_id is None and done is not None:
            acts = StewardActs(desk.engine)
            acts.note(caller.name, client_id, What.CHANGED, at=now, epoch=done)
    except ConsentError as refusal:
        return _refused(request, caller, desk, refusal)
    return _person(request, caller, desk, client_id, done=done)


def _wanted(client_id: str, fields: Fields, desk: Desk) -> events.Request | None:
    """Return what a form asks of the register; None if it asks for nothing that there is."""
    match fields.one("change"), fields.one("value"):
        case "level", ("0" | "1" | "2" | "3" | "4") as level:
            return SetLevel(client=client_id, level=int(level))
        case "object", purpose:
            return ObjectTo(client=client_id, purpose=desk.catalogue.purpose(purpose))
        case "allow", purpose:
            return WithdrawObjection(client=client_id, purpose=desk.catalogue.purpose(purpose))
        case "object_family", _:
            return ObjectForFamily(client=client_id)
        case "allow_family", _:
            return WithdrawFamilyObjection(client=client_id)
        case _:
            return None


def _whose(caller: Caller, named: str) -> str:
    """Return whose page it is: a client's own account opens no other."""
    return named if caller.client_id is None else caller.client_id


def _whom(
    request: Request, caller: Caller, desk: Desk, *, note: str = "", status: int = HTTPStatus.OK
) -> Response:
    """Ask a steward whom to help, and show what the steward did lately."""
    language = language_of(request)
    acts = StewardActs(desk.engine).by(caller.name, limit=_ACTS)
    return page(
        request,
        "consent_whom.html",
        caller,
        status=status,
        acts=acts_told(acts, desk, language),
        note=note,
    )


def _person(
    request: Request,
    caller: Caller,
    desk: Desk,
    client_id: str,
    *,
    done: int | None = None,
    before: str | None = None,
) -> Response:
    now, language = datetime.now(UTC), language_of(request)
    try:
        level = desk.register.level(client_id, now)
        standing = desk.register.standing(client_id)
        lines = purpose_lines(client_id, standing, desk, language, now=now)
        receipts = _newest_receipts(client_id, desk, now=now)
        uses = uses_of(client_id, desk, limit=_USES + 1, before=before)
    except ConsentError as refusal:
        return _refused(request, caller, desk, refusal)
    return page(
        request,
        "consent.html",
        caller,
        **_ladder(desk, request),
        person=client_id,
        level=level,
        purposes=lines,
        family_fields=family_fields(desk, language),
        family_objected=standing.family_objected_at is not None,
        family_closed=family_closed_at(standing.household, desk)(desk.register.head()),
        receipts=receipts,
        uses=[_use(use, desk, language) for use in uses[:_USES]],
        older=uses[_USES - 1].run if len(uses) > _USES else None,
        newest=before is None,
        kinds=KINDS,
        acts=acts_told(StewardActs(desk.engine).about(client_id, limit=_ACTS), desk, language),
        done=done,
    )


def _refused(request: Request, caller: Caller, desk: Desk, refusal: ConsentError) -> Response:
    kind = kind_of(type(refusal))
    if kind is None or caller.client_id is not None:
        raise refusal
    return _whom(request, caller, desk, note=kind.title, status=kind.status)


def _use(use: Use, desk: Desk, language: Language) -> tuple[Use, str, list[str]]:
    """Return a use with its purpose and the fields that counted, in words."""
    fields = [field_title(name, desk.catalogue, language) for name in use.fields]
    return use, purpose_title(use.purpose, desk.catalogue, language), fields


def _newest_receipts(client_id: str, desk: Desk, *, now: datetime) -> list[dict[str, Any]]:
    """Return the last receipts, the newest first; the API has all of them."""
    epochs = [-1, *(event.seq for event in history_of(client_id, desk))]
    after = epochs[max(0, len(epochs) - 1 - _RECEIPTS)]
    return [_receipt(text) for text in reversed(receipts_of(client_id, desk, now=now, after=after))]


def _ladder(desk: Desk, request: Request) -> dict[str, Any]:
    language: Language = language_of(request)
    never = {s.level: s.never_zh if language == "zh" else s.never for s in STAGES}
    rungs = [
        Rung(
            level=level,
            opens=tuple(f for f in desk.catalogue.fields if f.level == level),
            never=never.get(level, ""),
            example=EXAMPLES[int(level)],
        )
        for level in Level
    ]
    yearly = desk.policy.firm.epsilon
    odds = sentences(odds_of_claim(Epsilon(yearly), Delta(desk.policy.delta)), language)
    return {"rungs": rungs, "odds": odds}


def _receipt(text: str) -> dict[str, Any]:
    """Return what a receipt says, with the whole of it to take away; it was signed just now."""
    payload = text.split(".")[1]
    body: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {
        "event": body["record"]["event"],
        "index": (body.get("log") or {}).get("index"),
        "jws": text,
    }
