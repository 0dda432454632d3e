"""The errors that people can live with, as a question's statistics: what the studio solves for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from federation.coordinator.desk import Desk
from federation.errors import PlanInvalid
from federation.plan_base import Frozen, Name
from federation.plans import explain
from federation.question_plan import QuestionPlan
from federation.statistics.amounts import Mean
from federation.statistics.bounds import number_bounds
from privacy.errors import TargetUnreachable
from privacy.loss import Delta, Rho
from privacy.odds import check_delta
from privacy.planning import (
    COUNT,
    TOLD_MARGIN,
    Sharing,
    Statistic,
    allocate,
    mean_of,
    positive,
)
from privacy.planning import Target as ErrorTarget

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


Target = Annotated[CountTarget | MeanTarget, Field(discriminator="kind")]
_TARGETS: TypeAdapter[tuple[CountTarget | MeanTarget, ...]] = TypeAdapter(tuple[Target, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One statistic with the error that is wanted of it. field: None for the count."""

    name: str
    field: str | None
    statistic: Statistic
    within: float


def wanted_of(
    plan: QuestionPlan, targets: Sequence[Mapping[str, object]], desk: Desk
) -> list[Wanted]:
    """Return the count first, which every mean rests on, then each mean with a target."""
    try:
        parsed = _TARGETS.validate_python(tuple(targets))
    except ValidationError as error_:
        raise PlanInvalid(f"targets: {explain(error_)}") from None
    if not parsed:
        raise PlanInvalid("targets: give at least one error to solve for")
    names = [target.field if isinstance(target, MeanTarget) else None for target in parsed]
    if len(set(names)) < len(names):
        raise PlanInvalid("targets: give each statistic one")
    asked = {s.field for s in plan.statistics if isinstance(s, Mean)} | {None}
    if strangers := sorted(str(name) for name in set(names) - asked):
        raise PlanInvalid(f"targets: the question asks for no mean of {strangers[0]}")
    means = [target for target in parsed if isinstance(target, MeanTarget)]
    counts = [target.within for target in parsed if isinstance(target, CountTarget)]
    counts += [target.clients / TOLD_MARGIN for target in means]
    count = Wanted(name="count", field=None, statistic=COUNT, within=min(counts))
    return [count, *(_mean(target, desk) for target in means)]


def _mean(target: MeanTarget, desk: Desk) -> Wanted:
    lower, upper = number_bounds(desk.catalogue.field(target.field))
    check_delta(Delta(desk.policy.delta), target.clients)
    return Wanted(
        name=f"mean {target.field}",
        field=target.field,
        statistic=mean_of(lower=lower, upper=upper, value=target.value, clients=target.clients),
        within=positive(f"error of mean {target.field}", target.half_width),
    )


def weighted(plan: QuestionPlan, wanted: Sequence[Wanted]) -> QuestionPlan:
    """Weigh each mean with a target against the count as the least loss for all targets would."""
    targets = [ErrorTarget(one.name, one.statistic, one.within) for one in wanted]
    try:
        best = allocate(targets, sharing_of(plan), remaining=Rho(_ENOUGH))
    except TargetUnreachable:
        return plan  # at its own weights it is out of reach too, and is refused for it
    totals = dict(zip((one.field for one in wanted[1:]), best.totals[1:], strict=True))
    statistics = tuple(
        s.model_copy(update={"weight": totals[s.field].value / best.count.value})
        if isinstance(s, Mean) and s.field in totals
        else s
        for s in plan.statistics
    )
    return plan.model_copy(update={"statistics": statistics})


def sharing_of(plan: QuestionPlan) -> Sharing:
    """Return who adds noise to a question's sums."""
    return Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )
