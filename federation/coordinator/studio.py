"""The studio: from errors that are wanted to a plan, before anything is asked or spent.

It reads the policy, the catalogue and the ledger's totals. No run, no release, no register and no
row is touched: counts and values are guesses that the asker states.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from federation import layout
from federation.coordinator.desk import Desk, check, plan_of
from federation.coordinator.policy import pool_of
from federation.coordinator.question_result import LEVEL
from federation.errors import PlanInvalid
from federation.plan_base import Frozen, Name
from federation.plans import explain
from federation.question_plan import Mean, QuestionPlan
from privacy.errors import TargetUnreachable
from privacy.loss import Delta, Epsilon, Rho
from privacy.odds import (
    Odds,
    Point,
    check_delta,
    odds_of_release,
    questions_left,
    smallest_group,
    what_if,
)
from privacy.odds_text import Language, sentences
from privacy.planning import (
    COUNT,
    LEAST_RHO,
    MOST_RHO,
    TOLD_MARGIN,
    Sharing,
    Statistic,
    error,
    least_rho,
    mean_of,
    positive,
    standard_error,
)
from privacy.pools import lineage


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
class Prediction:
    """What an answer will show: the half width of a 95 % interval of the noise, in its unit.

    `half_width` is infinite where the answer would be "too few clients to tell". `target` is what
    was wanted; for a count also what its means need: half the fewest clients that were guessed.
    """

    statistic: str
    half_width: float
    target: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A plan that meets its targets at the least loss, and what it means. Nothing is spent.

    Attributes:
        plan: ready to submit.
        epsilon: of the plan, at delta.
        delta: the policy's.
        predictions: of the count, and of each mean with a target.
        smallest_group: fewest clients whose count this plan tells apart from zero, 19 times in 20.
        odds: what the plan's loss lets an attacker do.
        sentences: the odds in words, by language.
        questions_left: how many more of this price the purpose and the firm can pay after it.
        needs_approval: it costs more than one person may spend.
    """

    plan: QuestionPlan
    epsilon: Epsilon
    delta: Delta
    predictions: tuple[Prediction, ...]
    smallest_group: int
    odds: Odds
    sentences: Mapping[Language, tuple[str, ...]]
    questions_left: int
    needs_approval: bool


def solve(
    request: Mapping[str, object], targets: Sequence[Mapping[str, object]], desk: Desk
) -> Solution:
    """Find the least rho at which a question's answer meets every target.

    All sums of a question share rho equally, so the costliest target decides.

    Args:
        request: a question as for plan_of, with neither rho nor epsilon.
        targets: at least one CountTarget or MeanTarget as JSON, at most one per statistic.
        desk: its policy, catalogue and ledger are read.

    Raises:
        PlanInvalid: a request with a price, a target that does not fit the plan, or a bad number.
        TargetUnreachable: it needs more than its pools have; says the least error within reach.
        InvalidBound: the policy's delta is not below 1 / n for a guessed count n.
        PurposeNotOpen, UnknownField, UnknownPurpose, CohortTooSmall, UnknownPool: as for submit.
    """
    draft = _draft(request, desk)
    wanted = _wanted(draft, targets, desk)
    fits = least_rho(lambda rho: not _missed(_predict(_at(draft, rho), wanted, desk)))
    remaining = _remaining(draft, desk)
    if fits is None or fits > remaining:
        raise _unreachable(draft, wanted, desk, requested=fits, remaining=remaining)
    plan, delta = _at(draft, fits), Delta(desk.policy.delta)
    odds = odds_of_release(fits, delta)
    return Solution(
        plan=plan,
        epsilon=odds.epsilon,
        delta=delta,
        predictions=_predict(plan, wanted, desk),
        smallest_group=smallest_group(_noise(plan, desk)[None], level=LEVEL),
        odds=odds,
        sentences={"en": sentences(odds, "en"), "zh": sentences(odds, "zh")},
        questions_left=questions_left(remaining, fits) - 1,
        needs_approval=odds.epsilon.value > desk.policy.automatic_epsilon,
    )


def curve(
    request: Mapping[str, object],
    targets: Sequence[Mapping[str, object]],
    desk: Desk,
    epsilons: Sequence[Epsilon],
) -> tuple[Point, ...]:
    """Return what each epsilon would buy: errors in the order of a Solution's predictions.

    Args:
        request: as for solve.
        targets: as for solve; their guesses are used, not their errors.
        desk: as for solve.
        epsilons: at the policy's delta, above 0 and at most 100 (InvalidLoss); see log_grid.

    Raises:
        PlanInvalid, InvalidBound, PurposeNotOpen and the like: as solve.
    """
    draft = _draft(request, desk)
    return what_if(
        [one.statistic for one in _wanted(draft, targets, desk)],
        _sharing(draft),
        epsilons,
        sums=draft.released_sums,
        delta=Delta(desk.policy.delta),
        remaining=_remaining(draft, desk),
    )


def _draft(request: Mapping[str, object], desk: Desk) -> QuestionPlan:
    """Return the question at a loss next to nothing, checked as it will be when submitted."""
    if priced := {"rho", "epsilon"} & set(request):
        raise PlanInvalid(f"{min(priced)}: leave it out, it is solved for")
    draft = plan_of({"kind": "question"} | dict(request) | {"rho": LEAST_RHO}, desk)
    if not isinstance(draft, QuestionPlan):
        raise PlanInvalid("kind: only a question has error targets")
    check(draft, desk)
    return draft


def _remaining(plan: QuestionPlan, desk: Desk) -> Rho:
    """Return what the purpose and every pool above it can pay."""
    return min(desk.ledger.state(pool).remaining for pool in lineage(pool_of(plan.purpose)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    name: str
    field: str | None
    statistic: Statistic
    within: float


def _wanted(
    plan: QuestionPlan, targets: Sequence[Mapping[str, object]], desk: Desk
) -> list[_Wanted]:
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
    count = _Wanted(name="count", field=None, statistic=COUNT, within=min(counts))
    return [count, *(_mean(target, desk) for target in means)]


def _mean(target: MeanTarget, desk: Desk) -> _Wanted:
    lower, upper = layout.number_bounds(desk.catalogue.field(target.field))
    check_delta(Delta(desk.policy.delta), target.clients)
    return _Wanted(
        name=f"mean {target.field}",
        field=target.field,
        statistic=mean_of(lower=lower, upper=upper, value=target.value, clients=target.clients),
        within=positive(f"error of mean {target.field}", target.half_width),
    )


def _at(plan: QuestionPlan, rho: Rho) -> QuestionPlan:
    return plan.model_copy(update={"rho": rho.value})


def _noise(plan: QuestionPlan, desk: Desk) -> dict[str | None, float]:
    """Return the deviation of each block's noise, in clients or half widths: as its Release will.

    The key is the block's field; None is the count.
    """
    rho, sharing = plan.rho_per_statistic, _sharing(plan)
    return {
        b.field: standard_error(rho, sharing, sensitivity=b.sensitivity, scale=b.scale)
        for b in layout.question_blocks(plan, desk.catalogue)
    }


def _sharing(plan: QuestionPlan) -> Sharing:
    return Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )


def _predict(plan: QuestionPlan, wanted: Sequence[_Wanted], desk: Desk) -> tuple[Prediction, ...]:
    noise = _noise(plan, desk)
    return tuple(
        Prediction(
            statistic=one.name,
            half_width=error(one.statistic, count=noise[None], total=noise[one.field], level=LEVEL),
            target=one.within,
        )
        for one in wanted
    )


def _missed(predictions: Sequence[Prediction]) -> bool:
    return any(one.half_width > one.target for one in predictions)


def _unreachable(
    draft: QuestionPlan,
    wanted: Sequence[_Wanted],
    desk: Desk,
    *,
    requested: Rho | None,
    remaining: Rho,
) -> TargetUnreachable:
    """Say which target is furthest out of reach, and what the whole remainder would give."""
    cost = math.inf if requested is None else requested.value
    if remaining.value == 0:
        return TargetUnreachable(wanted[0].name, math.inf, cost, 0.0)
    best = _predict(_at(draft, min(remaining, Rho(MOST_RHO))), wanted, desk)
    worst = max(best, key=lambda one: one.half_width / one.target)
    return TargetUnreachable(worst.statistic, worst.half_width, cost, remaining.value)
