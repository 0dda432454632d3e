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
from collections.abc import Sequence
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
from privacy.total_lattice import LONGEST_REACH, total_lattice
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit

MOST_UNITS = 2**21
"""Most units at one node."""

TABLE_SCALE = 2**32
"""Lattice points per client in a cube: its shares are numbers modulo 2^32, times 2^32."""

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


def bounded_count(
    cells: IntVector, n_cells: int, *, scale: int, unit: PrivacyUnit, bound: ContributionBound
) -> BoundedSum:
    """Count clients per cell of one table, int64[n] of cells: ``bounded_counts`` of T = 1."""
    return bounded_counts((cells,), (n_cells,), scale=scale, unit=unit, bound=bound)


def bounded_counts(
    cells: Sequence[IntVector],
    sizes: Sequence[int],
    *,
    scale: int,
    unit: PrivacyUnit,
    bound: ContributionBound,
) -> BoundedSum:
    """Count clients per cell in each of several tables that stand side by side.

    Guarantee: a client is a vector with `scale` in at most one cell of each of T tables and zeros
    elsewhere: of length at most scale * sqrt(T), here rounded up. Removing one client from every
    department takes it away in each of at most k departments, and a unit has at most m of these
    clients, so the sum over departments moves by at most scale * sqrt(T) * k * m in L2.

    Args:
        cells: for each table int64[n], one entry per client: the cell of this table it counts in,
            or -1 for none. Sensitive.
        sizes: number of cells of each table, at least 1 each. Public.
        scale: lattice points per unit counted, a power of two. Public.
        unit: whose presence is protected. Public.
        bound: how often a unit counts. Public.

    Returns:
        int64[sum of sizes], each `scale` times a count, one table after the other.

    Raises:
        InvalidBound: a cell out of range, no cells, too many units, or a scale that is too large.
    """
    check_scale(scale)
    if scale * MOST_UNITS > MAGNITUDE_LIMIT:
        raise InvalidBound("scale", scale)
    if not sizes or len(cells) != len(sizes):
        raise InvalidBound("tables", "not one vector of cells for each of at least one table")
    counts = []
    for table, size in zip(cells, sizes, strict=True):
        inside = _inside(table, size)
        counts.append(np.bincount(inside[inside >= 0], minlength=size).astype(np.int64))
    total, reach = np.concatenate(counts) * scale, reach_of_counts(len(sizes), scale)
    return _mint("count", total, reach=reach, scale=scale, unit=unit, bound=bound)


def reach_of_counts(tables: int, scale: int) -> int:
    """Return scale * sqrt(T), rounded up: how far a client in T tables of counts moves them."""
    return math.isqrt(tables * scale**2 - 1) + 1


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
    gradient_sum: RealVector, *, clip_norm: float, unit: PrivacyUnit, bound: ContributionBound
) -> BoundedSum:
    """Put the sum of clipped gradients of one department on the lattice.

    Guarantee: if every unit's gradient has L2 norm at most C before the sum, and the float64 sum of
    neighbors differs by at most C (1 + 1e-4), the result moves by at most
    ceil(s C (1 + 1e-4)) + ceil(sqrt(d)): for all reals |trunc a - trunc b| <= |a - b| + 1, so
    truncating the sum once adds at most a vector of d ones. Noise local to a department covers
    it alone (k = 1); a sum over departments with shared noise declares k times as much, as above.

    Args:
        gradient_sum: float64[d], d at least 1: sum over units of gradients clipped to `clip_norm`.
            Sensitive.
        clip_norm: C, L2, above 0. Public.
        unit: whose gradients were clipped. Public.
        bound: at how many departments a unit counts. Public.

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
        unit=unit,
        bound=bound,
    )


def bounded_tables(
    share: IntVector, tables: int, *, unit: PrivacyUnit, bound: ContributionBound
) -> BoundedSum:
    """Declare one node's additive share, modulo 2^64, of several tables of counts of clients.

    Guarantee: let each of T tables count every client of the joined departments in at most one of
    its cells. Then a client is a vector v of zeros and ones over all cells with at most T ones, so
    ||v||_2 = sqrt(ones) <= sqrt(T), and adding or removing the client, from however many
    departments, moves the sum of the shares by 2^32 v: at most 2^32 sqrt(T) in L2, which is
    rounded up to an integer here. A unit of c clients moves it by a sum of c such vectors: c times
    that, by the triangle inequality.

    That one share is uniform, or wraps, does not matter: the sum of a cohort's shares is the tables
    times 2^32, exactly, as long as no cell passes 2^21 units a node (`check_room`).

    Args:
        share: int64[cells], a multiple of 2^32 in every cell. Sensitive.
        tables: T, at least 1. Public.
        unit: whose presence is protected. Public.
        bound: departments is 1, for the join counts a client once; clients is c. Public.

    Raises:
        InvalidBound: no tables, or a share that is no vector of such integers.
    """
    if tables < 1 or bound.departments != 1:
        raise InvalidBound("tables", "at least one, of clients who are joined")
    values = np.array(share)
    if values.ndim != 1 or values.dtype != np.int64 or (values & (TABLE_SCALE - 1)).any():
        raise InvalidBound("share", "not a vector of multiples of 2^32")
    reach = reach_of_counts(tables, TABLE_SCALE)
    return _mint("cube", values, reach=reach, scale=TABLE_SCALE, unit=unit, bound=bound)


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
    unit: PrivacyUnit,
    bound: ContributionBound,
    offset_per_count: float = 0.0,
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
