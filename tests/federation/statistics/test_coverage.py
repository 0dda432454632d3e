"""Both intervals cover 95 times in 100, for every statistic.

300 releases each: of the very clients for the privacy interval, of fresh samples for the overall
one. False alarms once in 10^9; a saboteur's narrower noise share, or a promise made of other noise,
is rejected by the same check.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from federation.question_plan import QuestionPlan
from privacy.mechanisms import draw_noise

pytestmark = pytest.mark.statistical

ALPHA = 1e-9
RELEASES = 300
ASKED: tuple[dict[str, Any], ...] = (
    {"kind": "mean", "field": "income"},
    {"kind": "sum", "field": "income", "cap": 4000},
    {"kind": "variance", "field": "income"},
    {"kind": "proportion", "field": "late"},
    {"kind": "ratio", "field": "spend", "over": "income"},
    {"kind": "correlation", "field": "income", "other": "spend"},
    {"kind": "histogram", "field": "city"},
    {"kind": "trend", "months": ("spend", "income")},
)
Ends = tuple[str, str]
PRIVACY: Ends = ("low", "high")
OVERALL: Ends = ("overall_low", "overall_high")
Figures = dict[str, list[dict[str, Any]]]
Noised = Callable[..., list[dict[str, Any]]]


def by_statistic(rows: list[dict[str, Any]]) -> Figures:
    """List the figures of an answer's rows by statistic."""
    found: Figures = {"count": [row["count"] for row in rows]}
    for row in rows:
        for group in row.keys() - {"cell", "count"}:
            for figure in row[group].values():
                found.setdefault(group, []).extend(figure if isinstance(figure, list) else [figure])
    return found


def covered(
    plan: QuestionPlan, world: Any, noised: Noised, truths: Figures, noise: Any = draw_noise
) -> dict[str, tuple[int, int]]:
    """Return how many figures of how many lie within their interval of the truth."""
    exact = world.exact(plan)
    hits: dict[str, tuple[int, int]] = {}
    for _ in range(RELEASES):
        for name, figures in by_statistic(noised(plan, exact, noise)).items():
            inside, told = hits.get(name, (0, 0))
            # one figure of each release, so that trials are independent
            figure, true = figures[0], truths[name][0]["value"]
            if "value" in figure:
                inside += figure["low"] <= true <= figure["high"]
                hits[name] = (inside, told + 1)
    return hits


def believable(hits: tuple[int, int]) -> bool:
    return bool(scipy.stats.binomtest(*hits, 0.95).pvalue >= ALPHA)


def test_300_releases_are_within_their_privacy_interval_as_often_as_promised(
    ask: Any, world: Any, noiseless: Any, noised: Noised
) -> None:
    plan = ask(statistics=ASKED, by=("sex",), rho=3.0)
    truths = by_statistic(noiseless(plan, world))
    found = covered(plan, world, noised, truths)
    assert {name for name, hits in found.items() if not believable(hits)} == set()
    narrowed = covered(plan, world, noised, truths, lambda sigma, size: draw_noise(2 * sigma, size))
    assert not any(believable(hits) for hits in narrowed.values())


def test_quantiles_are_within_their_interval_and_within_two_thousandths_of_their_rank(
    ask: Any, many: Any, noised: Noised
) -> None:
    places = tuple(n / 10 for n in range(1, 10))
    plan = ask(statistics=({"kind": "quantiles", "field": "spend", "at": places},), rho=0.005)
    exact, sorted_ = many.exact(plan), np.sort(many.columns["spend"])
    misses, inside = [], 0
    for _ in range(100):
        (row,) = noised(plan, exact)
        figures = row["quantiles"]["spend"]
        ranks = np.searchsorted(sorted_, [f["value"] for f in figures]) / len(sorted_)
        misses.append(np.abs(ranks - places).mean())
        median = figures[4]
        true = float(np.quantile(sorted_, 0.5))
        inside += median["low"] <= true <= median["high"]
    assert np.mean(misses) <= 0.002
    assert believable((inside, 100))


EXACT: tuple[dict[str, Any], ...] = (
    {"kind": "mean", "field": "spend"},
    {"kind": "sum", "field": "spend"},
    {"kind": "variance", "field": "income"},
    {"kind": "proportion", "field": "late"},
    {"kind": "ratio", "field": "spend", "over": "income"},
    {"kind": "correlation", "field": "income", "other": "spend"},
    {"kind": "histogram", "field": "city"},
    {"kind": "trend", "months": ("spend", "income")},
)
"""The correlation's squares and products are released, so only a variance's overall interval is a
bound that errs to the wide."""
BOUNDED: tuple[dict[str, Any], ...] = (
    {"kind": "mean", "field": "spend"},
    {"kind": "sum", "field": "spend", "cap": 6000},
    {"kind": "variance", "field": "income"},
    {"kind": "ratio", "field": "spend", "over": "income"},
)
Hits = dict[str, tuple[int, int]]


def sampled(
    plan: QuestionPlan, many: Any, noised: Noised, noiseless: Any, uniform: Any, *, ends: Ends
) -> Hits:
    """Return how many figures hold what is expected of one in 20 of 30,000 clients, by luck.

    Each of the 30,000 is a client of a sample by a chance of their own; what is expected of counts
    and sums is the 20th part of everybody's.
    """
    everybody = by_statistic(noiseless(plan, many))
    hits: Hits = {}
    for number in range(RELEASES):
        chosen = uniform(f"sample {number}", 30_000) < 0.05
        sample = type(many)(columns={n: c[chosen] for n, c in many.columns.items()})
        for name, (figure, *_) in by_statistic(noised(plan, sample.exact(plan))).items():
            true = everybody[name][0]["value"]
            true *= 0.05 if name in {"count", "sums", "histograms", "tops"} else 1.0
            inside, told = hits.get(name, (0, 0))
            hits[name] = (inside + (figure[ends[0]] <= true <= figure[ends[1]]), told + 1)
    return hits


def test_300_samples_are_within_their_overall_interval_as_often_as_promised(
    ask: Any, many: Any, noised: Noised, noiseless: Any, uniform: Any
) -> None:
    plan = ask(statistics=EXACT, rho=20.0)
    found = sampled(plan, many, noised, noiseless, uniform, ends=OVERALL)
    assert found.pop("variances")[0] >= 0.95 * RELEASES  # a bound, of any values within bounds
    assert {name for name, hits in found.items() if not believable(hits)} == set()
    alone = sampled(plan, many, noised, noiseless, uniform, ends=PRIVACY)
    assert not any(believable(hits) for hits in alone.values())  # noise alone: too little


def test_what_is_not_known_of_the_spread_makes_an_overall_interval_too_wide_only(
    ask: Any, many: Any, noised: Noised, noiseless: Any, uniform: Any
) -> None:
    plan = ask(statistics=BOUNDED, rho=1.0)
    found = sampled(plan, many, noised, noiseless, uniform, ends=OVERALL)
    del found["count"]
    assert all(inside >= 0.95 * told for inside, told in found.values())


def all_held(plan: QuestionPlan, world: Any, noised: Noised, narrower: float) -> tuple[int, int]:
    """Return how many rankings of how many hold the truth of every label that they show."""
    exact = world.exact(plan)
    true = np.bincount(world.columns["city"], minlength=8)
    held = 0
    for _ in range(RELEASES):
        (row,) = noised(plan, exact)
        (ranking,) = row["tops"].values()
        held += all(
            abs(figure["value"] - true["abcdefgh".index(figure["label"])])
            <= narrower * figure["half_width"]
            for figure in ranking
        )
    return held, RELEASES


def test_a_ranking_s_intervals_hold_together_though_its_labels_were_chosen_for_being_large(
    ask: Any, world: Any, noised: Noised
) -> None:
    size = len(world.columns["city"])
    level = type(world)(columns=world.columns | {"city": np.arange(size) % 8})  # all equally many
    whole = ask(statistics=({"kind": "top", "field": "city", "k": 8},), rho=0.5)
    assert believable(all_held(whole, level, noised, 1.0))
    largest = ask(statistics=({"kind": "top", "field": "city", "k": 1},), rho=0.5)
    assert all_held(largest, level, noised, 1.0)[0] >= 0.95 * RELEASES
    each_by_itself = 1.959964 / 2.734369  # what a histogram promises: too little for the largest
    assert not believable(all_held(whole, level, noised, each_by_itself))
    assert all_held(largest, level, noised, each_by_itself)[0] < 0.9 * RELEASES
