"""The studio: from errors that are wanted to a plan, before anything is asked or spent.

It reads the policy, the catalogue and the ledger's totals. No run, no release, no register and no
row is touched: counts and values are guesses that the asker states.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federation import layout
from federation.coordinator.desk import Desk, check, plan_of
from federation.coordinator.policy import pool_of
from federation.coordinator.targets import Wanted, sharing_of, wanted_of, weighted
from federation.errors import PlanInvalid
from federation.question_plan import QuestionPlan
from federation.statistics.figures import LEVEL
from federation.statistics.summands import COUNT, Summand
from privacy.errors import TargetUnreachable
from privacy.loss import Delta, Epsilon, Rho
from privacy.odds import (
    Odds,
    Point,
    odds_of_release,
    questions_left,
    rho_near,
    smallest_group,
)
from privacy.odds_text import Language, sentences
from privacy.planning import (
    LEAST_RHO,
    MOST_RHO,
    error,
    least_rho,
    standard_error,
)
from privacy.pools import lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What an answer will show: the half width of a 95 % interval of the noise, in its unit.

    `half_width` is infinite where the answer would be "too few clients to tell". `target` is what
    was wanted; for a count also what the others need: half the fewest clients that were guessed.
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
        predictions: of the count, and of each other statistic with a target.
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

    Each statistic with a target gets its own weight, so that they share rho as `planning.allocate`
    says; what has no target keeps the weight that the request gives it.

    Args:
        request: a question as for plan_of, with neither rho nor epsilon.
        targets: at least one Target as JSON, at most one per statistic.
        desk: its policy, catalogue and ledger are read.

    Raises:
        PlanInvalid: a request with a price, a target that does not fit the plan, or a bad number.
        TargetUnreachable: it needs more than its pools have; says the least error within reach.
        InvalidBound: the policy's delta is not below 1 / n for a guessed count n.
        PurposeNotOpen, UnknownField, UnknownPurpose, CohortTooSmall, UnknownPool: as for submit.
    """
    asked = _draft(request, desk)
    wanted = wanted_of(asked, targets, desk)
    draft = weighted(asked, wanted)
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
        smallest_group=smallest_group(_noise(plan, desk)[COUNT], level=LEVEL),
        odds=odds,
        sentences={
            "en": sentences(odds, "en", plan.unit),
            "zh": sentences(odds, "zh", plan.unit),
        },
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
    asked = _draft(request, desk)
    wanted = wanted_of(asked, targets, desk)
    draft, remaining = weighted(asked, wanted), _remaining(asked, desk)
    delta = Delta(desk.policy.delta)
    points = []
    for epsilon in epsilons:
        rho = rho_near(epsilon, delta)
        errors = tuple(one.half_width for one in _predict(_at(draft, rho), wanted, desk))
        left = questions_left(remaining, rho)
        points.append(Point(epsilon=epsilon, rho=rho, errors=errors, questions_left=left))
    return tuple(points)


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


def _at(plan: QuestionPlan, rho: Rho) -> QuestionPlan:
    return plan.model_copy(update={"rho": rho.value})


def _noise(plan: QuestionPlan, desk: Desk) -> dict[Summand, float]:
    """Return the deviation of each sum's noise, in clients or half widths: as its Release will."""
    sharing = sharing_of(plan)
    return {
        b.summand: standard_error(b.rho, sharing, sensitivity=b.sensitivity, scale=b.scale)
        for b in layout.question_blocks(plan, desk.catalogue)
    }


def _predict(plan: QuestionPlan, wanted: Sequence[Wanted], desk: Desk) -> tuple[Prediction, ...]:
    noise = _noise(plan, desk)
    return tuple(
        Prediction(
            statistic=one.name,
            half_width=error(
                one.statistic,
                count=noise[COUNT],
                total=max((noise[summand] for summand in one.own), default=0.0),
                level=LEVEL,
            ),
            target=one.within,
        )
        for one in wanted
    )


def _missed(predictions: Sequence[Prediction]) -> bool:
    return any(one.half_width > one.target for one in predictions)


def _unreachable(
    draft: QuestionPlan,
    wanted: Sequence[Wanted],
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
