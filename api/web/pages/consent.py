"""The consent centre: a client's own ladder, or the steward's who helps one. About one person.

A client's id stands in the body of a form, never in an address, and no page of it is kept.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk
from api.web.caller import PageCaller
from api.web.forms import Fields, Posted
from api.web.language import Language, language_of
from api.web.page_route import PageRoute
from api.web.render import page
from api.web.screens import CONSENT, admit
from api.web.words import purpose_title
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
from federation.coordinator.consent_desk import change, receipts_of
from federation.coordinator.desk import Desk
from federation.coordinator.lineage import uses_of
from privacy.loss import Delta, Epsilon
from privacy.odds import odds_of_claim
from privacy.odds_text import sentences

router = APIRouter(route_class=PageRoute, include_in_schema=False)


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
STATES: Final[dict[str, str]] = {
    "given": _("given"),
    "raised": _("raised"),
    "lowered": _("lowered"),
    "withdrawn": _("withdrawn"),
    "expired": _("expired"),
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
    return page(request, "consent.html", caller, **_ladder(desk, request), person=None, note="")


@router.post("/consent")
def find_client(request: Request, caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Show the client that a steward helps."""
    admit(caller, CONSENT)
    return _person(request, caller, desk, _whose(caller, fields.one("client_id")))


@router.post("/consent/change")
def make_change(request: Request, caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Raise, lower, withdraw or object in one step; what comes back says what is in force now."""
    admit(caller, CONSENT)
    client_id = _whose(caller, fields.one("client_id"))
    try:
        wanted = _wanted(client_id, fields, desk)
        done = None if wanted is None else change(wanted, desk, now=datetime.now(UTC)).epoch
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


def _person(
    request: Request, caller: Caller, desk: Desk, client_id: str, *, done: int | None = None
) -> Response:
    now, language = datetime.now(UTC), language_of(request)
    try:
        level = desk.register.level(client_id, now)
        standing = desk.register.standing(client_id)
        receipts = [_receipt(text) for text in reversed(receipts_of(client_id, desk, now=now))]
        uses = uses_of(client_id, desk)
    except ConsentError as refusal:
        return _refused(request, caller, desk, refusal)
    return page(
        request,
        "consent.html",
        caller,
        **_ladder(desk, request),
        person=client_id,
        level=level,
        objections=standing.objections,
        family_closed=standing.family_objected_at is not None,
        receipts=receipts,
        uses=[(use, purpose_title(use.purpose, desk.catalogue, language)) for use in uses],
        done=done,
        note="",
    )


def _refused(request: Request, caller: Caller, desk: Desk, refusal: ConsentError) -> Response:
    kind = kind_of(type(refusal))
    return page(
        request,
        "consent.html",
        caller,
        status=kind.status if kind else 422,
        **_ladder(desk, request),
        person=None,
        note=kind.title if kind else "",
    )


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
    return {"rungs": rungs, "odds": odds, "states": STATES, "catalogue": desk.catalogue}


def _receipt(text: str) -> dict[str, Any]:
    """Return what a receipt says, with the whole of it to take away; it was signed just now."""
    payload = text.split(".")[1]
    body: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {
        "event": body["record"]["event"],
        "index": (body.get("log") or {}).get("index"),
        "jws": text,
    }
