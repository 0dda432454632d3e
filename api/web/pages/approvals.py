"""Approvals: what waits for two officers, each blind to the other; and what became of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.errors import NotAllowed
from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk, RunId
from api.web.caller import PageCaller
from api.web.forms import Posted
from api.web.language import Language, language_of
from api.web.page_route import PageRoute
from api.web.pages.policy import proposed
from api.web.render import page
from api.web.screens import APPROVALS, admit
from api.web.words import STATES, asked, plan_in, pool_title, purpose_title
from federation.coordinator.approvals import Approval, approval_of, give_opinion, settle_all
from federation.coordinator.desk import Desk
from federation.coordinator.errors import NotWaiting, OpinionGiven, OwnPlan, ReasonNeeded
from federation.coordinator.policy import pool_of
from federation.coordinator.runs import Run
from privacy.entries import Decided, Opinion
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of
from privacy.odds import odds_of_release
from privacy.odds_text import sentences
from privacy.pools import lineage
from privacy.units import PrivacyUnit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_TRAIL = 20


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


PROPOSALS: Final = {
    "waiting": _("Waits for another officer"),
    "approved": _("In force since it was approved"),
    "declined": _("Declined"),
    "stale": _("Out of date"),
}
_REFUSALS = (NotWaiting, OpinionGiven, OwnPlan, ReasonNeeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one budget has left, as a part of its lifetime, before and after."""

    title: str
    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One request that waits, as one officer may see it."""

    approval: Approval
    text: str
    purpose: str
    reason: str
    epsilon: float
    effects: Sequence[Effect]
    odds: Sequence[str]
    household: bool
    own: bool


@router.get("/approvals")
def show_queue(request: Request, caller: PageCaller, desk: OpenDesk) -> Response:
    """Show the queue and the trail."""
    admit(caller, APPROVALS)
    return _queue(request, caller, desk)


@router.post("/approvals/{run_id}")
def give(
    request: Request, run_id: RunId, caller: PageCaller, desk: OpenDesk, fields: Posted
) -> Response:
    """Give one opinion, which stands."""
    if caller.role != "privacy_officer":
        raise NotAllowed(caller.role, "privacy_officer")
    try:
        opinion = Opinion(fields.one("opinion"))
    except ValueError:
        return _queue(request, caller, desk, about=run_id, note="opinion")
    try:
        reason = fields.one("reason")
        give_opinion(run_id, desk, officer=caller.name, opinion=opinion, reason=reason)
    except _REFUSALS as refusal:
        return _queue(request, caller, desk, about=run_id, note="refused", refusal=refusal)
    return RedirectResponse("/approvals#trail", status_code=HTTPStatus.SEE_OTHER)


def _queue(
    request: Request,
    caller: Caller,
    desk: Desk,
    *,
    about: str = "",
    note: str = "",
    refusal: Exception | None = None,
) -> Response:
    language = language_of(request)
    waiting = settle_all(desk, datetime.now(UTC))
    kind = None if refusal is None else kind_of(type(refusal))
    status = HTTPStatus.OK
    if note:
        status = kind.status if kind else HTTPStatus.UNPROCESSABLE_ENTITY
    return page(
        request,
        "approvals.html",
        caller,
        status=status,
        waiting=[_request(run, caller, desk, language) for run in waiting],
        trail=_trail(desk, caller, language),
        states=STATES,
        proposal_states=PROPOSALS,
        policies=proposed(desk, caller),
        about=about,
        note=note,
        refused=kind.title if kind else "",
    )


def _request(run: Run, caller: Caller, desk: Desk, language: Language) -> Waiting:
    plan = plan_in(run)
    rho, delta = Rho(plan["rho"]), Delta(desk.policy.delta)
    unit = PrivacyUnit(plan["unit"])
    effects = []
    for pool in reversed(lineage(pool_of(plan["purpose"]))):
        state = desk.ledger.state(pool)
        used = state.spent.value + state.reserved.value
        whole = state.budget.value
        effects.append(
            Effect(
                title=pool_title(pool, desk.catalogue, language),
                before=1 - used / whole,
                after=max(0.0, 1 - (used + rho.value) / whole),
            )
        )
    return Waiting(
        approval=approval_of(run, desk, viewer=caller.name),
        text=asked(plan, desk.catalogue, language),
        purpose=purpose_title(plan["purpose"], desk.catalogue, language),
        reason=plan["reason"],
        epsilon=epsilon_of(rho, delta).value,
        effects=effects,
        odds=sentences(odds_of_release(rho, delta), language, unit),
        household=unit is PrivacyUnit.HOUSEHOLD,
        own=run.asker == caller.name,
    )


def _trail(
    desk: Desk, caller: Caller, language: Language
) -> list[tuple[Run, str, tuple[Decided, ...]]]:
    """Return the requests that were decided about, with the opinions the viewer may know."""
    found = []
    decided = desk.ledger.history().decided(_TRAIL)
    runs = desk.runs.among(decided)
    for run in (runs[name] for name in decided if name in runs):
        opinions = approval_of(run, desk, viewer=caller.name).opinions
        if opinions:
            found.append((run, asked(plan_in(run), desk.catalogue, language), opinions))
    return found
