"""A household moves a sum with each of its clients that count, in each department."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.bounds import BoundedSum, bounded_count, bounded_total
from privacy.units import ContributionBound, PrivacyUnit

CELLS = 3
Clients = list[tuple[int, float, tuple[int, ...]]]
"""Of each client: the cell, the amount, and the departments that know the client."""

CLIENTS = st.lists(
    st.tuples(
        st.integers(0, CELLS - 1),
        st.floats(-5, 5),
        st.sets(st.integers(0, 2), min_size=1).map(tuple),
    ),
    max_size=4,
)
Declared = Callable[[int], ContributionBound]


def sums(clients: Clients, department: int, bound: ContributionBound) -> list[BoundedSum]:
    held = [(cell, amount) for cell, amount, known in clients if department in known]
    cells = np.array([cell for cell, _ in held], dtype=np.int64)
    amounts = np.array([amount for _, amount in held])
    unit = PrivacyUnit.HOUSEHOLD
    return [
        bounded_count(cells, CELLS, scale=4, unit=unit, bound=bound),
        bounded_total("t", amounts, cells, CELLS, lower=-1, upper=1, unit=unit, bound=bound),
    ]


def farthest(others: Clients, household: Clients, declared: Declared, size: int) -> float:
    """Take the household out of three departments; return how many sensitivities a sum moves."""
    bound = declared(size)
    moved = [0.0, 0.0]
    apart = [np.zeros(CELLS), np.zeros(CELLS)]
    for department in range(3):
        before = sums(others + household, department, bound)
        after = sums(others, department, bound)
        for block, (one, other) in enumerate(zip(before, after, strict=True)):
            apart[block] += one.values - other.values
            moved[block] = float(np.linalg.norm(apart[block])) / one.sensitivity
    return max(moved)


def honest(size: int) -> ContributionBound:
    return ContributionBound(departments=3, clients=size)


def as_for_one_client(_size: int) -> ContributionBound:
    return ContributionBound(departments=3)


@given(CLIENTS, CLIENTS, st.integers(1, 4))
def test_a_household_moves_a_sum_by_at_most_its_sensitivity(
    others: Clients, household: Clients, size: int
) -> None:
    assert farthest(others, household[:size], honest, size) <= 1


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_bound_is_reached_by_a_household_that_is_all_alike(size: int) -> None:
    assert farthest([], [(0, 1.0, (0, 1, 2))] * size, honest, size) == 1


def test_the_check_rejects_a_bound_that_forgets_the_other_clients() -> None:
    assert farthest([], [(0, 1.0, (0, 1, 2))] * 2, as_for_one_client, 2) > 1
