import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from privacy.bounds import (
    MOST_UNITS,
    TABLE_SCALE,
    BoundedSum,
    bounded_count,
    bounded_counts,
    bounded_gradient,
    bounded_tables,
    bounded_total,
)
from privacy.errors import InvalidBound
from privacy.lattice import REAL_SCALE
from privacy.total_lattice import LONGEST_REACH, SHORTEST_REACH, total_lattice
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit

CLIENT = PrivacyUnit.CLIENT
THREE = ContributionBound(3)
AMOUNTS = st.floats(min_value=-1e10, max_value=1e10)


def count(cells: list[int], n_cells: int = 3, scale: int = 1) -> BoundedSum:
    return bounded_count(np.array(cells, np.int64), n_cells, scale=scale, unit=CLIENT, bound=THREE)


def total(
    values: list[float],
    cells: list[int],
    n_cells: int = 2,
    *,
    lower: float = 0.0,
    upper: float = 100.0,
) -> BoundedSum:
    return bounded_total(
        "assets",
        np.array(values, np.float64),
        np.array(cells, np.int64),
        n_cells,
        lower=lower,
        upper=upper,
        unit=CLIENT,
        bound=THREE,
    )


def test_a_count_counts_each_unit_once_in_its_cell() -> None:
    bounded = count([0, 2, 2, -1, 2, -1], scale=4)
    assert bounded.values.tolist() == [4, 0, 12]
    assert bounded.sensitivity == 12
    assert (bounded.scale, bounded.offset_per_count) == (4, 0.0)
    assert bounded.relation is NeighboringRelation.ADD_OR_REMOVE


def test_no_units_at_all_make_a_sum_of_the_same_shape() -> None:
    assert count([]).values.tolist() == [0, 0, 0]
    assert total([], []).values.tolist() == [0, 0]
    assert total([], []).sensitivity == total([7.0], [1]).sensitivity


@pytest.mark.parametrize("cells", [[3], [-2], [0, 1, 99]])
def test_a_cell_that_is_not_public_is_refused(cells: list[int]) -> None:
    with pytest.raises(InvalidBound) as caught:
        count(cells)
    assert caught.value.what == "cells"
    assert "99" not in str(caught.value)


def test_cells_must_be_a_vector_of_integers_and_there_must_be_some() -> None:
    with pytest.raises(InvalidBound):
        bounded_count(np.array([0.0]), 1, scale=1, unit=CLIENT, bound=THREE)
    with pytest.raises(InvalidBound):
        bounded_count(np.zeros((1, 1), np.int64), 1, scale=1, unit=CLIENT, bound=THREE)
    with pytest.raises(InvalidBound):
        count([], n_cells=0)


def test_more_units_than_the_ring_was_sized_for_are_refused() -> None:
    crowd = np.zeros(MOST_UNITS + 1, np.int64)
    with pytest.raises(InvalidBound):
        bounded_count(crowd, 1, scale=1, unit=CLIENT, bound=THREE)


@pytest.mark.parametrize("scale", [2**42, 3, 0])
def test_a_count_scale_that_could_wrap_or_round_is_refused(scale: int) -> None:
    with pytest.raises(InvalidBound):
        count([0], scale=scale)


def test_a_total_is_centered_and_gives_the_sum_back_with_the_count() -> None:
    bounded = total([10.0, 30.0, 100.0], [0, 0, 1])
    assert bounded.offset_per_count == 50.0
    sums = bounded.values / bounded.scale + bounded.offset_per_count * np.array([2, 1])
    assert sums.tolist() == [40.0, 100.0]
    assert bounded.sensitivity == 3 * 50 * REAL_SCALE


def test_a_total_clips_to_its_public_bounds() -> None:
    assert (total([1e300, -1e300], [0, 1]).values == total([100.0, 0.0], [0, 1]).values).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused_unless_it_is_in_no_cell(value: float) -> None:
    with pytest.raises(InvalidBound) as caught:
        total([1.0, value], [0, 1])
    assert caught.value.what == "values"
    assert (total([1.0, value], [0, -1]).values == total([1.0], [0]).values).all()


def test_values_and_cells_must_match_in_length() -> None:
    with pytest.raises(InvalidBound):
        total([1.0, 2.0], [0])


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (0.0, 0.0),
        (1.0, 0.0),
        (math.nan, 1.0),
        (0.0, math.inf),
        (-math.inf, 0.0),
        (-1e308, 1e308),
        (0.0, 1e13),
        (0.0, 5e-324),
    ],
)
def test_bounds_that_bound_nothing_or_fit_no_lattice_are_refused(
    lower: float, upper: float
) -> None:
    with pytest.raises(InvalidBound):
        total_lattice(lower=lower, upper=upper)


def test_dollars_up_to_ten_million_get_fine_points_and_room_in_the_ring() -> None:
    lattice = total_lattice(lower=0.0, upper=1e7)
    assert (lattice.midpoint, lattice.scale) == (5e6, 2**15)
    assert lattice.reach == 5_000_000 * 2**15
    assert 7 * MOST_UNITS * LONGEST_REACH < 2**62


def test_small_widths_get_finer_points_so_that_noise_is_wide_enough() -> None:
    assert total_lattice(lower=0.0, upper=1.0).scale == REAL_SCALE
    lattice = total_lattice(lower=0.0, upper=1e-6)
    assert lattice.scale > REAL_SCALE
    assert lattice.reach >= SHORTEST_REACH


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_one_unit_never_reaches_further_than_declared(
    lower: float, upper: float, value: float
) -> None:
    assume(2.0**-39 < upper - lower < 2.0**38)
    bounded = total([value], [0], lower=lower, upper=upper)
    lattice = total_lattice(lower=lower, upper=upper)
    assert abs(int(bounded.values[0])) <= lattice.reach
    assert bounded.sensitivity == 3 * lattice.reach
    assert SHORTEST_REACH <= lattice.reach <= LONGEST_REACH


@given(AMOUNTS, AMOUNTS)
@example(1e10, 1e10 + 3 * math.ulp(1e10))  # no float64 lies in the middle
def test_the_reach_is_that_of_a_unit_at_a_bound(lower: float, upper: float) -> None:
    assume(2.0**-39 < upper - lower < 2.0**38)
    lattice = total_lattice(lower=lower, upper=upper)
    at_bounds = [
        abs(int(total([bound], [0], lower=lower, upper=upper).values[0]))
        for bound in (lower, upper)
    ]
    assert max(at_bounds) == lattice.reach


def test_a_gradient_declares_its_norm_and_what_truncation_may_add() -> None:
    bounded = bounded_gradient(
        np.array([0.5, -0.25]), clip_norm=1.0, unit=CLIENT, bound=ContributionBound(1)
    )
    assert bounded.values.tolist() == [REAL_SCALE // 2, -REAL_SCALE // 4]
    assert bounded.sensitivity == math.ceil(REAL_SCALE * 1.0001) + 2
    assert bounded.bound == ContributionBound(1)


@given(st.integers(1, 3000))
def test_truncation_is_granted_the_root_of_the_dimension_rounded_up(d: int) -> None:
    bounded = bounded_gradient(np.zeros(d), clip_norm=1.0, unit=CLIENT, bound=ContributionBound(1))
    granted = Fraction(bounded.sensitivity) - math.ceil(REAL_SCALE * 1.0001)
    assert (granted - 1) ** 2 < d <= granted**2


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, math.nan, math.inf, 2.0**19])
def test_a_clip_norm_that_does_not_clip_is_refused(clip_norm: float) -> None:
    with pytest.raises(InvalidBound):
        bounded_gradient(np.ones(2), clip_norm=clip_norm, unit=CLIENT, bound=ContributionBound(1))


@pytest.mark.parametrize(
    "gradient", [np.array([]), np.zeros((2, 2)), np.array([math.nan]), np.array([math.inf])]
)
def test_a_gradient_that_is_not_a_finite_vector_is_refused(gradient: np.ndarray) -> None:
    with pytest.raises(InvalidBound):
        bounded_gradient(gradient, clip_norm=1.0, unit=CLIENT, bound=ContributionBound(1))


def test_sensitive_values_are_hidden_and_cannot_be_changed() -> None:
    bounded = total([42.5], [1])
    assert "values" not in repr(bounded)
    with pytest.raises(dataclasses.FrozenInstanceError):
        bounded.sensitivity = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        bounded.values[0] = 1


def test_tables_declare_the_root_of_their_number_rounded_up() -> None:
    share = np.array([3, -(2**31)], np.int64) * TABLE_SCALE
    for tables, clients in ((1, 1), (66, 1), (820, 3)):
        bound = ContributionBound(1, clients)
        bounded = bounded_tables(share, tables, unit=CLIENT, bound=bound)
        exact = Fraction(bounded.sensitivity) / clients
        assert exact**2 >= tables * TABLE_SCALE**2 > (exact - 1) ** 2
        assert bounded.scale == TABLE_SCALE


@pytest.mark.parametrize("share", [np.ones(2, np.int64), np.zeros((1, 1), np.int64), np.zeros(2)])
def test_a_share_of_no_tables_is_refused(share: np.ndarray) -> None:
    with pytest.raises(InvalidBound):
        bounded_tables(share, 1, unit=CLIENT, bound=ContributionBound(1))


def test_tables_of_clients_who_are_not_joined_are_refused() -> None:
    with pytest.raises(InvalidBound):
        bounded_tables(np.zeros(2, np.int64), 1, unit=CLIENT, bound=THREE)


@given(
    tables=st.integers(1, 70),
    scale=st.sampled_from([1, 2**10, 2**20]),
    cells=st.integers(0, 4),
)
def test_a_client_in_several_tables_moves_them_by_at_most_the_root_of_their_number(
    tables: int, scale: int, cells: int
) -> None:
    sizes = [5] * tables
    bounded = bounded_counts(
        [np.array([cells])] * tables, sizes, scale=scale, unit=CLIENT, bound=ContributionBound(1)
    )
    reach = float(np.linalg.norm(bounded.values.astype(np.float64)))
    assert reach <= bounded.sensitivity <= reach + 1
    assert bounded.values.sum() == tables * scale


def test_tables_without_their_cells_are_refused() -> None:
    for cells, sizes in (([], []), ([np.zeros(1, np.int64)], [1, 1])):
        with pytest.raises(InvalidBound):
            bounded_counts(cells, sizes, scale=1, unit=CLIENT, bound=THREE)
