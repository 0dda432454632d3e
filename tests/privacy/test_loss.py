import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import InvalidLoss
from privacy.loss import ZERO_RHO, Delta, Epsilon, Rho, rounded_down, rounded_up

LOSSES = st.floats(min_value=0, max_value=1e300)
UNUSABLE = [math.nan, math.inf, -math.inf, -1e-300, 10**400, "much"]


@pytest.mark.parametrize("loss", [Rho, Epsilon, Delta])
@pytest.mark.parametrize("value", UNUSABLE)
def test_a_loss_is_a_finite_number_in_its_range(
    loss: Callable[[object], object], value: object
) -> None:
    with pytest.raises(InvalidLoss) as caught:
        loss(value)
    assert caught.value.quantity == loss.__name__.lower()


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5])
def test_delta_is_strictly_between_zero_and_one(value: object) -> None:
    with pytest.raises(InvalidLoss):
        Delta(value)


def test_losses_are_ordered_floats_and_minus_zero_is_zero() -> None:
    assert Rho(1) < Rho(2.0)
    assert isinstance(Rho(1).value, float)
    assert math.copysign(1, Rho(-0.0).value) == 1
    assert Rho(5e-324) > ZERO_RHO


@given(LOSSES, LOSSES)
def test_a_sum_is_the_exact_sum_or_the_next_float_above(a: float, b: float) -> None:
    exact = Fraction(a) + Fraction(b)
    total = (Rho(a) + Rho(b)).value
    assert exact <= total
    assert math.nextafter(total, -math.inf) < exact


@given(LOSSES, st.integers(0, 10**6))
def test_repetitions_never_cost_less_than_the_exact_product(a: float, n: int) -> None:
    exact = n * Fraction(a)
    total = Rho(a).times(n).value
    assert exact <= total
    assert math.nextafter(total, -math.inf) < exact or total == 0


@given(st.lists(LOSSES, max_size=20))
def test_sums_of_many_losses_never_round_down(values: list[float]) -> None:
    total = ZERO_RHO
    for value in values:
        total = total + Rho(value)
    assert sum(map(Fraction, values)) <= total.value


def test_plain_float_addition_would_round_down() -> None:
    values = [1.0] + [1e-17] * 1000
    exact = sum(map(Fraction, values))
    assert sum(values) < exact
    total = ZERO_RHO
    for value in values:
        total = total + Rho(value)
    assert total.value >= exact


def test_a_loss_repeated_a_negative_number_of_times_is_refused() -> None:
    with pytest.raises(InvalidLoss):
        Rho(1.0).times(-1)


def test_a_sum_beyond_all_floats_is_refused_not_infinite() -> None:
    largest = Rho(math.nextafter(math.inf, 0))
    with pytest.raises(InvalidLoss):
        largest + largest
    with pytest.raises(InvalidLoss):
        largest + Rho(1.0)


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_rounding_brackets_every_number_with_neighbors(exact: Fraction) -> None:
    above, below = rounded_up(exact), rounded_down(exact)
    assert below <= exact <= above
    assert above in (below, math.nextafter(below, math.inf))
