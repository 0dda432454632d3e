"""The studio: plans keep their promise at the least loss, and no data is touched."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from consent.catalogue import Catalogue, Field
from consent.errors import PurposeNotOpen, UnknownField
from consent.purposes import Purpose
from federation import layout
from federation.budgets import keep_to_policy
from federation.coordinator.desk import Desk, submit
from federation.coordinator.policy import Policy, Pool, pool_of
from federation.coordinator.question_result import question_result
from federation.coordinator.studio import Solution, curve, solve
from federation.database import open_database
from federation.errors import CohortTooSmall, PlanInvalid
from federation.question_plan import QuestionPlan
from privacy import planning
from privacy.bounds import bounded_count, bounded_total
from privacy.errors import BudgetExceeded, InvalidBound, InvalidLoss, TargetUnreachable
from privacy.loss import Delta, Epsilon, Rho
from privacy.mechanisms import Release, add_noise_share, release
from privacy.odds import log_grid, odds_of_release
from privacy.store import Ledger
from privacy.units import NeighboringRelation

AT = datetime(2026, 11, 22, tzinfo=UTC)
COMMON = {"title": "-", "departments": ("advisory", "research", "risk"), "level": 1}
CATALOGUE = Catalogue(
    name="test",
    departments=("advisory", "research", "risk"),
    purposes=(Purpose(name="review", title="-"), Purpose(name="closed", title="-")),
    fields=tuple(
        Field.model_validate(COMMON | {"purposes": ("review",)} | facts, strict=False)
        for facts in (
            {"name": "income", "kind": "number", "lower": -1000, "upper": 9000},
            {"name": "wealth", "kind": "number", "lower": 0, "upper": 1e12},
            {"name": "city", "kind": "category", "categories": tuple(f"c{n}" for n in range(48))},
        )
    ),
)
POLICY = Policy(
    delta=1e-6,
    firm=Pool(epsilon=3.0),
    purposes={"review": Pool(epsilon=4.0), "closed": Pool(epsilon=1.0)},
    automatic_epsilon=1.0,
)
QUESTION: dict[str, Any] = {
    "purpose": "review",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "income"}],
    "by": ["city"],
    "reason": "a test",
}
COUNT = {"kind": "count", "within": 40}
MEAN = {"kind": "mean", "field": "income", "within": 0.2, "relative": True}
MEAN |= {"clients": 256, "value": 3000}


class Absent:  # a data store that is not there: whoever looks finds out
    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the studio looked at {name} of a data store")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return opened(tmp_path, POLICY)


def opened(folder: Path, policy: Policy) -> Desk:
    absent: Any = Absent()
    ledger = Ledger(open_database(f"sqlite:///{folder / 'ledger.db'}"))
    keep_to_policy(ledger, policy.budgets(), Delta(policy.delta), reason="a test", at=AT)
    return Desk(
        settings=absent,
        catalogue=CATALOGUE,
        policy=policy,
        engine=absent,
        runs=absent,
        ledger=ledger,
        register=absent,
        evidence=absent,
        data_epochs=absent,
        registry=absent,
    )


def half_widths(found: Solution) -> list[float]:
    return [p.half_width for p in found.predictions]


def test_a_question_is_solved_with_every_data_store_absent(desk: Desk) -> None:
    solution = solve(QUESTION, [COUNT, MEAN], desk)
    assert [p.statistic for p in solution.predictions] == ["count", "mean income"]
    assert all(0 < p.half_width <= p.target for p in solution.predictions)
    assert [p.target for p in solution.predictions] == [40, 600]
    assert solution.plan.catalogue == CATALOGUE.digest()
    odds = odds_of_release(Rho(solution.plan.rho), solution.delta)
    assert (solution.odds, solution.epsilon) == (odds, odds.epsilon)
    assert all(len(solution.sentences[language]) == 4 for language in ("en", "zh"))
    assert desk.ledger.state("firm").spent.value == 0


def test_what_submits_looks_at_is_missed_where_it_is_absent(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="data store"):
        submit(solve(QUESTION, [COUNT], desk).plan, desk, asker="ann")


def exact(plan: QuestionPlan, clients: int, value: float) -> list[Release]:
    """Mint releases whose noise happens to be zero."""
    releases = []
    for block in layout.question_blocks(plan, CATALOGUE):
        place = 1.0 if block.field is None else (value - block.center) / block.half_width
        sums = np.full(block.size, round(clients * block.scale * place), np.int64)
        releases.append(minted(plan, block, sums))
    return releases


def minted(plan: QuestionPlan, block: layout.Block, noised: np.ndarray) -> Release:
    return release(
        block.name,
        noised,
        sensitivity=block.sensitivity,
        scale=block.scale,
        rho=block.rho,
        unit=plan.unit,
        relation=NeighboringRelation.ADD_OR_REMOVE,
        bound=plan.bound,
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )


@pytest.mark.parametrize(
    "noise", [{"owned": owned, "tolerance": t} for owned in (True, False) for t in range(3)]
)
@pytest.mark.parametrize(("clients", "value"), [(256, 3000.0), (1000, -900.0), (512, 4000.0)])
def test_the_predicted_interval_is_the_one_the_result_will_show(
    desk: Desk, noise: dict[str, object], clients: int, value: float
) -> None:
    mean = {"kind": "mean", "field": "income", "within": 2500, "clients": clients, "value": value}
    solution = solve(QUESTION | noise, [mean], desk)
    result = question_result(solution.plan, CATALOGUE, exact(solution.plan, clients, value))
    row = result["rows"][0]
    shown = [row["count"]["half_width"], row["means"]["income"]["half_width"]]
    assert shown == pytest.approx(half_widths(solution), rel=1e-9)
    assert row["means"]["income"]["value"] == pytest.approx(value)


@pytest.mark.parametrize("targets", [[COUNT], [MEAN], [COUNT, MEAN]])
def test_one_percent_less_rho_misses_a_target(desk: Desk, targets: list[dict[str, Any]]) -> None:
    plan = solve(QUESTION, targets, desk).plan
    less = plan.model_copy(update={"rho": plan.rho * 0.99})
    row = question_result(less, CATALOGUE, exact(less, 256, 3000.0))["rows"][0]
    count, mean = row["count"]["half_width"], row["means"]["income"]["half_width"]
    assert any(count > 40 if target is COUNT else mean > 600 for target in targets)


def test_a_mean_of_huge_amounts_is_planned_as_it_is_summed(desk: Desk) -> None:
    wealth = {"kind": "mean", "field": "wealth", "within": 3e10, "clients": 900, "value": 2e11}
    request = QUESTION | {"statistics": [{"kind": "mean", "field": "wealth"}]}
    assert 0 < half_widths(solve(request, [wealth], desk))[1] <= 3e10


def test_as_many_questions_are_left_as_the_ledger_then_grants(desk: Desk) -> None:
    solution = solve(QUESTION, [COUNT, MEAN], desk)
    for n in range(solution.questions_left + 1):
        desk.ledger.reserve(pool_of("review"), Rho(solution.plan.rho), f"question {n}", AT)
    with pytest.raises(BudgetExceeded, match="'firm'"):  # the smaller of the budgets decides
        desk.ledger.reserve(pool_of("review"), Rho(solution.plan.rho), "one more", AT)


def test_a_second_person_is_announced_where_the_policy_wants_one(desk: Desk) -> None:
    wide, narrow = (
        solve(QUESTION, [{"kind": "count", "within": within}], desk) for within in (60, 8)
    )
    assert (wide.needs_approval, narrow.needs_approval) == (False, True)
    assert wide.epsilon.value <= 1.0 < narrow.epsilon.value
    assert wide.smallest_group > narrow.smallest_group


def test_an_error_out_of_reach_names_the_least_one_within_it(desk: Desk) -> None:
    with pytest.raises(TargetUnreachable) as caught:
        solve(QUESTION, [COUNT, MEAN | {"within": 0.01}], desk)
    refusal, left = caught.value, desk.ledger.state("firm").remaining.value
    assert (refusal.statistic, refusal.remaining) == ("mean income", left)
    assert refusal.requested > left
    reached = MEAN | {"within": refusal.least * (1 + 1e-9), "relative": False}
    assert solve(QUESTION, [COUNT, reached], desk).questions_left == 0
    with pytest.raises(TargetUnreachable):
        solve(QUESTION, [reached | {"within": refusal.least * 0.98}], desk)
    desk.ledger.reserve(pool_of("review"), Rho(left), "everything", AT)
    with pytest.raises(TargetUnreachable) as caught:
        solve(QUESTION, [COUNT], desk)
    assert caught.value.least == math.inf


def test_a_curve_falls_and_passes_through_the_solution(desk: Desk) -> None:
    solution = solve(QUESTION, [COUNT, MEAN], desk)
    grid = [*log_grid(Epsilon(0.1), Epsilon(10.0), 7), solution.epsilon]
    *points, solved = curve(QUESTION, [COUNT, MEAN], desk, grid)
    assert [p.errors for p in points] == sorted((p.errors for p in points), reverse=True)
    assert list(solved.errors) == pytest.approx(half_widths(solution), rel=0.15)
    assert solved.rho.value == pytest.approx(solution.plan.rho, rel=1e-9)
    with pytest.raises(InvalidLoss):
        curve(QUESTION, [COUNT], desk, [Epsilon(101.0)])


@pytest.mark.parametrize(
    ("changes", "targets", "refusal"),
    [
        ({"rho": 0.1}, [COUNT], PlanInvalid),
        ({"epsilon": math.nan}, [COUNT], PlanInvalid),
        ({"kind": "training"}, [COUNT], PlanInvalid),
        ({"by": ["income", "income"]}, [COUNT], PlanInvalid),
        *(({"cohort": c}, [COUNT], PlanInvalid) for c in (["risk"], ["risk", "sales"])),
        ({"by": ["age"]}, [COUNT], UnknownField),
        ({"purpose": "closed"}, [COUNT], PurposeNotOpen),
        ({}, [], PlanInvalid),
        ({}, [COUNT, COUNT], PlanInvalid),
        ({}, [MEAN | {"field": "wealth"}], PlanInvalid),
        *(({}, [MEAN | {"value": value}], InvalidBound) for value in (0, 9001)),
        ({}, [MEAN | {"clients": 1_000_000}], InvalidBound),
        *(({}, [COUNT | {"within": w}], PlanInvalid) for w in (0, -1, math.inf, math.nan)),
    ],
)
def test_what_cannot_be_solved_is_refused(
    desk: Desk, changes: dict[str, Any], targets: list[dict[str, Any]], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        solve(QUESTION | changes, targets, desk)


def test_a_cohort_the_policy_finds_too_small_is_refused(tmp_path: Path) -> None:
    desk = opened(tmp_path, POLICY.model_copy(update={"minimum_cohort": 3}))
    with pytest.raises(CohortTooSmall):
        solve(QUESTION | {"cohort": ["advisory", "risk"]}, [COUNT], desk)


CLIENTS, VALUE, Z = 256, 3000.0, planning.normal_quantile(planning.LEVEL)
THREE = planning.Sharing(cohort=3, tolerance=1, departments=1)


def noised(plan: QuestionPlan, block: layout.Block, absent: int) -> Release:
    """Release 256 clients of one value in each of 48 cells; `absent` nodes forget their noise."""
    own: dict[str, Any] = {"unit": plan.unit, "bound": plan.bound}
    noised_sum = np.zeros(block.size, np.int64)
    for node in range(len(plan.cohort)):
        cells = np.repeat(np.arange(block.size), CLIENTS if node == 0 else 0)
        values = np.full(cells.size, (VALUE - block.center) / block.half_width)
        if block.field is None:
            held = bounded_count(cells, block.size, scale=block.scale, **own)
        else:
            held = bounded_total("t", values, cells, block.size, lower=-1, upper=1, **own)
        share = add_noise_share(
            held, rho=block.rho, cohort=len(plan.cohort), tolerance=plan.tolerance
        )
        noised_sum += held.values if node < absent else share.values
    return minted(plan, block, noised_sum)


def misses(solution: Solution, absent: int = 0) -> dict[str, np.ndarray]:
    """Return how far 200 releases of each statistic miss the truth, in promised deviations."""
    plan, blocks = solution.plan, layout.question_blocks(solution.plan, CATALOGUE)
    found: dict[str, list[np.ndarray]] = {"count": [], "mean": [], "total": []}
    for _ in range(200):
        count, total = (noised(plan, block, absent) for block in blocks)
        rows = question_result(plan, CATALOGUE, [count, total])["rows"]
        found["count"].append(count.values - CLIENTS)
        found["mean"].append(np.array([r["means"]["income"]["value"] for r in rows]) - VALUE)
        sums = blocks[1].half_width * total.values + blocks[1].center * count.values
        found["total"].append(sums - CLIENTS * VALUE)
    of_count, of_total = plan.sums.values()
    noise = {"count": planning.count_noise(of_count, THREE)}
    noise["total"] = planning.total_noise(of_total, THREE)
    total = planning.error(planning.total_of(lower=-1000, upper=9000), **noise)
    promised = [*half_widths(solution), total]
    return {n: np.ravel(x) / p * Z for (n, x), p in zip(found.items(), promised, strict=True)}


def believable(standardized: np.ndarray) -> bool:
    """Compare the spread with a standard normal's; wrong once in 3e9, three at once in 1e9."""
    spread, law = float((standardized**2).sum()), chi2(standardized.size)
    return bool(2 * min(law.cdf(spread), law.sf(spread)) > 1e-9 / 3)


@pytest.mark.statistical
def test_200_releases_of_each_statistic_err_as_promised(desk: Desk) -> None:
    honest = misses(solution := solve(QUESTION, [COUNT | {"within": 9}, MEAN], desk))
    assert all(believable(found) for found in honest.values())
    forgotten = math.sqrt(2 / 3)  # a promise that takes the whole noise for the honest shares' part
    assert not any(believable(found / forgotten) for found in honest.values())
    assert not any(believable(found) for found in misses(solution, absent=1).values())
