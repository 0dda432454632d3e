"""The errors that people can live with, as a question's statistics: what the studio solves for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from federation.coordinator.desk import Desk
from federation.coordinator.guesses import Guess, moved_of
from federation.errors import PlanInvalid
from federation.plan_base import Frozen, Name
from federation.plans import explain
from federation.question_plan import QuestionPlan
from federation.statistics.bounds import number_bounds
from federation.statistics.summands import Summand, total
from federation.statistics.template import Template
from privacy.errors import TargetUnreachable
from privacy.loss import Delta, Rho
from privacy.odds import check_delta
from privacy.planning import COUNT as EVERY_COUNT
from privacy.planning import (
    TOLD_MARGIN,
    Sharing,
    Statistic,
    allocate,
    mean_of,
    positive,
)
from privacy.planning import Target as ErrorTarget

_LIGHT, _HEAVY = 1e-6, 1e6
_ENOUGH = 1e9
"""More than any pool has: what is asked of `allocate` is how to share, not whether it is there."""


class CountTarget(Frozen):
    """Counts within this many clients, in every cell."""

    kind: Literal["count"] = "count"
    within: float = Field(gt=0)


class MeanTarget(Frozen):
    """A mean within this much, in a cell of about so many clients with about this mean.

    within: in the field's unit, or as a part of the guessed value if ``relative``.
    clients, value: guesses: stated by a person or taken from an earlier release, never from rows.
    """

    kind: Literal["mean"] = "mean"
    field: Name
    within: float = Field(gt=0)
    relative: bool = False
    clients: float = Field(gt=0)
    value: float

    @property
    def half_width(self) -> float:
        """The half width that is wanted, in the field's unit."""
        return self.within * abs(self.value) if self.relative else self.within


class FigureTarget(Guess):
    """Any statistic of the question within this much, in a cell like the guess.

    statistic: its name among the question's, as labels name it: "sum income", "quantile income".
    within: in its unit; for quantiles in rank, a part of the clients; or as a part of the figure
    that the guess gives if ``relative``.
    """

    kind: Literal["figure"] = "figure"
    statistic: str = Field(min_length=1, max_length=2000)
    within: float = Field(gt=0)
    relative: bool = False


Target = Annotated[CountTarget | MeanTarget | FigureTarget, Field(discriminator="kind")]
_TARGETS: TypeAdapter[tuple[Target, ...]] = TypeAdapter(tuple[Target, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One statistic with the error that is wanted of it. own: its sums beside the count."""

    name: str
    own: tuple[Summand, ...]
    statistic: Statistic
    within: float


def wanted_of(
    plan: QuestionPlan, targets: Sequence[Mapping[str, object]], desk: Desk
) -> list[Wanted]:
    """Return the count first, which all rests on, then each other statistic with a target."""
    try:
        parsed = _TARGETS.validate_python(tuple(targets))
    except ValidationError as error_:
        raise PlanInvalid(f"targets: {explain(error_)}") from None
    if not parsed:
        raise PlanInvalid("targets: give at least one error to solve for")
    names = [_name(target) for target in parsed]
    if len(set(names)) < len(names):
        raise PlanInvalid("targets: give each statistic one")
    asked = {statistic.name: statistic for statistic in plan.statistics}
    if strangers := sorted(set(names) - asked.keys() - {"count"}):
        known = ", ".join(asked)
        raise PlanInvalid(f"targets: the question has no {strangers[0]!r:.80}; it has {known}")
    others = [
        _mean(target, desk)
        if isinstance(target, MeanTarget)
        else _figure(target, asked[target.statistic], desk)
        for target in parsed
        if not isinstance(target, CountTarget)
    ]
    counts = [target.within for target in parsed if isinstance(target, CountTarget)]
    counts += [one.statistic.told_within / TOLD_MARGIN for one in others]
    if not math.isfinite(least := min(counts)):
        least = min(one.within / one.statistic.of_count for one in others)
    return [Wanted(name="count", own=(), statistic=EVERY_COUNT, within=least), *others]


def _name(target: CountTarget | MeanTarget | FigureTarget) -> str:
    match target:
        case CountTarget():
            return "count"
        case MeanTarget():
            return f"mean {target.field}"
        case FigureTarget():
            return target.statistic


def _figure(target: FigureTarget, statistic: Template, desk: Desk) -> Wanted:
    if not statistic.summands:
        raise PlanInvalid(f"targets: {statistic.name} is a count; give a target of that kind")
    check_delta(Delta(desk.policy.delta), target.clients)
    moved = moved_of(statistic, target, desk.catalogue)
    within = target.within * moved.value if target.relative else target.within
    return Wanted(
        name=statistic.name,
        own=statistic.summands,
        statistic=moved.statistic,
        within=positive(f"error of {statistic.name}", within),
    )


def _mean(target: MeanTarget, desk: Desk) -> Wanted:
    lower, upper = number_bounds(desk.catalogue.field(target.field))
    check_delta(Delta(desk.policy.delta), target.clients)
    return Wanted(
        name=f"mean {target.field}",
        own=(total(target.field),),
        statistic=mean_of(lower=lower, upper=upper, value=target.value, clients=target.clients),
        within=positive(f"error of mean {target.field}", target.half_width),
    )


def weighted(plan: QuestionPlan, wanted: Sequence[Wanted]) -> QuestionPlan:
    """Weigh each target's statistic against the count as the least loss for all of them would.

    The sums of a statistic share its loss evenly, so s of them have √s times the noise of one.
    """
    targets = [ErrorTarget(one.name, _shared(one), one.within) for one in wanted]
    try:
        best = allocate(targets, sharing_of(plan), remaining=Rho(_ENOUGH))
    except TargetUnreachable:
        return plan  # at its own weights it is out of reach too, and is refused for it
    weights = {
        one.name: min(max(part.value / best.count.value, _LIGHT), _HEAVY)
        for one, part in zip(wanted[1:], best.totals[1:], strict=True)
    }
    statistics = tuple(
        s.model_copy(update={"weight": weights[s.name]}) if s.name in weights else s
        for s in plan.statistics
    )
    return plan.model_copy(update={"statistics": statistics})


def _shared(one: Wanted) -> Statistic:
    found = one.statistic
    return Statistic(
        of_total=found.of_total * math.sqrt(len(one.own)),
        of_count=found.of_count,
        told_within=found.told_within,
    )


def sharing_of(plan: QuestionPlan) -> Sharing:
    """Return who adds noise to a question's sums."""
    return Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )
