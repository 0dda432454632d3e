"""Reals to integers and back, and integers to the ring Z mod 2^64 and back.

Noise is drawn over integers only (Mironov 2012 shows what floating-point noise gives away), and
masks need a ring. A scale is always a power of two, so that scaling a float64 is exact.
"""

import numpy as np
import numpy.typing as npt

from privacy.errors import InvalidBound

REAL_SCALE = 2**20
"""Lattice points per unit for reals of ordinary size."""

MAGNITUDE_LIMIT = 2**62
"""No sum, noise included, may pass this: half the ring is kept as a margin."""

IntVector = npt.NDArray[np.int64]
RingVector = npt.NDArray[np.uint64]
RealVector = npt.NDArray[np.float64]


def check_scale(scale: int) -> None:
    """Refuse a scale that is not a power of two from 1 to 2^62.

    Args:
        scale: lattice points per unit. Public.

    Raises:
        InvalidBound: scaling a float64 by it would not be exact.
    """
    if isinstance(scale, bool) or not isinstance(scale, int):
        raise InvalidBound("scale", scale)
    if not 1 <= scale <= MAGNITUDE_LIMIT or scale & (scale - 1):
        raise InvalidBound("scale", scale)


def truncate_to_lattice(values: RealVector, scale: int) -> IntVector:
    """Scale reals and truncate them toward zero.

    Guarantee: |result_i| <= scale * |values_i| for every i, so no norm grows:
    ||result||_p <= scale * ||values||_p. The product is exact because the scale is a power of two,
    and truncation never moves away from zero. (Rounding to nearest does raise norms.)

    Edge cases: both zeros and every |value| < 1/scale, subnormals included, become 0.

    Args:
        values: reals of any shape. Sensitive.
        scale: lattice points per unit, a power of two. Public.

    Returns:
        Integers of the same shape.

    Raises:
        InvalidBound: a value is not finite, or passes 2^62 lattice points.
    """
    check_scale(scale)
    reals = np.asarray(values, dtype=np.float64)
    if not np.isfinite(reals).all():
        raise InvalidBound("values", "not all are finite")
    if (np.abs(reals) >= MAGNITUDE_LIMIT / scale).any():
        raise InvalidBound("values", "not all fit the lattice")
    return np.trunc(reals * float(scale)).astype(np.int64)


def from_lattice(values: IntVector, scale: int) -> RealVector:
    """Return lattice points as reals: values / scale, to float64 precision.

    Args:
        values: integers of any shape.
        scale: lattice points per unit, a power of two. Public.
    """
    check_scale(scale)
    return np.asarray(values, dtype=np.int64).astype(np.float64) / float(scale)


def to_ring(values: IntVector) -> RingVector:
    """Return integers modulo 2^64 (two's complement): a bijection that keeps sums."""
    return np.asarray(values, dtype=np.int64).astype(np.uint64)


def from_ring(values: RingVector) -> IntVector:
    """Return the integers in [-2^63, 2^63) that are congruent to ring elements."""
    return np.asarray(values, dtype=np.uint64).astype(np.int64)
