"""Where a client was counted: releases whose consent epoch opened what they needed of the client.

Nothing is stored per client: what the client had authorized follows from the client's own events up
to the run's epoch. Whether a department held a row of the client, only that department knows.
"""

from dataclasses import dataclass, field

from consent.levels import Level
from consent.register import Standing
from federation.coordinator.consent_log import standings_after
from federation.coordinator.desk import Desk
from federation.coordinator.receipt_forms import family_closed_at, open_fields
from federation.coordinator.runs import Run, RunState
from federation.cube_plan import CubePlan
from federation.plans import AnyPlan, read_plan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One release that may have counted the client. Never what it answered. Hidden: a person's.

    released_at: seconds since the Unix epoch. epoch: of consent. departments: that took part.
    fields: the plan's, all of them open to it then; of a training those that were open. model: the
    file name of what was trained, or "". log_index: of the release, or None if it is not stated.
    known: False if the plan is of an earlier catalogue, whose rules cannot be looked up here.
    """

    run: str
    kind: str
    purpose: str
    released_at: int
    epoch: int
    departments: tuple[str, ...]
    fields: tuple[str, ...] = field(repr=False)
    model: str
    log_index: int | None
    known: bool


def uses_of(client_id: str, desk: Desk) -> list[Use]:
    """Return the releases that may have counted a client, newest first.

    A withdrawal takes the client out of every later one; those before it stand and stay listed.

    Raises:
        InvalidClientId, UnknownClient: there is no such client.
    """
    events = desk.register.history(client_id)
    standings = standings_after(events)
    closed = family_closed_at(standings[events[-1].seq].household, desk)
    found = []
    for run in desk.runs.latest(limit=None):
        if run.state is not RunState.RELEASED or run.label is None:
            continue
        epoch = int(run.label["consent_epoch"])
        standing = next((standings[e.seq] for e in reversed(events) if e.seq <= epoch), None)
        if standing is not None:
            use = _use(run, standing, desk, epoch=epoch, family_closed=closed(epoch))
            found += [use] if use is not None else []
    return found


def _use(
    run: Run, standing: Standing, desk: Desk, *, epoch: int, family_closed: bool
) -> Use | None:
    plan, at = read_plan(run.plan), run.ended_at or 0
    if standing.level_at(at) is Level.NONE or plan.purpose in standing.objections:
        return None
    known = plan.catalogue == desk.catalogue.digest()
    fields = plan.fields
    if known:
        fields = open_fields(
            fields, plan.purpose, standing, desk, family_closed=family_closed, now=at
        )
        if not _counted(plan, set(fields)):
            return None
    label, result = run.label or {}, run.result or {}
    index = label.get("log_index")
    return Use(
        run=run.id,
        kind=plan.kind,
        purpose=plan.purpose,
        released_at=at,
        epoch=epoch,
        departments=plan.cohort,
        fields=fields,
        model=str(result.get("model", "")),
        log_index=index if isinstance(index, int) else None,
        known=known,
    )


def _counted(plan: AnyPlan, opened: set[str]) -> bool:
    """Say whether a client with these fields open was counted, as far as its fields decide."""
    match plan:
        case QuestionPlan():
            return opened.issuperset(plan.fields)
        case TrainingPlan():
            return plan.target in opened
        case CubePlan():
            return bool(opened)
