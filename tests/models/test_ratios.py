"""Shares and means of noisy counts: exact without noise, and their intervals hold."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.ratios import Figure, fieller, mean, share

CELLS = 12
COUNTS = np.array([40.0, 3.0, 0.0, 55.0, 12.0, 8.0, 0.0, 1.0, 90.0, 20.0, 5.0, 66.0])
RIGHT = np.array([1.0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0])
AMONG = np.array([1.0] * 10 + [0.0] * 2)
WEIGHTS = np.linspace(-3, 5, CELLS) * AMONG
Measure = Callable[[np.ndarray, float], Figure | None]


def right(counts: np.ndarray, error: float) -> Figure | None:
    return share(counts, RIGHT, AMONG, count_error=error)


def average(counts: np.ndarray, error: float) -> Figure | None:
    sure = (WEIGHTS, WEIGHTS, WEIGHTS)
    return mean(counts, sure, AMONG, count_error=error, within=(-3.0, 5.0))


@given(counts=arrays(np.int64, CELLS, elements=st.integers(0, 9)))
def test_without_noise_a_figure_is_that_of_the_clients(counts: np.ndarray) -> None:
    looked_at, real = int(AMONG @ counts), counts.astype(np.float64)
    found, likely = right(real, 0.0), average(real, 0.0)
    if not looked_at:
        assert found is likely is None
        return
    assert found is not None
    assert likely is not None
    clients = np.repeat(np.arange(CELLS), counts * AMONG.astype(int))
    for figure, exact in ((found, RIGHT[clients].mean()), (likely, WEIGHTS[clients].mean())):
        assert figure.value == pytest.approx(exact)
        assert figure.low == pytest.approx(exact, abs=1e-6)
        assert figure.high == pytest.approx(exact, abs=1e-6)


@given(counts=arrays(np.float64, CELLS, elements=st.floats(-1e6, 1e6)), error=st.floats(0, 1e6))
def test_whatever_the_noise_a_figure_stays_within_its_interval_and_what_it_can_be(
    counts: np.ndarray, error: float
) -> None:
    for measure, least, most in ((right, 0.0, 1.0), (average, -3.0, 5.0)):
        found = measure(counts, error)
        assert found is None or least <= found.low <= found.value <= found.high <= most


def test_what_a_cell_leaves_open_stands_in_the_interval() -> None:
    found = mean(
        np.array([10.0, 10.0]),
        (np.array([0.0, 1.0]), np.array([0.5, 1.5]), np.array([1.0, 2.0])),
        np.ones(2),
        count_error=0.0,
        within=(0.0, 2.0),
    )
    assert found == Figure(value=1.0, low=0.5, high=1.5)


def test_a_ratio_to_what_may_be_nothing_is_not_told() -> None:
    assert fieller(1.0, 1.0, (4.0, 0.0, 4.0)) is None
    assert right(np.full(CELLS, 1.0), 5.0) is None


def covered(measure: Measure, exact: float, error: float, draws: int = 4000) -> float:
    """The share of draws of the noise in which the interval holds the exact figure."""
    generator = torch.Generator().manual_seed(5)
    noise = error * torch.randn(draws, CELLS, generator=generator, dtype=torch.float64).numpy()
    found = [measure(COUNTS + drawn, error) for drawn in noise]
    return float(np.mean([one is not None and one.low <= exact <= one.high for one in found]))


@pytest.mark.parametrize("measure", [right, average])
@pytest.mark.parametrize("error", [1.0, 8.0])
def test_an_interval_of_95_percent_holds_in_95_percent_of_the_draws(
    measure: Measure, error: float
) -> None:
    exact = measure(COUNTS, 0.0)
    assert exact is not None
    assert 0.93 < covered(measure, exact.value, error) < 0.97


def test_an_interval_that_forgets_half_of_the_noise_is_seen() -> None:
    exact = right(COUNTS, 0.0)
    assert exact is not None
    assert covered(lambda counts, error: right(counts, error / 2), exact.value, 8.0) < 0.93
