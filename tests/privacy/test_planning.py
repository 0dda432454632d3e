import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from privacy.bounds import bounded_count, bounded_total
from privacy.errors import InvalidBound, InvalidLoss, TargetUnreachable
from privacy.loss import ZERO_RHO, Rho
from privacy.mechanisms import Release, release
from privacy.noise_shares import count_scale
from privacy.planning import (
    COUNT,
    LEAST_RHO,
    Allocation,
    Sharing,
    Statistic,
    Target,
    allocate,
    count_noise,
    error,
    least_rho,
    mean_of,
    total_noise,
    total_of,
)
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit

THREE = Sharing(cohort=3, tolerance=1, departments=1)
Z = float(norm.ppf(0.975))
LIMIT = mean_of(lower=0.0, upper=1e6, value=167_000.0, clients=4_000)
PLENTY = Rho(100.0)
WIDTHS = (65 / 64) ** 2 * 1.0001
"""What the list of widths of noise may cost: less than one part in 64 of each deviation."""

SHARINGS = st.builds(
    lambda n, t, k: Sharing(cohort=n, tolerance=min(t, n - 1), departments=k),
    st.integers(2, 6),
    st.integers(0, 3),
    st.integers(1, 6),
)
RHOS = st.floats(min_value=1e-6, max_value=50).map(Rho)
MEANS = st.builds(
    lambda value, clients: mean_of(lower=-5.0, upper=5.0, value=value, clients=clients),
    st.floats(-5, 5),
    st.floats(50, 1e5),
)


def variance(rho: float, sharing: Sharing) -> float:
    """Return a Gaussian's variance without any lattice: k^2 n / (n - t) / (2 rho)."""
    n, t, k = sharing.cohort, sharing.tolerance, sharing.departments
    return k**2 * n / (n - t) / (2 * rho)


def released(rho: Rho, sharing: Sharing, *, sensitivity: float, scale: int) -> Release:
    return release(
        "any",
        np.zeros(1, np.int64),
        sensitivity=sensitivity,
        scale=scale,
        rho=rho,
        unit=PrivacyUnit.CLIENT,
        relation=NeighboringRelation.ADD_OR_REMOVE,
        bound=ContributionBound(sharing.departments),
        cohort=sharing.cohort,
        tolerance=sharing.tolerance,
    )


@given(RHOS, SHARINGS)
def test_promised_noise_is_the_noise_of_the_release(rho: Rho, sharing: Sharing) -> None:
    bound = ContributionBound(sharing.departments)
    n, t = sharing.cohort, sharing.tolerance
    scale = count_scale(departments=sharing.departments, rho=rho, cohort=n, tolerance=t)
    none = np.zeros(0, np.int64)
    counts = bounded_count(none, 1, scale=scale, unit=PrivacyUnit.CLIENT, bound=bound)
    totals = bounded_total(
        "t", np.zeros(0), none, 1, lower=-1, upper=1, unit=PrivacyUnit.CLIENT, bound=bound
    )
    for promised, bounded in ((count_noise, counts), (total_noise, totals)):
        minted = released(rho, sharing, sensitivity=bounded.sensitivity, scale=bounded.scale)
        assert promised(rho, sharing) == minted.standard_error


@given(RHOS, st.floats(1, 10), SHARINGS)
def test_more_rho_never_means_more_noise(rho: Rho, factor: float, sharing: Sharing) -> None:
    more = Rho(rho.value * factor)
    assert count_noise(more, sharing) <= count_noise(rho, sharing)
    assert total_noise(more, sharing) <= total_noise(rho, sharing)


@given(RHOS, SHARINGS)
def test_the_lattice_widens_noise_by_less_than_a_seventh(rho: Rho, sharing: Sharing) -> None:
    ideal = math.sqrt(variance(rho.value, sharing))
    assert ideal <= count_noise(rho, sharing) * (1 + 1e-12)
    assert count_noise(rho, sharing) <= ideal * 8 / 7 * (1 + 1e-12)
    assert ideal <= total_noise(rho, sharing) * (1 + 1e-12) <= ideal * 65 / 64 * 1.0001


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_a_half_width_is_the_normal_quantile_of_both_noises(level: float) -> None:
    wide = Statistic(of_total=2.0, of_count=0.5)
    expected = norm.ppf(0.5 + level / 2) * math.sqrt((2.0 * 3.0) ** 2 + (0.5 * 8.0) ** 2)
    assert error(wide, count=8.0, total=3.0, level=level) == pytest.approx(expected, rel=1e-12)


def test_a_mean_whose_count_is_lost_in_noise_is_not_told() -> None:
    group = mean_of(lower=0, upper=10, value=2, clients=20)
    assert error(group, count=20 / Z * 0.999, total=0.0) < math.inf
    assert error(group, count=20 / Z * 1.001, total=0.0) == math.inf


def test_a_total_and_a_mean_weigh_the_count_by_their_distance_from_the_middle() -> None:
    assert total_of(lower=0, upper=10) == Statistic(of_total=5, of_count=5)
    assert total_of(lower=-4, upper=4).of_count == 0
    mean = mean_of(lower=0, upper=10, value=2, clients=20)
    assert (mean.of_total, mean.of_count, mean.told_within) == (5 / 20, 3 / 20, 20)


@given(st.floats(0.01, 1e5), SHARINGS)
def test_a_count_target_is_met_and_not_for_less(within: float, sharing: Sharing) -> None:
    rho = least_rho(lambda rho: error(COUNT, count=count_noise(rho, sharing), total=0) <= within)
    if rho is None:
        assert error(COUNT, count=count_noise(PLENTY, sharing), total=0) > within
        return
    less = Rho(rho.value * 0.99)
    assert error(COUNT, count=count_noise(rho, sharing), total=0) <= within
    assert rho.value < LEAST_RHO * 2 or error(COUNT, count=count_noise(less, sharing), total=0) > (
        within
    )


def test_a_lone_mean_costs_the_square_of_the_sum_of_its_two_weights() -> None:
    found = allocate([Target("mean", LIMIT, 9_000.0)], THREE, remaining=PLENTY)
    ideal = variance(1, THREE) * (LIMIT.of_total + LIMIT.of_count) ** 2 * (Z / 9_000.0) ** 2
    assert ideal < found.total.value < ideal * 1.03 * WIDTHS
    assert found.count.value / found.total.value == pytest.approx(
        LIMIT.of_count / (LIMIT.of_total + LIMIT.of_count), rel=0.2
    )


def widest_count(targets: list[Target]) -> float:
    """Return the widest deviation of the count that any target allows."""
    caps = [t.within / Z / t.statistic.of_count for t in targets if t.statistic.of_count]
    return min(caps + [t.statistic.told_within / 2 / Z for t in targets])


def total_costs(targets: list[Target], sharing: Sharing, noise: np.ndarray) -> np.ndarray:
    """Return what the totals cost without a lattice beside counts of these deviations."""
    costs = np.zeros_like(noise)
    for target in targets:
        room = (target.within / Z) ** 2 - (target.statistic.of_count * noise) ** 2
        costs += variance(1, sharing) * target.statistic.of_total**2 / np.maximum(room, 1e-300)
    return costs


def ideal_cost(targets: list[Target], sharing: Sharing) -> float:
    """Minimize the cost without any lattice, with scipy: nothing can be cheaper."""

    def cost(log_noise: float) -> float:
        noise = np.exp(np.array([log_noise]))
        return float((variance(1, sharing) / noise**2 + total_costs(targets, sharing, noise))[0])

    top = math.log(widest_count(targets) * (1 - 1e-9))
    options = {"xatol": 1e-10}
    return float(minimize_scalar(cost, bounds=(top - 20, top), options=options).fun)


def cheapest_step(targets: list[Target], sharing: Sharing) -> float:
    """Try every step of the count's lattice: 8 to 14 halved and halved again, or any from 8 on."""
    halved = [g / 2.0**j for j in range(1, 12) for g in range(8, 15)]
    steps = np.concatenate([halved, np.arange(8.0, 200_000.0)])
    noise = steps * math.sqrt(sharing.cohort)
    noise = noise[noise < widest_count(targets) * (1 - 1e-9)]
    costs = variance(1, sharing) / noise**2 + total_costs(targets, sharing, noise)
    return float(costs.min())


@settings(max_examples=40)
@given(
    st.lists(st.tuples(MEANS, st.floats(0.03, 1)), min_size=1, max_size=4),
    st.floats(2, 200),
    SHARINGS,
)
def test_an_allocation_meets_every_target_and_no_one_can_undercut_it(
    means: list[tuple[Statistic, float]], count: float, sharing: Sharing
) -> None:
    targets = [Target(f"mean {i}", mean, within) for i, (mean, within) in enumerate(means)]
    targets.append(Target("count", COUNT, count))
    ideal = ideal_cost(targets, sharing)
    assume(ideal < 50)
    found = allocate(targets, sharing, remaining=PLENTY)
    noise = count_noise(found.count, sharing)
    for target, rho, promised in zip(targets, found.totals, found.errors, strict=True):
        total = total_noise(rho, sharing) if rho.value else 0.0
        assert error(target.statistic, count=noise, total=total) == promised <= target.within
    assert ideal <= found.total.value * (1 + 1e-6)
    assert found.total.value <= cheapest_step(targets, sharing) * WIDTHS


def test_equal_shares_would_have_cost_more() -> None:
    targets = [Target("count", COUNT, 100.0), Target("mean", LIMIT, 9_000.0)]
    found = allocate(targets, THREE, remaining=PLENTY)

    def equal_fits(rho: Rho) -> bool:
        count, total = count_noise(rho, THREE), total_noise(rho, THREE)
        return all(error(t.statistic, count=count, total=total) <= t.within for t in targets)

    equal = least_rho(equal_fits)
    assert equal is not None
    assert found.total.value < 2 * equal.value


def test_a_count_alone_gets_everything() -> None:
    found = allocate([Target("count", COUNT, 40.0)], THREE, remaining=PLENTY)
    assert found == Allocation(count=found.total, totals=(ZERO_RHO,), errors=found.errors)


def test_what_cannot_be_paid_names_the_costliest_target_and_the_least_error() -> None:
    targets = [Target("count", COUNT, 40.0), Target("mean limit", LIMIT, 2_000.0)]
    remaining = Rho(0.002)
    with pytest.raises(TargetUnreachable) as caught:
        allocate(targets, THREE, remaining=remaining)
    refusal = caught.value
    assert refusal.statistic == "mean limit"
    assert refusal.remaining == remaining.value < refusal.requested
    factor = refusal.least / 2_000.0

    def cost(widened: float) -> float:
        eased = [Target(t.name, t.statistic, t.within * widened) for t in targets]
        return allocate(eased, THREE, remaining=PLENTY).total.value

    assert cost(factor) <= remaining.value < cost(factor / 1.011)


def test_nothing_is_within_reach_of_an_empty_pool_and_some_errors_of_no_plan() -> None:
    with pytest.raises(TargetUnreachable) as caught:
        allocate([Target("count", COUNT, 40.0)], THREE, remaining=ZERO_RHO)
    assert caught.value.least == math.inf
    with pytest.raises(TargetUnreachable) as caught:
        allocate([Target("count", COUNT, 1e-9)], THREE, remaining=PLENTY)
    assert caught.value.requested == math.inf


@pytest.mark.parametrize("within", [0.0, -1.0, math.inf, math.nan])
def test_an_error_is_a_finite_number_above_zero(within: float) -> None:
    with pytest.raises(InvalidBound, match="count"):
        Target("count", COUNT, within)


@pytest.mark.parametrize(
    ("lower", "upper", "value", "clients"),
    [
        (1, 0, 0.5, 10),
        (0, math.inf, 1, 10),
        (0, math.nan, 1, 10),
        (0, 1, 2, 10),
        (0, 1, math.nan, 10),
        (0, 1, 0.5, 0),
        (0, 1, 0.5, math.inf),
    ],
)
def test_a_guess_must_fit_its_bounds(
    lower: float, upper: float, value: float, clients: float
) -> None:
    with pytest.raises(InvalidBound):
        mean_of(lower=lower, upper=upper, value=value, clients=clients)


def test_other_bad_input_is_refused() -> None:
    for level in (0.0, 1e-17, 1.0, 1 - 2**-53, math.nan):
        with pytest.raises(InvalidBound):
            error(COUNT, count=1, total=0, level=level)
    with pytest.raises(InvalidBound):
        allocate([], THREE, remaining=PLENTY)
    with pytest.raises(InvalidBound):
        count_noise(Rho(1), Sharing(cohort=3, tolerance=3, departments=1))
    with pytest.raises(InvalidLoss):
        count_noise(ZERO_RHO, THREE)
