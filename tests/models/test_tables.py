import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import TablesTooNoisy
from models.tables import Figure, Table, correlation, mutual_information, total
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
    for figure in (total, mutual_information):
        with pytest.raises(TablesTooNoisy):
            figure(table, 10.0)
    with pytest.raises(TablesTooNoisy):  # everybody in one row: no spread
        correlation(np.array([[500.0, 300.0], [0.0, 0.0]]), *(np.arange(2.0),) * 2, 1.0)
