"""Figures of noisy histograms: exact without noise, and intervals that hold what they promise."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ks_2samp

from models.calibration import UNKNOWN, Metrics, metrics_of
from models.errors import InvalidSetting, NotFinite, WrongShape
from models.evaluate import auc

BINS = 12
EDGES = np.linspace(0, 1, BINS + 1)
MIDDLES = (EDGES[:-1] + EDGES[1:]) / 2
histograms = arrays(np.int64, BINS, elements=st.integers(0, 9))
Measure = Callable[[np.ndarray, np.ndarray, float], Metrics]


def measured(ones: np.ndarray, zeros: np.ndarray, count_error: float) -> Metrics:
    return metrics_of(
        ones.astype(np.float64), zeros.astype(np.float64), edges=EDGES, count_error=count_error
    )


@given(ones=histograms, zeros=histograms)
def test_without_noise_the_figures_are_those_of_the_scores(
    ones: np.ndarray, zeros: np.ndarray
) -> None:
    assume(ones.sum() > 0)
    assume(zeros.sum() > 0)
    found = measured(ones, zeros, 0.0)
    of_ones, of_zeros = np.repeat(MIDDLES, ones), np.repeat(MIDDLES, zeros)
    labels = np.repeat([1.0, 0.0], [len(of_ones), len(of_zeros)])
    assert found.auc == pytest.approx(auc(labels, np.concatenate([of_ones, of_zeros])))
    assert found.ks == pytest.approx(ks_2samp(of_ones, of_zeros).statistic)
    assert found.auc_interval == pytest.approx((found.auc, found.auc))
    assert found.ks_interval == pytest.approx((found.ks, found.ks))
    error = sum(point.share * abs(point.rate - point.score) for point in found.calibration)
    assert found.calibration_error == pytest.approx(error)
    rates = [point.rate for point in found.calibration]
    there = ones + zeros > 0
    np.testing.assert_allclose(rates, ones[there] / (ones + zeros)[there])
    for point in found.calibration:
        assert point.rate_interval == pytest.approx((point.rate, point.rate), abs=1e-6)


@given(
    ones=arrays(np.float64, BINS, elements=st.floats(-1e6, 1e6)),
    zeros=arrays(np.float64, BINS, elements=st.floats(-1e6, 1e6)),
    count_error=st.floats(0, 1e6),
)
def test_whatever_the_noise_all_figures_are_between_0_and_1_and_within_their_intervals(
    ones: np.ndarray, zeros: np.ndarray, count_error: float
) -> None:
    found = measured(ones, zeros, count_error)
    pairs = [
        (found.auc, found.auc_interval),
        (found.ks, found.ks_interval),
        (found.calibration_error, found.calibration_error_interval),
    ]
    for value, (low, high) in pairs:
        assert 0 <= low <= value <= high <= 1
    for point in found.calibration:
        assert 0 <= point.rate_interval[0] <= point.rate_interval[1] <= 1
        assert 0 <= point.rate <= 1
        assert 0 <= point.share <= 1


def test_a_class_that_cannot_be_told_from_an_empty_one_says_nothing() -> None:
    ones = np.array([3.0, -2.0] * (BINS // 2))
    found = measured(ones, np.full(BINS, 500.0), 5.0)
    assert found.auc_interval == found.ks_interval == UNKNOWN
    assert found.calibration_error_interval == UNKNOWN
    assert measured(np.zeros(BINS), np.zeros(BINS), 0.0).calibration == ()


CROWDS = {
    "many clients": (3000, 7000, 7.0),
    "few positives": (500, 9500, 9.0),
    "loud": (4e4, 4e4, 300.0),
}


def crowd(ones: float, zeros: float) -> tuple[np.ndarray, np.ndarray]:
    """Clients by score: the positives lie higher, and neither is well calibrated."""
    heights = np.exp(-((MIDDLES - 0.6) ** 2) / 0.08), np.exp(-((MIDDLES - 0.35) ** 2) / 0.05)
    return tuple(
        np.round(total * height / height.sum())
        for total, height in zip((ones, zeros), heights, strict=True)
    )


def covered(measure: Measure, name: str, draws: int = 1500) -> dict[str, float]:
    """The share of draws of the noise in which each interval holds the exact figure."""
    *totals, count_error = CROWDS[name]
    ones, zeros = crowd(*totals)
    exact = measured(ones, zeros, 0.0)
    rates = {point.score: point.rate for point in exact.calibration}
    generator = torch.Generator().manual_seed(11)
    noise = torch.randn(draws, 2, BINS, generator=generator, dtype=torch.float64).numpy()
    held: dict[str, list[bool]] = {"auc": [], "ks": [], "rate": [], "error": []}
    for of_ones, of_zeros in count_error * noise:
        found = measure(ones + of_ones, zeros + of_zeros, count_error)
        held["auc"].append(found.auc_interval[0] <= exact.auc <= found.auc_interval[1])
        held["ks"].append(found.ks_interval[0] <= exact.ks <= found.ks_interval[1])
        low, high = found.calibration_error_interval
        held["error"].append(low <= exact.calibration_error <= high)
        for point in found.calibration:
            low, high = point.rate_interval
            held["rate"].append(low <= rates[point.score] <= high)
    return {what: float(np.mean(flags)) for what, flags in held.items()}


@pytest.mark.parametrize("name", CROWDS)
def test_an_interval_of_95_percent_holds_in_95_percent_of_the_draws(name: str) -> None:
    shares = covered(measured, name)
    for what in ("auc", "ks", "rate"):
        assert 0.93 <= shares[what] <= 0.97, what
    assert shares["error"] >= 0.94


def told_less_noise(ones: np.ndarray, zeros: np.ndarray, count_error: float) -> Metrics:
    return measured(ones, zeros, count_error / 2**0.5)


def told_more_noise(ones: np.ndarray, zeros: np.ndarray, count_error: float) -> Metrics:
    return measured(ones, zeros, count_error * 2**0.5)


@pytest.mark.parametrize("saboteur", [told_less_noise, told_more_noise])
def test_the_check_rejects_intervals_of_another_noise(saboteur: Measure) -> None:
    shares = covered(saboteur, "many clients", draws=500)
    assert all(not 0.93 <= shares[what] <= 0.97 for what in ("auc", "ks", "rate"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"positives": np.zeros(3)}, WrongShape),
        ({"positives": np.zeros((4, 1))}, WrongShape),
        ({"edges": np.linspace(0, 1, 4)}, WrongShape),
        ({"negatives": np.array([1.0, np.nan, 1.0, 1.0])}, NotFinite),
        ({"edges": np.array([0.0, 0.5, 0.5, 0.7, 1.0])}, InvalidSetting),
        ({"edges": np.array([0.0, 0.1, 0.5, 0.7, 1.1])}, InvalidSetting),
        ({"count_error": -1.0}, InvalidSetting),
        ({"count_error": np.nan}, InvalidSetting),
    ],
)
def test_histograms_that_cannot_be_read_are_refused(
    changes: dict[str, object], error: type[Exception]
) -> None:
    good = {
        "positives": np.ones(4),
        "negatives": np.ones(4),
        "edges": np.linspace(0, 1, 5),
        "count_error": 1.0,
    }
    with pytest.raises(error):
        metrics_of(**good | changes)
