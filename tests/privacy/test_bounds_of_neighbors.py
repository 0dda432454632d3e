"""Deterministic neighbor fuzz: what enters the noise call, with and without one client.

One client is removed from ALL departments at once. The check is exact integer arithmetic; the data
come from a hash, so a failure is the same for everybody.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from privacy.bounds import bounded_count, bounded_gradient, bounded_total
from privacy.lattice import REAL_SCALE, IntVector, RealVector, truncate_to_lattice
from privacy.total_lattice import total_lattice
from privacy.units import ContributionBound, PrivacyUnit

CLIENT = PrivacyUnit.CLIENT
DEPARTMENTS = 3
BOUND = ContributionBound(DEPARTMENTS)
CELLS = 4
SCALE = 8
LOWER, UPPER = -0.3, 1.4  # half a width of 0.85 ends 0.6 of a lattice step after the last point
CLIP = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """The rows of one department; the client that will be removed is row 0."""

    cells: IntVector
    values: RealVector
    gradients: npt.NDArray[np.float64]

    def without_the_client(self) -> "Department":
        return Department(
            cells=self.cells[1:], values=self.values[1:], gradients=self.gradients[1:]
        )


World = list[Department]
Query = Callable[[World], tuple[IntVector, float]]


def uniform(label: str, n: int) -> RealVector:
    """Numbers in [0, 1) from a hash: the same on every machine."""
    words = np.frombuffer(hashlib.shake_256(label.encode()).digest(8 * n), np.uint64)
    return (words >> np.uint64(11)) * 2.0**-53


def worlds() -> Iterator[World]:
    """300 worlds; in every third the client's contributions are extreme and all point one way."""
    for number in range(300):
        extreme = number % 3 == 0
        world = []
        for department in range(DEPARTMENTS):
            n, d = 2 + number % 40, 1 + number % 7
            draw = uniform(f"world {number} department {department}", n * (d + 2))
            cells = (draw[:n] * (CELLS + 1)).astype(np.int64) - 1
            values = (draw[n : 2 * n] - 0.5) * 6
            gradients = (draw[2 * n :].reshape(n, d) - 0.5) * 10.0 ** (number % 5 - 2)
            if extreme:
                cells[0] = number % CELLS
                values[0] = [UPPER, LOWER, 1e300, 5e-324][number // 3 % 4]
                gradients[0] = 100.0
            world.append(Department(cells=cells, values=values, gradients=gradients))
        yield world


def worst(query: Query) -> tuple[bool, float]:
    """Tell whether the query obeys its declared sensitivity in every world, and how near it comes.

    ||q(D) - q(D')||^2 <= declared^2 is compared in integers and fractions, without rounding.
    """
    obeys, nearest = True, 0.0
    for world in worlds():
        with_client, declared = query(world)
        without, also_declared = query([part.without_the_client() for part in world])
        assert declared == also_declared, "a sensitivity may not depend on data"
        moved = sum((int(a) - int(b)) ** 2 for a, b in zip(with_client, without, strict=True))
        obeys = obeys and moved <= Fraction(declared) ** 2
        nearest = max(nearest, math.sqrt(moved) / declared)
    return obeys, nearest


def counts(world: World, bound: ContributionBound = BOUND) -> tuple[IntVector, float]:
    sums = [
        bounded_count(part.cells, CELLS, scale=SCALE, unit=CLIENT, bound=bound) for part in world
    ]
    return sum((part.values for part in sums), np.zeros(CELLS, np.int64)), sums[0].sensitivity


def totals(
    world: World, bound: ContributionBound = BOUND, upper: float = UPPER
) -> tuple[IntVector, float]:
    sums = [
        bounded_total(
            "amount", part.values, part.cells, CELLS,
            lower=LOWER, upper=upper, unit=CLIENT, bound=bound,
        )
        for part in world
    ]  # fmt: skip
    return sum((part.values for part in sums), np.zeros(CELLS, np.int64)), sums[0].sensitivity


def gradient_of(department: int, clip_norm: float = CLIP) -> Query:
    """One department's clipped gradient sum: its noise is local, so it is a release by itself."""

    def query(world: World) -> tuple[IntVector, float]:
        gradients = world[department].gradients
        norms = np.linalg.norm(gradients, axis=1, keepdims=True)
        clipped = gradients * np.minimum(1.0, clip_norm / np.maximum(norms, 1e-300))
        bounded = bounded_gradient(
            clipped.sum(axis=0), clip_norm=CLIP, unit=CLIENT, bound=ContributionBound(1)
        )
        return bounded.values, bounded.sensitivity

    return query


GRADIENTS = [gradient_of(department) for department in range(DEPARTMENTS)]


@pytest.mark.parametrize("query", [counts, totals, *GRADIENTS])
def test_a_client_in_all_departments_moves_the_sum_no_further_than_declared(query: Query) -> None:
    obeys, nearest = worst(query)
    assert obeys
    assert nearest > 0.999, "the declared sensitivity is loose, or the worlds are tame"


def counts_declared_for_one_department(world: World) -> tuple[IntVector, float]:
    return counts(world, ContributionBound(1))


def totals_declared_for_one_department(world: World) -> tuple[IntVector, float]:
    return totals(world, ContributionBound(1))


def totals_clipped_too_wide(world: World) -> tuple[IntVector, float]:
    middle = (LOWER + UPPER) / 2
    moved, _ = totals(world, upper=middle + 1.2 * (UPPER - middle))
    return moved, totals(world)[1]


def totals_rounded_to_nearest(world: World) -> tuple[IntVector, float]:
    lattice = total_lattice(lower=LOWER, upper=UPPER)
    sums = np.zeros(CELLS, np.int64)
    for part in world:
        inside = part.cells >= 0
        centered = np.clip(part.values[inside], LOWER, UPPER) - lattice.midpoint
        points = np.rint(centered * lattice.scale).astype(np.int64)
        np.add.at(sums, part.cells[inside], points)
    return sums, totals(world)[1]


def totals_without_a_clip(world: World) -> tuple[IntVector, float]:
    lattice = total_lattice(lower=LOWER, upper=UPPER)
    sums = np.zeros(CELLS, np.int64)
    for part in world:
        inside = part.cells >= 0
        centered = np.clip(part.values[inside], -1e3, 1e3) - lattice.midpoint
        np.add.at(sums, part.cells[inside], truncate_to_lattice(centered, lattice.scale))
    return sums, totals(world)[1]


def gradient_without_the_price_of_truncation(world: World) -> tuple[IntVector, float]:
    moved, _ = GRADIENTS[0](world)
    return moved, REAL_SCALE * CLIP * (1 - 1e-6)


@pytest.mark.parametrize(
    "saboteur",
    [
        counts_declared_for_one_department,
        totals_declared_for_one_department,
        totals_clipped_too_wide,
        totals_rounded_to_nearest,
        totals_without_a_clip,
        gradient_of(0, clip_norm=1.2 * CLIP),
        gradient_without_the_price_of_truncation,
    ],
)
def test_a_saboteur_is_rejected_by_the_same_check(saboteur: Query) -> None:
    obeys, _ = worst(saboteur)
    assert not obeys
