import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from privacy.errors import InvalidBound
from privacy.lattice import (
    REAL_SCALE,
    IntVector,
    RealVector,
    check_scale,
    from_lattice,
    from_ring,
    to_ring,
    truncate_to_lattice,
)

Quantize = Callable[[RealVector, int], IntVector]

SCALES = st.integers(0, 30).map(lambda power: 2**power)
REALS = st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=True)
VECTORS = npst.arrays(np.float64, st.integers(0, 30), elements=REALS)
INTEGERS = npst.arrays(np.int64, st.integers(0, 30), elements=st.integers(-(2**63), 2**63 - 1))


def never_grows(quantize: Quantize, values: RealVector, scale: int) -> bool:
    """Tell whether no coordinate, and so no norm, of the quantized vector is larger. Exact."""
    points = quantize(values, scale)
    return all(
        abs(int(point)) <= scale * abs(Fraction(float(value)))
        for point, value in zip(points, values, strict=True)
    )


@given(VECTORS, SCALES)
def test_truncation_never_raises_a_norm(values: RealVector, scale: int) -> None:
    assert never_grows(truncate_to_lattice, values, scale)


def test_rounding_to_nearest_raises_a_norm_and_the_check_sees_it() -> None:
    values = np.array([0.7 / REAL_SCALE, 1.0])
    assert never_grows(truncate_to_lattice, values, REAL_SCALE)
    assert not never_grows(lambda v, s: np.rint(v * s).astype(np.int64), values, REAL_SCALE)


@given(VECTORS, SCALES)
def test_a_round_trip_loses_less_than_one_lattice_step_toward_zero(
    values: RealVector, scale: int
) -> None:
    back = from_lattice(truncate_to_lattice(values, scale), scale)
    assert (np.abs(values - back) <= 1 / scale).all()
    assert (np.abs(back) <= np.abs(values)).all()


@given(INTEGERS)
def test_small_integers_come_back_exactly(points: IntVector) -> None:
    points = points >> 11
    scale = 1
    assert (truncate_to_lattice(from_lattice(points, scale), scale) == points).all()


def test_zeros_and_subnormals_become_zero() -> None:
    values = np.array([0.0, -0.0, 5e-324, -5e-324, 2.2e-308])
    assert truncate_to_lattice(values, REAL_SCALE).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InvalidBound):
        truncate_to_lattice(np.array([1.0, value]), REAL_SCALE)


@pytest.mark.parametrize("value", [2.0**42, -(2.0**42), 1e308])
def test_what_passes_the_lattice_is_refused(value: float) -> None:
    with pytest.raises(InvalidBound):
        truncate_to_lattice(np.array([value]), REAL_SCALE)


def test_the_largest_value_of_the_lattice_is_kept() -> None:
    largest = math.nextafter(2.0**42, 0)
    assert truncate_to_lattice(np.array([largest]), REAL_SCALE)[0] < 2**62


@pytest.mark.parametrize("scale", [0, -1, 3, 1.0, True, 2**63])
def test_a_scale_is_a_power_of_two(scale: int) -> None:
    with pytest.raises(InvalidBound):
        check_scale(scale)


@given(INTEGERS)
def test_the_ring_loses_nothing(points: IntVector) -> None:
    assert (from_ring(to_ring(points)) == points).all()


@given(INTEGERS, st.data())
def test_the_ring_keeps_sums_even_when_they_pass_its_edge(
    points: IntVector, data: st.DataObject
) -> None:
    masks = data.draw(npst.arrays(np.uint64, points.shape))
    assert (from_ring(to_ring(points) + masks - masks) == points).all()
