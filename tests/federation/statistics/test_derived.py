"""A stored release answers what follows from it, about the same clients, with its own noise."""

from typing import Any

import numpy as np
import pytest

from federation.coordinator.derived import derived_sums
from federation.coordinator.question_result import answer, question_result
from federation.statistics.summands import COUNT

SPENT = {"kind": "mean", "field": "spend"}


def told(plan: Any, stored: Any, catalogue: Any, releases: Any) -> list[dict[str, Any]] | None:
    kept = question_result(stored, catalogue, releases)["released"]
    sums = derived_sums(plan, stored, catalogue, kept)
    return None if sums is None else answer(plan, sums, threshold=0.0)["rows"]


@pytest.fixture
def stored(ask: Any) -> Any:
    return ask(by=("city", "sex"), statistics=({"kind": "count"}, SPENT), rho=0.2)


FIELDS_KEPT = (
    {"field": "city", "one_of": tuple("abcdefgh")},
    {"field": "sex", "one_of": ("f", "m")},
)
ASKED: dict[str, dict[str, Any]] = {
    "a marginal": {"by": ("sex",), "where": FIELDS_KEPT[:1], "statistics": (SPENT,)},
    "everybody": {"where": FIELDS_KEPT, "statistics": (SPENT,)},
    "coarser": {
        "by": ("sex",),
        "where": ({"field": "city", "one_of": ("a", "b", "c")},),
        "statistics": (SPENT,),
    },
    "a subset of cells": {
        "by": ("city",),
        "where": ({"field": "sex", "one_of": ("m",)},),
        "statistics": (SPENT,),
    },
    "less precisely": {"by": ("city", "sex"), "statistics": (SPENT,)},
    "another statistic of the same sums": {
        "by": ("city", "sex"),
        "statistics": ({"kind": "sum", "field": "spend"},),
    },
}


@pytest.mark.parametrize("changes", ASKED.values(), ids=ASKED)
def test_what_follows_from_a_release_is_what_a_fresh_answer_would_be_without_noise(
    ask: Any, stored: Any, world: Any, *, catalogue: Any, silent: Any, noiseless: Any, changes: Any
) -> None:
    plan = ask(**changes, rho=0.05)
    rows = told(plan, stored, catalogue, silent(stored, world))
    assert rows is not None
    for row, fresh in zip(rows, noiseless(plan, world), strict=True):
        assert row["cell"] == fresh["cell"]
        assert row["count"]["value"] == pytest.approx(fresh["count"]["value"])
        for group in ("means", "sums"):
            for key, figure in row.get(group, {}).items():
                if "value" in figure and "value" in fresh[group][key]:
                    value = fresh[group][key]["value"]
                    assert figure["value"] == pytest.approx(value, rel=1e-6)


REFUSED: dict[str, dict[str, Any]] = {
    "about other clients": {"by": ("sex",), "statistics": (SPENT,)},
    "a sum it has not": {
        "by": ("city", "sex"),
        "statistics": (SPENT, {"kind": "variance", "field": "spend"}),
    },
    "a finer cut": {"by": ("age", "city", "sex"), "statistics": (SPENT,)},
    "much more precisely": {"by": ("city", "sex"), "statistics": (SPENT,), "rho": 5.0},
    "counted otherwise": {"by": ("city", "sex"), "statistics": (SPENT,), "owned": False},
    "of another purpose": {"by": ("city", "sex"), "statistics": (SPENT,), "purpose": "other"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_does_not_follow_from_a_release_is_asked_afresh(
    ask: Any, stored: Any, world: Any, *, catalogue: Any, silent: Any, changes: Any
) -> None:
    plan = ask(**({"rho": 0.05} | changes))
    assert told(plan, stored, catalogue, silent(stored, world)) is None


def test_a_sum_of_cells_has_the_noise_of_all_of_them(
    ask: Any, stored: Any, world: Any, catalogue: Any, silent: Any
) -> None:
    kept = question_result(stored, catalogue, silent(stored, world))["released"]
    plan = ask(**ASKED["everybody"], rho=0.05)
    sums, same = (derived_sums(p, stored, catalogue, kept) for p in (plan, stored))
    assert sums is not None
    assert same is not None
    one = same.by_summand[COUNT].error[0]
    assert sums.by_summand[COUNT].error == pytest.approx(np.sqrt(16) * one)
