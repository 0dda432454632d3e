from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import BudgetExceeded
from privacy.filters import admit, remaining
from privacy.loss import Rho

LOSSES = st.floats(min_value=0, max_value=1e6).map(Rho)


def admitted(spent: Rho, reserved: Rho, budget: Rho, requested: Rho) -> bool:
    try:
        admit(spent, reserved, budget, requested, "firm")
    except BudgetExceeded:
        return False
    return True


@given(LOSSES, LOSSES, LOSSES, LOSSES)
def test_a_request_passes_exactly_when_the_exact_sum_fits(
    spent: Rho, reserved: Rho, budget: Rho, requested: Rho
) -> None:
    exact = sum(Fraction(part.value) for part in (spent, reserved, requested))
    assert admitted(spent, reserved, budget, requested) == (exact <= Fraction(budget.value))


@given(LOSSES, LOSSES, LOSSES)
def test_what_remains_always_fits(spent: Rho, reserved: Rho, budget: Rho) -> None:
    left = remaining(spent=spent, reserved=reserved, budget=budget)
    overdrawn = Fraction(spent.value) + Fraction(reserved.value) > Fraction(budget.value)
    assert left == Rho(0.0) if overdrawn else admitted(spent, reserved, budget, left)


def test_float_addition_would_admit_what_does_not_fit() -> None:
    spent, requested, budget = Rho(1.0), Rho(1e-17), Rho(1.0)
    assert spent.value + requested.value <= budget.value
    assert not admitted(spent, Rho(0.0), budget, requested)


def test_a_refusal_says_what_is_left() -> None:
    with pytest.raises(BudgetExceeded) as caught:
        admit(Rho(0.5), Rho(0.25), Rho(1.0), Rho(0.5), "firm/risk")
    refusal = caught.value
    assert (refusal.pool, refusal.requested, refusal.remaining) == ("firm/risk", 0.5, 0.25)
