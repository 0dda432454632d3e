"""Two people's approval of a plan that costs more than one person may spend.

Such a plan becomes a run that waits, priced, with nothing reserved. Two officers other than the
asker each give one opinion with a reason, and neither learns the other's before both are in: so one
opinion alone never moves a run, not even one against it. Both for it: the plan is checked again,
its ρ reserved, and it takes its turn. Otherwise, or when it has waited too long, it is refused.

Every opinion is an entry of the privacy ledger, and the ledger alone says which there are: a
process that dies after an opinion was written is made up for by whoever looks at the run next.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consent.errors import ConsentError
from federation.coordinator.desk import Desk, check
from federation.coordinator.errors import (
    ApprovalExpired,
    Declined,
    NotWaiting,
    OpinionGiven,
    OwnPlan,
    ReasonNeeded,
)
from federation.coordinator.evidence_log import log_accepted, log_opinions, log_refusal
from federation.coordinator.policy import pool_of
from federation.coordinator.runs import Run, RunState
from federation.errors import FederationError
from federation.plans import read_plan
from models.errors import ModelError
from privacy.entries import Decided, Opinion
from privacy.errors import BudgetExceeded, LedgerConflict, NoiseTooSmall, UnknownPool
from privacy.loss import Rho

NEEDED = 2
LEAST_REASON, MOST_REASON = 3, 500

_REFUSALS = (
    ConsentError,
    FederationError,
    ModelError,
    BudgetExceeded,
    NoiseTooSmall,
    UnknownPool,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """How far the approval of one run is, as one officer may see it.

    Attributes:
        run: what waits, or waited.
        expires_at: when it is refused if it still waits then.
        given: how many opinions are in.
        opinions: all of them once both are in; before, only the viewer's own.
        may_decide: whether the viewer may still give one.
    """

    run: Run
    expires_at: datetime
    given: int
    opinions: tuple[Decided, ...]
    may_decide: bool


def opinions_on(run: Run, desk: Desk) -> tuple[Decided, ...]:
    """Return the opinions that count, oldest first: each officer's first, never the asker's."""
    return counted(desk.ledger.decisions(run.id), asker=run.asker)


def counted(decisions: Sequence[Decided], *, asker: str) -> tuple[Decided, ...]:
    """Return each officer's first decision, without the asker's. Pure."""
    first: dict[str, Decided] = {}
    for decision in decisions:
        if decision.officer != asker:
            first.setdefault(decision.officer, decision)
    return tuple(first.values())


def approved(opinions: Sequence[Decided]) -> bool:
    """Say whether enough opinions are in and all of them are for the plan. Pure."""
    return len(opinions) >= NEEDED and all(o.opinion is Opinion.APPROVE for o in opinions)


def expires_at(run: Run, desk: Desk) -> datetime:
    """Return when a run that waits for approval is refused."""
    came = datetime.fromtimestamp(run.accepted_at, UTC)
    return came + timedelta(days=desk.settings.approval_days)


def give_opinion(
    run: str,
    desk: Desk,
    *,
    officer: str,
    opinion: Opinion,
    reason: str,
    now: datetime | None = None,
) -> Approval:
    """Write an officer's opinion into the ledger, and decide if it was the second.

    The same opinion for the same reason again changes nothing.

    Args:
        run: the id of a run that waits.
        desk: whose ledger and runs.
        officer: who gives it; stands in the ledger and in the label.
        opinion: for the plan or against it.
        reason: why, 3 to 500 characters.
        now: with a time zone; the clock's unless given.

    Raises:
        RunUnknown: there is no such run.
        NotWaiting: it takes no opinions (any more).
        OwnPlan: the officer asked for it.
        OpinionGiven: the officer's opinion is in, and is another one.
        ReasonNeeded: the reason is too short or too long.
        LedgerBroken, ClockWentBack: by the ledger; nothing was written.
    """
    at = now or datetime.now(UTC)
    found = settle(desk.runs.get(run), desk, at)
    mine = [o for o in opinions_on(found, desk) if o.officer == officer]
    if mine and (mine[0].opinion, mine[0].reason) == (opinion, reason):
        return approval_of(found, desk, viewer=officer)
    if found.state is not RunState.WAITING:
        raise NotWaiting(found.id, found.state)
    if officer == found.asker:
        raise OwnPlan(found.id)
    if mine:
        raise OpinionGiven(found.id)
    if not LEAST_REASON <= len(reason.strip()) <= len(reason) <= MOST_REASON:
        raise ReasonNeeded(LEAST_REASON, MOST_REASON)
    desk.ledger.decide(found.id, officer, opinion, reason, at)
    return approval_of(settle(found, desk, at), desk, viewer=officer)


def approval_of(run: Run, desk: Desk, *, viewer: str) -> Approval:
    """Return how far a run's approval is, without what the viewer may not know yet."""
    opinions = opinions_on(run, desk)
    own = tuple(o for o in opinions if o.officer == viewer)
    return Approval(
        run=run,
        expires_at=expires_at(run, desk),
        given=len(opinions),
        opinions=opinions if len(opinions) >= NEEDED else own,
        may_decide=run.state is RunState.WAITING and viewer != run.asker and not own,
    )


def settle_all(desk: Desk, now: datetime) -> list[Run]:
    """Decide every waiting run that can be decided by now; return those that still wait."""
    settled = (settle(run, desk, now) for run in desk.runs.waiting())
    return [run for run in settled if run.state is RunState.WAITING]


def settle(run: Run, desk: Desk, now: datetime) -> Run:
    """Decide a waiting run if both opinions are in or its time is over; return it as it is then.

    Safe to repeat and to race: the reservation is named after the run, so it is made once, and a
    run is moved on once.

    Raises:
        LedgerBroken, ClockWentBack: by the ledger; the run still waits.
    """
    if run.state is not RunState.WAITING:
        return run
    opinions = opinions_on(run, desk)
    if len(opinions) < NEEDED:
        if now < expires_at(run, desk):
            return run
        _refuse(run, ApprovalExpired(run.id, desk.settings.approval_days), desk, now)
        return desk.runs.get(run.id)
    refusal = _reserve(run, desk, now) if approved(opinions) else Declined(run.id)
    log_opinions(desk.evidence, run, opinions)
    if refusal is None:
        _accept(run, desk, now)
    else:
        _refuse(run, refusal, desk, now)
    return desk.runs.get(run.id)


def _reserve(run: Run, desk: Desk, now: datetime) -> Exception | None:
    """Check the plan as it would be today and reserve its ρ; return why not, if it cannot be."""
    plan = read_plan(run.plan)
    try:
        check(plan, desk)
        desk.ledger.reserve(pool_of(plan.purpose), Rho(value=plan.rho), run.id, now)
    except _REFUSALS as refusal:
        return refusal
    return None


def _accept(run: Run, desk: Desk, now: datetime) -> None:
    plan, at = read_plan(run.plan), int(now.timestamp())
    log_accepted(desk.evidence, plan, run=run.id, asker=run.asker, at=at)
    if not desk.runs.accept(run.id) and desk.runs.get(run.id).state is RunState.REFUSED:
        # It expired in another process between our two looks. What was spent stays spent.
        with suppress(LedgerConflict):
            desk.ledger.abandon(run.id, now)


def _refuse(run: Run, reason: Exception, desk: Desk, now: datetime) -> None:
    code, at = type(reason).__name__, int(now.timestamp())
    log_refusal(desk.evidence, run, code=code, spent=False, at=at)
    desk.runs.end_refused(
        run.id,
        code=code,
        text=str(reason),
        now=at,
        since=RunState.WAITING,
    )
