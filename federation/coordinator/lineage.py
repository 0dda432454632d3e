"""Where a client was counted: releases whose consent epoch opened what they needed of the client.

Nothing is stored per client: what the client had authorized follows from the client's own events up
to the run's epoch. Whether a department held a row of the client, only that department knows.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from consent.catalogue import Catalogue
from consent.levels import Level
from consent.register import Standing
from federation.coordinator.consent_log import standings_after
from federation.coordinator.desk import Desk
from federation.coordinator.receipt_forms import family_closed_at, open_fields
from federation.coordinator.runs import Past
from federation.cube_plan import CubePlan
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan, read_plan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan

_AT_ONCE = 200


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


def uses_of(
    client_id: str, desk: Desk, *, limit: int | None = None, before: str | None = None
) -> list[Use]:
    """Return the releases that may have counted a client, newest first.

    A withdrawal takes the client out of every later one; those before it stand and stay listed.

    Args:
        client_id: normalized (sensitive).
        desk: of the coordinator.
        limit: how many at most; no more releases are read than it takes.
        before: a run; only releases that came in before it.

    Raises:
        InvalidClientId, UnknownClient: there is no such client.
    """
    events = desk.register.history(client_id)
    standings = standings_after(events)
    changes = [event.seq for event in events]
    closed = family_closed_at(standings[changes[-1]].household, desk)
    catalogue, opened = desk.catalogue.digest(), _Opened(desk=desk, known={})
    found: list[Use] = []
    for past in _pasts(desk, before):
        if len(found) == limit:
            break
        place = bisect_right(changes, past.epoch)
        if not place:  # from before the client was entered
            continue
        plan, standing = read_plan(past.plan), standings[changes[place - 1]]
        if isinstance(plan, QuestionPlan) and plan.short is not None:
            continue  # it read authorizations, and no row
        if standing.level_at(past.at) is Level.NONE or plan.purpose in standing.objections:
            continue
        known, fields = plan.catalogue == catalogue, plan.fields
        if known:
            fields = opened.fields(plan, standing, past.at, family_closed=closed(past.epoch))
            if not _counted(plan, set(fields)):
                continue
        found.append(
            Use(
                run=past.id,
                kind=plan.kind,
                purpose=plan.purpose,
                released_at=past.at,
                epoch=past.epoch,
                departments=plan.cohort,
                fields=fields,
                model=past.model,
                log_index=past.log_index if isinstance(past.log_index, int) else None,
                known=known,
            )
        )
    return found


def _pasts(desk: Desk, before: str | None) -> Iterator[Past]:
    """Read releases, newest first, no more at once than are soon looked at."""
    while part := desk.runs.released(limit=_AT_ONCE, before=before):
        yield from part
        before = part[-1].id


def least_level(plan: AnyPlan, catalogue: Catalogue) -> Level:
    """Return the level from which on a client was counted, if nothing else closed what it took."""
    match plan:
        case QuestionPlan():
            levels = [catalogue.field(name).level for name in plan.fields]
            return max(levels, default=Level.BASIC_ASSETS)
        case TrainingPlan():
            return catalogue.field(plan.target).level
        case CubePlan():
            return min(catalogue.field(name).level for name in plan.fields)
        case EvaluationPlan():
            return max(catalogue.field(name).level for name in plan.counted)


def _counted(plan: AnyPlan, opened: set[str]) -> bool:
    """Say whether a client with these fields open was counted, as far as its fields decide."""
    match plan:
        case QuestionPlan():
            return opened.issuperset(plan.fields)
        case TrainingPlan():
            return plan.target in opened
        case CubePlan():
            return bool(opened)
        case EvaluationPlan():
            return opened.issuperset(plan.counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What one client's standings opened to plans, looked up once for equal plans. Sensitive."""

    desk: Desk = field(repr=False)
    known: dict[object, tuple[str, ...]] = field(repr=False)

    def fields(
        self, plan: AnyPlan, standing: Standing, at: int, *, family_closed: bool
    ) -> tuple[str, ...]:
        level = standing.level_at(at)
        key = (plan.purpose, plan.fields, standing.seq, level, family_closed)
        if key not in self.known:
            self.known[key] = open_fields(
                plan.fields, plan.purpose, standing, self.desk, family_closed=family_closed, now=at
            )
        return self.known[key]
