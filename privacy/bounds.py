"""What one unit may contribute, and the integer sums that obey it. The only mint of BoundedSum.

Sensitivity over several departments. Let q_j(D) be the vector of department j and let one unit move
it by at most B in L2: ||q_j(D) - q_j(D')|| <= B. A unit that is known to k departments moves k of
the vectors at once, so by the triangle inequality

    ||sum_j q_j(D) - sum_j q_j(D')||  <=  sum over its k of ||q_j(D) - q_j(D')||  <=  k B,

with equality when all k contributions point the same way. Every BoundedSum declares k B, where k is
`bound.departments`: 1 if the plan gives each client one owner, otherwise the size of the cohort.
A household moves a sum by each of its clients that count, at most m of them (`bound.clients`), so
by the same inequality by at most k m B: `bound.contributions` times one client's reach B.

Wrap-around. A node holds at most 2^21 units and each reaches at most 2^38 lattice points, so a sum
over 7 departments stays below 2^62 with room for the noise; `mechanisms` refuses the rest.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from privacy.errors import InvalidBound
from privacy.lattice import (
    MAGNITUDE_LIMIT,
    REAL_SCALE,
    IntVector,
    RealVector,
    check_scale,
    truncate_to_lattice,
)
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit

MOST_UNITS = 2**21
"""Most units at one node."""

LONGEST_REACH = 2**38
"""Most lattice points by which one unit of a total may move a cell."""

SHORTEST_REACH = 2**16
"""A total is put on a lattice so fine that a unit spans at least this many points: then a noise
share is 8 points wide or more whenever rho times the honest shares is below 2^25."""

FLOAT_MARGIN = 1e-4
"""Relative error granted to a float64 (or block-wise float32) sum of clipped gradients."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoundedSum:
    """An integer vector together with how far one unit can move it. Minted in this module only.

    Attributes:
        name: what is summed. Public.
        values: the sum in lattice points, read-only. SENSITIVE, hidden from repr.
        sensitivity: L2 distance, in lattice points, that one unit can move the sum over ALL
            departments: one client's reach times `bound.contributions`. Public.
        scale: lattice points per unit of measure. Public.
        offset_per_count: total = released + offset_per_count * count, per cell. Public.
        unit: whose presence is protected. Public.
        relation: how neighbors differ. Public.
        bound: how often a unit counts. Public.
    """

    name: str
    values: IntVector = field(repr=False)
    sensitivity: float
    scale: int
    offset_per_count: float
    unit: PrivacyUnit
    relation: NeighboringRelation
    bound: ContributionBound


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


def bounded_count(
    cells: IntVector,
    n_cells: int,
    *,
    scale: int,
    unit: PrivacyUnit,
    bound: ContributionBound,
) -> BoundedSum:
    """Count clients per cell.

    Guarantee: removing one client from every department lowers one cell by `scale` in each of at
    most k departments, and a unit has at most m of these clients, so the sum over departments moves
    by at most scale * k * m in L2.

    Args:
        cells: int64[n], one entry per client: the cell it counts in, or -1 for none. Sensitive.
        n_cells: number of cells, at least 1. Public.
        scale: lattice points per unit counted, a power of two. Public.
        unit: whose presence is protected. Public.
        bound: how often a unit counts. Public.

    Returns:
        int64[n_cells], each `scale` times a count.

    Raises:
        InvalidBound: a cell out of range, no cells, too many units, or a scale that is too large.
    """
    check_scale(scale)
    if scale * MOST_UNITS > MAGNITUDE_LIMIT:
        raise InvalidBound("scale", scale)
    inside = _inside(cells, n_cells)
    counts = np.bincount(inside[inside >= 0], minlength=n_cells).astype(np.int64)
    return _mint(
        "count",
        counts * scale,
        reach=scale,
        scale=scale,
        offset_per_count=0.0,
        unit=unit,
        bound=bound,
    )


def bounded_total(
    name: str,
    values: RealVector,
    cells: IntVector,
    n_cells: int,
    *,
    lower: float,
    upper: float,
    unit: PrivacyUnit,
    bound: ContributionBound,
) -> BoundedSum:
    """Add one bounded amount per client, per cell, centered at the midpoint of the bounds.

    A client adds trunc(s * (clip(x) - m)) to its cell; a total is released + m * count. Centering
    halves the sensitivity against [lower, upper] of one sign.

    Guarantee: one client moves one cell by at most reach = floor(s * max(upper - m, m - lower)) in
    each of at most k departments, so a unit of c clients moves the sum over departments by at most
    reach * k * c in L2.
    This holds in float64 without a margin: lower <= clip(x) <= upper, subtraction rounds
    monotonically, the scale is a power of two, and truncation never moves away from zero.

    Args:
        name: what is summed. Public.
        values: float64[n], one per client; ignored where the cell is -1. Sensitive.
        cells: int64[n]: the cell of each client, or -1 for none (missing or closed). Sensitive.
        n_cells: number of cells, at least 1. Public.
        lower: smallest value; smaller ones are raised to it. Public.
        upper: largest value; larger ones are lowered to it. Public.
        unit: whose presence is protected. Public.
        bound: how often a unit counts. Public.

    Returns:
        int64[n_cells] with `offset_per_count` = m. The lattice is `total_lattice(lower, upper)`.

    Raises:
        InvalidBound: bad bounds, a value in a cell is not finite, a cell out of range, no cells,
            unequal lengths or too many units.
    """
    lattice = total_lattice(lower=lower, upper=upper)
    inside = _inside(cells, n_cells)
    reals = np.asarray(values, dtype=np.float64)
    if reals.shape != inside.shape:
        raise InvalidBound("values", "not one value per cell entry")
    counted = inside >= 0
    if not np.isfinite(reals[counted]).all():
        raise InvalidBound("values", "not all are finite: give a missing value the cell -1")
    centered = np.clip(reals[counted], lower, upper) - lattice.midpoint
    sums = np.zeros(n_cells, dtype=np.int64)
    np.add.at(sums, inside[counted], truncate_to_lattice(centered, lattice.scale))
    return _mint(
        name,
        sums,
        reach=lattice.reach,
        scale=lattice.scale,
        offset_per_count=lattice.midpoint,
        unit=unit,
        bound=bound,
    )


def bounded_gradient(
    gradient_sum: RealVector, *, clip_norm: float, unit: PrivacyUnit
) -> BoundedSum:
    """Put the sum of clipped gradients of one department on the lattice.

    Guarantee: if every unit's gradient has L2 norm at most C before the sum, and the float64 sum of
    neighbors differs by at most C (1 + 1e-4), the result moves by at most
    ceil(s C (1 + 1e-4)) + ceil(sqrt(d)): for all reals |trunc a - trunc b| <= |a - b| + 1, so
    truncating the sum once adds at most a vector of d ones. The noise is local to the department,
    so one department is all that a release covers (k = 1).

    Args:
        gradient_sum: float64[d], d at least 1: sum over units of gradients clipped to `clip_norm`.
            Sensitive.
        clip_norm: C, L2, above 0. Public.
        unit: whose gradients were clipped. Public.

    Raises:
        InvalidBound: the sum is empty, not a vector or not finite, or C is unusable.
    """
    if not (math.isfinite(clip_norm) and clip_norm > 0):
        raise InvalidBound("clip_norm", clip_norm)
    if clip_norm * REAL_SCALE > LONGEST_REACH:
        raise InvalidBound("clip_norm", clip_norm)
    sums = np.asarray(gradient_sum, dtype=np.float64)
    if sums.ndim != 1 or sums.size == 0:
        raise InvalidBound("gradient_sum", f"shape {sums.shape}")
    per_unit = math.ceil(REAL_SCALE * clip_norm * (1 + FLOAT_MARGIN))
    reach = per_unit + math.isqrt(sums.size - 1) + 1
    return _mint(
        "gradient",
        truncate_to_lattice(sums, REAL_SCALE),
        reach=reach,
        scale=REAL_SCALE,
        offset_per_count=0.0,
        unit=unit,
        bound=ContributionBound(1),
    )


def _inside(cells: IntVector, n_cells: int) -> IntVector:
    """Return the cells if each is -1 or a valid index; no value of them enters a message."""
    if n_cells < 1:
        raise InvalidBound("n_cells", n_cells)
    inside = np.asarray(cells)
    if inside.ndim != 1 or not np.issubdtype(inside.dtype, np.integer):
        raise InvalidBound("cells", "not a vector of integers")
    if inside.size > MOST_UNITS:
        raise InvalidBound("cells", f"more than {MOST_UNITS} units at one node")
    if inside.size and (inside.min() < -1 or inside.max() >= n_cells):
        raise InvalidBound("cells", "an index is outside -1 to n_cells - 1")
    return inside.astype(np.int64, copy=False)


def _mint(
    name: str,
    values: IntVector,
    *,
    reach: int,
    scale: int,
    offset_per_count: float,
    unit: PrivacyUnit,
    bound: ContributionBound,
) -> BoundedSum:
    values.setflags(write=False)
    return BoundedSum(
        name=name,
        values=values,
        sensitivity=float(reach * bound.contributions),
        scale=scale,
        offset_per_count=offset_per_count,
        unit=unit,
        relation=NeighboringRelation.ADD_OR_REMOVE,
        bound=bound,
    )
