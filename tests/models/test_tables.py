import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import TablesTooNoisy
from models.table_ridge import fit
from models.tables import Figure, Table, correlation, covariance, mutual_information, total
from privacy.mechanisms import draw_noise

counts = arrays(np.float64, (3, 4), elements=st.floats(20, 2000))
SCORES = np.arange(3.0), np.arange(4.0)
ALIKE = np.array([[900.0, 100.0, 60.0], [80.0, 700.0, 90.0], [30.0, 120.0, 920.0]])


def slope(figure: Callable[[Table], Figure], table: Table) -> float:
    """The length of a figure's gradient, by central differences."""
    found = []
    for place in np.ndindex(table.shape):
        step = np.zeros_like(table)
        step[place] = 1e-3 * table[place]
        rise = figure(table + step).value - figure(table - step).value
        found.append(rise / (2 * step[place]))
    return float(np.linalg.norm(found))


@given(counts)
def test_a_covariance_is_that_of_the_indicators(table: Table) -> None:
    found = covariance(table, 0.0)
    share = table / table.sum()
    assert found[1, 2] == pytest.approx(share[1, 2] - share[1].sum() * share[:, 2].sum())
    assert np.allclose(found.sum(axis=0), 0)
    assert np.allclose(found.sum(axis=1), 0)


@given(counts)
def test_a_correlation_and_its_deviation_are_those_of_the_rows(table: Table) -> None:
    whole = np.round(table)
    left, right = (
        np.repeat(np.indices((3, 4))[k].ravel(), whole.ravel().astype(int)) for k in (0, 1)
    )
    found = correlation(whole, *SCORES, 2.0)
    assert found.value == pytest.approx(np.corrcoef(left, right)[0, 1], abs=1e-9)
    rate = slope(lambda t: correlation(t, *SCORES, 0.0), whole)
    assert found.deviation == pytest.approx(2.0 * rate, rel=1e-2, abs=1e-9)


def test_mutual_information_is_that_of_a_fair_coin_known_twice() -> None:
    twice = np.diag([500.0, 500.0])
    assert mutual_information(twice, 0.0).value == pytest.approx(1.0)
    assert mutual_information(np.full((2, 2), 250.0), 0.0).value == pytest.approx(0.0)
    found = mutual_information(ALIKE, 3.0)
    assert found.deviation == pytest.approx(
        3.0 * slope(lambda t: mutual_information(t, 0.0), ALIKE), rel=1e-3
    )


def covered(figure: Callable[[Table, float], Figure], truth: float, sigma: int) -> float:
    """How often an interval of 95 % covers the figure of the table without noise."""
    hits = 0
    for noise in draw_noise(sigma, 2000 * ALIKE.size).reshape(2000, *ALIKE.shape):
        found = figure(ALIKE + noise, sigma)
        hits += abs(found.value - found.bias - truth) < 1.96 * found.deviation
    return hits / 2000


@pytest.mark.statistical
def test_intervals_cover_what_the_noise_hides() -> None:
    def related(table: Table, sigma: float) -> Figure:
        return correlation(table, SCORES[0], SCORES[0], sigma)

    def halved(table: Table, sigma: float) -> Figure:  # the saboteur: half the noise
        return related(table, sigma / 2)

    # 6.2 deviations of a share of 2,000: 1e-9
    allowed = 6.2 * math.sqrt(0.95 * 0.05 / 2000)
    truth = related(ALIKE, 0.0).value
    assert abs(covered(related, truth, 10) - 0.95) < allowed
    assert not abs(covered(halved, truth, 10) - 0.95) < allowed
    information = mutual_information(ALIKE, 0.0).value
    assert abs(covered(mutual_information, information, 10) - 0.95) < allowed


@pytest.mark.parametrize("table", [np.full((2, 2), 3.0), np.full((2, 2), -9.0)])
def test_a_table_that_the_noise_drowns_tells_nothing(table: Table) -> None:
    for figure in (total, covariance, mutual_information):
        with pytest.raises(TablesTooNoisy):
            figure(table, 10.0)
    with pytest.raises(TablesTooNoisy):  # everybody in one row: no spread
        correlation(np.array([[500.0, 300.0], [0.0, 0.0]]), *(np.arange(2.0),) * 2, 1.0)


def crowd(size: int) -> tuple[Table, Table]:
    """Indicators of two fields and a target that depends on both, one of them ordered."""
    number = np.arange(size)
    first, second = number % 4, (number // 4) % 3
    chance = (number * 7919 % 10_007) / 10_007
    y = (chance < 0.2 + 0.15 * first + 0.1 * (second == 2)).astype(float)
    return np.hstack([np.eye(4)[first], np.eye(3)[second]]), y


def test_a_ridge_without_noise_finds_what_the_target_depends_on() -> None:
    x, y = crowd(60_000)
    within, target = np.cov(x.T, bias=True), (x - x.mean(0)).T @ (y - y.mean()) / len(y)
    features = [(4, True), (3, False)]
    ridge = fit(within, target, ordered=features, sigma=0.0, clients=len(y), variance=0.25)
    steps = np.diff(ridge.weights[:4])
    assert np.allclose(steps, 0.15, atol=0.02)
    assert ridge.weights[6] - ridge.weights[4] == pytest.approx(0.1, abs=0.02)
    assert (ridge.deviations == 0).all()


def test_more_noise_pulls_the_weights_to_zero_and_says_so() -> None:
    x, y = crowd(60_000)
    within, target = np.cov(x.T, bias=True), (x - x.mean(0)).T @ (y - y.mean()) / len(y)
    found = [
        fit(within, target, ordered=[(4, True), (3, False)], sigma=s, clients=60_000, variance=0.25)
        for s in (0.0, 300.0, 3e4, 3e7)
    ]
    lengths = [float(np.linalg.norm(ridge.weights)) for ridge in found]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 1e-3
    assert (found[1].deviations > 0).all()
