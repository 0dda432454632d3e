import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from privacy.errors import InvalidBound, InvalidLoss, NoiseTooSmall
from privacy.loss import ZERO_RHO, Rho
from privacy.noise_shares import (
    MINIMUM_SHARE_SIGMA,
    SIGNIFICANT_BITS,
    count_scale,
    least_sigma,
    share_sigma,
    sigma_class,
)

SENSITIVITIES = st.floats(min_value=1, max_value=2.0**40)
RHOS = st.floats(min_value=1e-6, max_value=100).map(Rho)


@given(SENSITIVITIES, RHOS, st.integers(1, 9))
def test_sigma_is_the_least_integer_that_pays_for_rho(
    sensitivity: float, rho: Rho, honest: int
) -> None:
    sigma = least_sigma(sensitivity=sensitivity, rho=rho, honest=honest)
    needed = Fraction(sensitivity) ** 2 / (2 * Fraction(rho.value))
    assert honest * sigma**2 >= needed
    assert sigma == 1 or honest * (sigma - 1) ** 2 < needed


@given(SENSITIVITIES, RHOS, st.integers(1, 6), st.data())
def test_any_honest_shares_together_carry_the_whole_noise(
    sensitivity: float, rho: Rho, cohort: int, data: st.DataObject
) -> None:
    tolerance = data.draw(st.integers(0, cohort - 1))
    try:
        sigma = share_sigma(sensitivity=sensitivity, rho=rho, cohort=cohort, tolerance=tolerance)
    except NoiseTooSmall:
        assume(False)  # noqa: FBT003 - hypothesis' own signature
    seen = Fraction(sensitivity) ** 2 / (2 * (cohort - tolerance) * sigma**2)
    assert seen <= Fraction(rho.value)


@given(st.integers(1, 2**70), st.integers(0, 2**70))
def test_a_width_of_the_list_is_never_narrower_and_hardly_wider(sigma: int, more: int) -> None:
    width = sigma_class(sigma)
    steps = 2 ** (SIGNIFICANT_BITS - 1)
    assert sigma <= width
    assert width * steps < sigma * (steps + 1), "compared as integers: floats tie at 2^63"
    assert sigma_class(width) == width == int(float(width))
    assert width <= sigma_class(sigma + more)


@pytest.mark.parametrize("power", [7, 20, 61])
def test_the_list_has_64_widths_from_one_power_of_two_to_the_next(power: int) -> None:
    step = 2**power // 64
    widths = {sigma_class(2**power + part * step // 5) for part in range(5 * 64)}
    assert len(widths) == 64 + 1
    assert max(widths) == 2 ** (power + 1)


def test_every_width_up_to_128_is_on_the_list() -> None:
    assert [sigma_class(sigma) for sigma in range(1, 131)] == [*range(1, 129), 130, 130]


@given(SENSITIVITIES, RHOS)
def test_a_share_has_a_width_of_the_list(sensitivity: float, rho: Rho) -> None:
    try:
        sigma = share_sigma(sensitivity=sensitivity, rho=rho, cohort=3, tolerance=1)
    except NoiseTooSmall:
        assume(False)  # noqa: FBT003 - hypothesis' own signature
    assert sigma_class(sigma) == sigma


def test_noise_wider_than_two_to_the_53_is_rounded_up_to_a_float() -> None:
    sigma = least_sigma(sensitivity=2.0**60 + 2.0**8, rho=Rho(0.5), honest=1)
    assert sigma == 2**60 + 2**8
    sigma = least_sigma(sensitivity=2.0**60, rho=Rho(0.4999999999999999), honest=1)
    assert sigma == int(float(sigma)) > 2**60
    with pytest.raises(InvalidLoss):
        least_sigma(sensitivity=1e300, rho=Rho(1e-300), honest=1)


def test_the_three_tolerances_of_three_departments_cost_what_the_design_says() -> None:
    shares = [
        share_sigma(sensitivity=2.0**30, rho=Rho(0.5), cohort=3, tolerance=t) for t in range(3)
    ]
    for sigma, part in zip(shares, (math.sqrt(1 / 3), math.sqrt(1 / 2), 1.0), strict=True):
        assert sigma == sigma_class(math.ceil(2.0**30 * part))


def test_a_share_below_eight_is_refused_and_says_so() -> None:
    assert share_sigma(sensitivity=8.0, rho=Rho(0.5), cohort=1, tolerance=0) == 8
    with pytest.raises(NoiseTooSmall) as caught:
        share_sigma(sensitivity=7.0, rho=Rho(0.5), cohort=1, tolerance=0)
    assert (caught.value.sigma_share, caught.value.minimum) == (7, MINIMUM_SHARE_SIGMA)


@given(st.integers(1, 5), RHOS, st.integers(1, 5))
def test_the_count_scale_is_the_smallest_that_is_wide_enough(
    departments: int, rho: Rho, cohort: int
) -> None:
    scale = count_scale(departments=departments, rho=rho, cohort=cohort, tolerance=cohort - 1)
    assert scale & (scale - 1) == 0
    sigmas = [
        least_sigma(sensitivity=s * departments, rho=rho, honest=1) for s in (scale, scale / 2)
    ]
    assert sigmas[0] >= MINIMUM_SHARE_SIGMA
    assert scale == 1 or sigmas[1] < MINIMUM_SHARE_SIGMA


def test_small_losses_need_no_finer_counts() -> None:
    assert count_scale(departments=3, rho=Rho(0.005), cohort=3, tolerance=1) == 1


def test_an_absurd_loss_has_no_count_scale() -> None:
    with pytest.raises(NoiseTooSmall):
        count_scale(departments=1, rho=Rho(1e300), cohort=3, tolerance=1)


@pytest.mark.parametrize(("cohort", "tolerance"), [(0, 0), (3, 3), (3, -1), (2, 5)])
def test_at_least_one_share_must_be_honest(cohort: int, tolerance: int) -> None:
    with pytest.raises(InvalidBound):
        share_sigma(sensitivity=1e6, rho=Rho(0.1), cohort=cohort, tolerance=tolerance)


@pytest.mark.parametrize("sensitivity", [0.0, -1.0, math.inf, math.nan])
def test_a_sensitivity_is_finite_and_above_zero(sensitivity: float) -> None:
    with pytest.raises(InvalidBound):
        share_sigma(sensitivity=sensitivity, rho=Rho(0.1), cohort=3, tolerance=1)


def test_nothing_can_be_released_for_nothing() -> None:
    with pytest.raises(InvalidLoss):
        share_sigma(sensitivity=1e6, rho=ZERO_RHO, cohort=3, tolerance=1)
