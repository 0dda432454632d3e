"""The lattice of a bounded total: how fine, from where, how far one unit reaches. All public."""

import math
from dataclasses import dataclass

from privacy.errors import InvalidBound
from privacy.lattice import REAL_SCALE

LONGEST_REACH = 2**38
"""Most lattice points by which one unit of a total may move a cell."""

SHORTEST_REACH = 2**16
"""A total is put on a lattice so fine that a unit spans at least this many points: then a noise
share is 8 points wide or more whenever rho times the honest shares is below 2^25."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalLattice:
    """The lattice on which a bounded total is summed: a function of its public bounds alone.

    Attributes:
        midpoint: what is subtracted from every value before the sum.
        scale: lattice points per unit of measure, a power of two.
        reach: most lattice points by which one unit moves its cell.
    """

    midpoint: float
    scale: int
    reach: int


def total_lattice(*, lower: float, upper: float) -> TotalLattice:
    """Choose the lattice of a total.

    The scale is 2^20 for ordinary amounts. It is halved while half the width of the bounds spans
    more than 2^38 points (NTD 0 to 10,000,000 gets 2^15 points a dollar) and doubled while it spans
    fewer than 2^16 (so that a noise share is wide enough). The upper limit keeps the sum of 7
    departments of 2^21 units below 2^62.

    Args:
        lower: smallest value. Public.
        upper: largest value. Public.

    Raises:
        InvalidBound: not finite, lower >= upper, or a width outside 2^-40 to 2^38: restate the
            amounts in a coarser or a finer unit.
    """
    if not (math.isfinite(lower) and math.isfinite(upper)):
        raise InvalidBound("bounds of a total", f"{lower} to {upper}: not finite")
    if lower >= upper:
        raise InvalidBound("bounds of a total", f"{lower} to {upper}: lower is not below upper")
    midpoint = lower / 2 + upper / 2
    half_width = max(upper - midpoint, midpoint - lower)
    if not 2.0**-40 <= half_width <= LONGEST_REACH:
        raise InvalidBound("bounds of a total", f"{lower} to {upper}: change the unit of measure")
    scale = REAL_SCALE
    while scale * half_width > LONGEST_REACH:
        scale //= 2
    while scale * half_width < SHORTEST_REACH:
        scale *= 2
    return TotalLattice(midpoint=midpoint, scale=scale, reach=math.floor(scale * half_width))
