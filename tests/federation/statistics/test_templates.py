"""Every statistic's template: right without noise, bounded by its sensitivity, refused if wrong."""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Catalogue
from federation import layout
from federation.coordinator.question_result import SUPPRESSED, question_result
from federation.errors import PlanInvalid
from federation.plans import read_plan
from federation.question_plan import QuestionPlan
from federation.statistics.figures import adding_up

EVERY: tuple[dict[str, Any], ...] = (
    {"kind": "count"},
    {"kind": "mean", "field": "income"},
    {"kind": "sum", "field": "income", "cap": 4000},
    {"kind": "variance", "field": "income"},
    {"kind": "proportion", "field": "late"},
    {"kind": "ratio", "field": "spend", "over": "income"},
    {"kind": "correlation", "field": "income", "other": "spend"},
    {"kind": "histogram", "field": "city"},
    {"kind": "top", "field": "city", "k": 2},
    {"kind": "quantiles", "field": "wealth", "at": (0.25, 0.5, 0.9)},
    {"kind": "trend", "months": ("spend", "income")},
)
KINDS = [one["kind"] for one in EVERY]
Ask = Callable[..., QuestionPlan]
Rows = list[dict[str, Any]]


def truths(world: Any, plan: QuestionPlan) -> list[dict[str, Any]]:
    """Select each cell's clients the plain way; columns clipped to the fields' bounds."""
    columns = world.columns
    counted = world.records.complete(plan.fields)
    found = []
    for code in (0, 1) if plan.by == ("sex",) else (None,):
        rows = counted if code is None else counted & (columns["sex"] == code)
        bounds = {"income": (-1000, 9000), "spend": (0, 8000), "wealth": (-5e4, 5e5)}
        found.append({n: np.clip(c[rows], *bounds.get(n, (-1e9, 1e9))) for n, c in columns.items()})
    return found


@pytest.mark.parametrize("by", [(), ("sex",)])
def test_without_noise_every_statistic_is_the_plain_one(
    ask: Ask, world: Any, noiseless: Callable[..., Rows], by: tuple[str, ...]
) -> None:
    for row, true in zip(
        noiseless(plan := ask(statistics=EVERY[:7], by=by, rho=50.0), world),
        truths(world, plan),
        strict=True,
    ):
        income, spend = true["income"], true["spend"]
        near = {"rel": 1e-4, "abs": 1e-3}
        assert row["count"]["value"] == len(income)
        assert row["means"]["income"]["value"] == pytest.approx(income.mean(), **near)
        capped = float(np.minimum(income, 4000).sum())
        assert row["sums"]["income up to 4000"]["value"] == pytest.approx(capped, **near)
        assert row["variances"]["income"]["value"] == pytest.approx(income.var(), **near)
        assert row["proportions"]["late: yes"]["value"] == pytest.approx(true["late"].mean())
        ratio = row["ratios"]["spend / income"]["value"]
        assert ratio == pytest.approx(spend.sum() / income.sum(), **near)
        r = row["correlations"]["income, spend"]["value"]
        assert r == pytest.approx(np.corrcoef(income, spend)[0, 1], rel=1e-3)


def test_without_noise_splits_trees_and_trends_are_the_plain_ones(
    ask: Ask, world: Any, noiseless: Callable[..., Rows]
) -> None:
    plan = ask(statistics=EVERY[7:], rho=50.0)
    (row,), (true,) = noiseless(plan, world), truths(world, plan)
    counts = np.bincount(true["city"].astype(int), minlength=8)
    shown = [part["value"] for part in row["histograms"]["city"]]
    assert shown == pytest.approx(counts.tolist())
    order = np.argsort(-counts)[:2]
    assert [p["label"] for p in row["tops"]["2 of city"]] == ["abcdefgh"[i] for i in order]
    for figure in row["quantiles"]["wealth"]:
        rank = float((true["wealth"] <= figure["value"]).mean())
        assert rank == pytest.approx(figure["at"], abs=0.002)
    (trend,) = row["trends"].values()
    assert [one["label"] for one in trend] == ["spend", "income"]
    means = [float(true[one["label"]].mean()) for one in trend]
    assert [one["value"] for one in trend] == pytest.approx(means, rel=1e-4)


def exactly(world: Any, plan: QuestionPlan) -> list[Any]:
    """Sum as a node does."""
    return list(world.exact(plan))


def moves(
    plan: QuestionPlan,
    world: Any,
    catalogue: Catalogue,
    rows: range,
    summed: Callable[[Any, QuestionPlan], list[Any]] = exactly,
) -> list[float]:
    """Return how far each block moves at most, in sensitivities, when a client leaves."""
    blocks, whole = layout.question_blocks(plan, catalogue), summed(world, plan)
    farthest = [0.0] * len(blocks)
    for row in rows:
        for i, (block, part) in enumerate(
            zip(blocks, summed(world.without(row), plan), strict=True)
        ):
            moved = sum(int(m) ** 2 for m in whole[i] - part)
            assert moved <= Fraction(block.sensitivity) ** 2, block.name
            farthest[i] = max(farthest[i], math.sqrt(moved) / block.sensitivity)
    return farthest


@pytest.mark.parametrize("statistic", EVERY, ids=KINDS)
def test_a_client_moves_each_sum_no_further_than_declared(
    ask: Ask, world: Any, catalogue: Catalogue, statistic: dict[str, Any]
) -> None:
    few = type(world)(columns={n: c[:60] for n, c in world.columns.items()})
    few.columns["income"][:3] = (1e300, -1e300, 5e-324)
    few.columns["spend"][:3] = (1e300, -1e300, 0.0)
    plan = ask(statistics=(statistic,), by=("sex",), cohort=("advisory", "risk"))
    farthest = moves(plan, few, catalogue, range(60))
    assert max(farthest) > 0.999  # the bound is tight, so the check could fail


@pytest.mark.parametrize("statistic", EVERY, ids=KINDS)
def test_the_sums_of_a_statistic_cost_its_plan_s_rho_and_no_more(
    ask: Ask, catalogue: Catalogue, statistic: dict[str, Any]
) -> None:
    plan = ask(statistics=(statistic,), rho=0.017)
    exact = sum(Fraction(block.rho.value) for block in layout.question_blocks(plan, catalogue))
    assert exact <= Fraction(plan.rho)
    assert float(exact) == pytest.approx(plan.rho)


def in_two_parts(world: Any, plan: QuestionPlan) -> list[Any]:
    count, split = exactly(world, plan)
    return [count, split + np.roll(split, 1)]


def without_a_clip(world: Any, plan: QuestionPlan) -> list[Any]:
    count, total = exactly(world, plan)
    return [count, total * 2]


@pytest.mark.parametrize(
    ("statistic", "saboteur"),
    [
        ({"kind": "histogram", "field": "city"}, in_two_parts),
        ({"kind": "trend", "months": ("spend", "income")}, lambda *a: [2 * s for s in exactly(*a)]),
        ({"kind": "mean", "field": "spend"}, without_a_clip),
    ],
)
def test_a_saboteur_is_caught_by_the_same_check(
    ask: Ask, world: Any, catalogue: Catalogue, statistic: dict[str, Any], saboteur: Any
) -> None:
    plan = ask(statistics=(statistic,))
    few = type(world)(columns={n: c[:20] for n, c in world.columns.items()})
    with pytest.raises(AssertionError):
        moves(plan, few, catalogue, range(20), saboteur)


def test_weights_divide_rho_and_equal_ones_divide_it_evenly(ask: Ask) -> None:
    heavy = ask(statistics=({"kind": "count"}, {"kind": "mean", "field": "age", "weight": 3.0}))
    assert [r.value for r in heavy.sums.values()] == pytest.approx([0.0025, 0.0075])
    even = ask(statistics=({"kind": "mean", "field": "age"},))
    assert [r.value for r in even.sums.values()] == pytest.approx([0.005, 0.005])


def test_a_sum_that_two_statistics_need_is_released_once(ask: Ask) -> None:
    both = ask(statistics=(EVERY[1], EVERY[3]))
    assert [s.name for s in both.sums] == ["count", "total income", "squares income"]


@pytest.mark.parametrize("statistic", EVERY[1:], ids=KINDS[1:])
def test_a_suppressed_cell_tells_nothing_of_any_statistic(
    ask: Ask, world: Any, catalogue: Catalogue, silent: Any, statistic: dict[str, Any]
) -> None:
    few = type(world)(columns={n: c[:60] for n, c in world.columns.items()})
    plan = ask(statistics=(statistic,), by=("sex",), rho=50.0)
    releases = silent(plan, few)
    numbers = (r["count"]["value"] for r in question_result(plan, catalogue, releases)["rows"])
    low, high = sorted(numbers)
    told = question_result(plan, catalogue, releases, threshold=(low + high) / 2)["rows"]
    suppressed = [row for row in told if row["count"] == {"note": SUPPRESSED}]
    assert [str(row).count("note") for row in suppressed] == [2]  # the count's and the statistic's
    assert '"value"' not in json.dumps(suppressed)
    assert '"value"' in json.dumps([row for row in told if row not in suppressed])


REFUSED: dict[str, dict[str, Any]] = {
    "a variance of a category": {"kind": "variance", "field": "city"},
    "a cap beyond the bounds": {"kind": "sum", "field": "income", "cap": 9001},
    "a cap below the bounds": {"kind": "sum", "field": "income", "cap": -1000},
    "a label that is not there": {"kind": "proportion", "field": "city", "of": ("z",)},
    "a part that is the whole": {"kind": "proportion", "field": "late", "of": ("no", "yes")},
    "a histogram without edges": {"kind": "histogram", "field": "income"},
    "quantiles of a flag": {"kind": "quantiles", "field": "late"},
    "a trend of categories": {"kind": "trend", "months": ("city", "sex")},
    "a ratio to a flag": {"kind": "ratio", "field": "income", "over": "late"},
}


@pytest.mark.parametrize("statistic", REFUSED.values(), ids=REFUSED)
def test_what_a_field_cannot_give_is_refused(
    ask: Ask, catalogue: Catalogue, statistic: dict[str, Any]
) -> None:
    with pytest.raises(PlanInvalid):
        layout.question_blocks(ask(statistics=(statistic,)), catalogue)


MALFORMED: dict[str, dict[str, Any]] = {
    "a ratio to itself": {"kind": "ratio", "field": "income", "over": "income"},
    "a correlation in another order": {"kind": "correlation", "field": "spend", "other": "income"},
    "a quantile at one": {"kind": "quantiles", "field": "income", "at": (1.0,)},
    "quantiles out of order": {"kind": "quantiles", "field": "income", "at": (0.5, 0.2)},
    "a month twice": {"kind": "trend", "months": ("spend", "spend")},
    "no weight": {"kind": "count", "weight": 0},
    "code": {"kind": "mean", "field": "income", "code": "import os"},
}


@pytest.mark.parametrize("statistic", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_statistic_is_refused(ask: Ask, statistic: dict[str, Any]) -> None:
    body = ask().model_dump(mode="json") | {"statistics": [statistic]}
    with pytest.raises(PlanInvalid):
        read_plan(body)


def test_a_vector_of_too_many_places_is_refused(ask: Ask, catalogue: Catalogue) -> None:
    deep = {"kind": "quantiles", "field": "income", "depth": 6}
    layout.question_blocks(ask(statistics=(deep,), by=("sex",)), catalogue)
    with pytest.raises(PlanInvalid, match="places"):
        layout.question_blocks(ask(statistics=(deep,), by=("sex", "city")), catalogue)


@given(st.lists(st.floats(-50, 500), min_size=1, max_size=12), st.floats(-20, 2000))
def test_counts_made_to_add_up_are_the_nearest_that_do(values: list[float], total: float) -> None:
    raw = np.array(values)
    shown = adding_up(raw, total)
    assert (shown >= 0).all()
    assert shown.sum() == pytest.approx(max(total, 0.0), abs=1e-8)
    slack = raw - shown  # Karush, Kuhn and Tucker: one shift where positive, at most it elsewhere
    kept = shown > 1e-9
    if kept.any():
        shift = slack[kept][0]
        assert slack[kept] == pytest.approx(shift, abs=1e-7)
        assert (slack[~kept] <= shift + 1e-7).all()
