"""Figures of an evaluation: without noise those of the clients, and honest about their bins."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from federation.coordinator.evaluation_figures import (
    class_figures,
    error_figures,
    order_figures,
)
from models.evaluate import auc

LABELS = ("low", "middle", "high")
EDGES = np.linspace(0.0, 1.0, 9)
TOO_FEW = {"note": "too few clients to tell"}
people = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


def confused(pairs: list[tuple[int, int]]) -> np.ndarray:
    found = np.zeros((3, 3))
    np.add.at(found, tuple(np.array(pairs).T), 1)
    return found


def value(told: dict[str, Any]) -> float | None:
    return None if told == TOO_FEW else float(told["value"])


@given(people)
def test_levels_off_are_those_of_the_clients(pairs: list[tuple[int, int]]) -> None:
    true, said = np.array(pairs).T
    told = order_figures(confused(pairs), LABELS, 0.0)["metrics"]
    assert value(told["accuracy"]) == pytest.approx((true == said).mean())
    assert value(told["within_one"]) == pytest.approx((abs(true - said) <= 1).mean())
    assert value(told["level_error"]) == pytest.approx(abs(true - said).mean())
    for place, one in enumerate(told["classes"]):
        for name, among in (("recall", true == place), ("precision", said == place)):
            exact = (true == said)[among].mean() if among.any() else None
            assert value(one[name]) == (None if exact is None else pytest.approx(exact))


def test_the_auc_of_a_class_is_that_against_the_rest() -> None:
    clients = np.arange(400)
    true = clients * 7 % 3
    bins = np.array([clients * (5 + place) % 6 for place in range(3)])
    bins += 2 * (true == np.arange(3)[:, np.newaxis])
    tables = [confused([(one, one) for one in true])]
    for place in range(3):
        scores = np.zeros((2, 8))
        np.add.at(scores, ((true == place).astype(int), bins[place]), 1)
        tables.append(scores)
    told = class_figures(tables, LABELS, EDGES, 0.0)["metrics"]
    exact = [auc((true == c).astype(np.float32), bins[c].astype(float)) for c in range(3)]
    assert [one["auc"]["value"] for one in told["classes"]] == pytest.approx(exact)
    assert told["macro_auc"]["value"] == pytest.approx(np.mean(exact))
    assert told["accuracy"]["value"] == 1


def test_a_single_class_has_no_ranking_and_says_so() -> None:
    only = np.zeros((3, 3))
    only[1] = [10.0, 80.0, 10.0]
    zeros, ones = np.zeros(8), np.full(8, 12.5)
    tables = [only, *(np.stack([ones, zeros] if c != 1 else [zeros, ones]) for c in range(3))]
    told = class_figures(tables, LABELS, EDGES, 2.0)["metrics"]
    assert told["macro_auc"] == TOO_FEW
    assert [one["auc"] for one in told["classes"]] == [TOO_FEW] * 3
    assert [one["recall"] == TOO_FEW for one in told["classes"]] == [True, False, True]
    assert order_figures(only, LABELS, 2.0)["metrics"]["accuracy"]["value"] == 0.8
    assert order_figures(0 * only, LABELS, 2.0)["metrics"] == TOO_FEW
    assert class_figures([0 * table for table in tables], LABELS, EDGES, 2.0)["metrics"] == TOO_FEW


BINS = 16
BOUNDS = np.concatenate([-(2.0 ** np.arange(3, -5, -1)), [0], 2.0 ** np.arange(-4, 4)])


@given(arrays(np.float64, 40, elements=st.floats(-8, 8)))
def test_the_intervals_of_errors_hold_those_of_the_clients_whatever_stands_in_a_bin(
    errors: np.ndarray,
) -> None:
    counts = np.zeros((2, BINS))
    np.add.at(counts, (np.arange(40) % 2, np.searchsorted(BOUNDS[1:-1], errors, side="right")), 1)
    told = error_figures(counts, BOUNDS, np.array([0.0, 5.0, 10.0]), 0.0)["metrics"]
    for figure, exact in (
        (told["mean_absolute_error"], abs(errors).mean()),
        (told["root_mean_squared_error"], (errors**2).mean() ** 0.5),
        (told["mean_error"], errors.mean()),
        (told["bands"][0]["mean_error"], errors[::2].mean()),
        (told["bands"][1]["mean_error"], errors[1::2].mean()),
    ):
        low, high = figure["interval"]
        assert low - 1e-9 <= exact <= high + 1e-9
        assert low <= figure["value"] <= high
    assert error_figures(0 * counts, BOUNDS, np.zeros(3), 1.0)["metrics"] == TOO_FEW
