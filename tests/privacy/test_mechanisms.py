import math
from statistics import NormalDist

import numpy as np
import opendp.prelude as dp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.bounds import BoundedSum, bounded_count, bounded_gradient, bounded_total
from privacy.errors import InvalidBound, InvalidLoss, NoiseTooSmall
from privacy.lattice import REAL_SCALE
from privacy.loss import ZERO_RHO, Delta, Epsilon, Rho
from privacy.mechanisms import (
    Release,
    add_noise_share,
    draw_noise,
    epsilon_of,
    noised_update,
    release,
    release_locally,
    rho_for,
)
from privacy.noise_shares import count_scale, least_sigma, share_sigma
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit

CLIENT = PrivacyUnit.CLIENT
DELTA = Delta(1e-6)
RHO = Rho(0.05)
MANY_SIGMAS = 40  # no discrete Gaussian goes there: the chance is below 1e-340


def counts(cells: list[int], scale: int, departments: int = 3) -> BoundedSum:
    bound = ContributionBound(departments)
    return bounded_count(np.array(cells, np.int64), 4, scale=scale, unit=CLIENT, bound=bound)


def released(noised_sum: np.ndarray, bounded: BoundedSum, rho: Rho = RHO) -> Release:
    return release(
        bounded.name,
        noised_sum,
        sensitivity=bounded.sensitivity,
        scale=bounded.scale,
        rho=rho,
        unit=bounded.unit,
        relation=bounded.relation,
        bound=bounded.bound,
        cohort=3,
        tolerance=1,
    )


def test_three_noised_shares_add_up_to_a_release_near_the_truth() -> None:
    scale = count_scale(departments=3, rho=RHO, cohort=3, tolerance=1)
    parts = [counts([0, 1, 1, -1], scale), counts([3] * 5, scale), counts([], scale)]
    shares = [add_noise_share(part, rho=RHO, cohort=3, tolerance=1).values for part in parts]
    result = released(sum(shares[1:], shares[0]), parts[0])
    assert result.values.shape == (4,)
    assert (np.abs(result.values - [1, 2, 0, 5]) < MANY_SIGMAS * result.standard_error).all()
    assert not all((share == part.values).all() for share, part in zip(shares, parts, strict=True))


def test_a_release_says_everything_its_label_needs() -> None:
    bounded = counts([0], scale=4)
    result = released(bounded.values, bounded)
    sigma = share_sigma(sensitivity=12.0, rho=RHO, cohort=3, tolerance=1)
    assert result.standard_error == pytest.approx(sigma * math.sqrt(3) / 4)
    assert result.standard_error >= 3 / math.sqrt(2 * RHO.value) * math.sqrt(3 / 2)
    assert result.values.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert (result.rho, result.sensitivity) == (RHO, 3.0)
    assert (result.unit, result.relation) == (CLIENT, NeighboringRelation.ADD_OR_REMOVE)
    assert (result.bound, result.cohort, result.tolerance) == (ContributionBound(3), 3, 1)
    assert (result.mechanism, result.library) == ("discrete Gaussian", "opendp 0.16.0")


def test_an_interval_covers_the_noise_at_its_level() -> None:
    result = released(counts([], 4).values, counts([], 4))
    assert result.interval() == pytest.approx(1.959964 * result.standard_error)
    assert result.interval(0.5) == pytest.approx(NormalDist().inv_cdf(0.75) * result.standard_error)
    for level in (0.0, 1.0, math.nan):
        with pytest.raises(InvalidBound):
            result.interval(level)


def test_a_share_hides_its_values_and_leaves_the_sum_as_it_was() -> None:
    bounded = counts([0, 0], scale=8)
    share = add_noise_share(bounded, rho=RHO, cohort=3, tolerance=1)
    assert repr(share) == "NoisedShare()"
    assert bounded.values.tolist() == [16, 0, 0, 0]


def test_a_share_too_narrow_is_refused_at_the_node_and_at_the_coordinator() -> None:
    bounded = counts([0], scale=1)
    with pytest.raises(NoiseTooSmall):
        add_noise_share(bounded, rho=Rho(10.0), cohort=3, tolerance=1)
    with pytest.raises(NoiseTooSmall):
        released(bounded.values, bounded, rho=Rho(10.0))


def test_a_local_release_pays_by_itself_for_one_department() -> None:
    bounded = bounded_gradient(
        np.array([0.25, -0.5]), clip_norm=1.0, unit=CLIENT, bound=ContributionBound(1)
    )
    result = release_locally(bounded, rho=RHO)
    assert (result.cohort, result.tolerance) == (1, 0)
    assert result.standard_error >= result.sensitivity / math.sqrt(2 * RHO.value)
    assert (np.abs(result.values - [0.25, -0.5]) < MANY_SIGMAS * result.standard_error).all()


@given(
    st.integers(1, 2**40),
    st.integers(1, 2**40),
    st.floats(min_value=1, max_value=1.5),
)
def test_the_noise_is_as_wide_as_opendp_itself_asks(sensitivity: int, k: int, more: float) -> None:
    rho = sensitivity**2 / (2 * k**2) * more  # at 1.0, k is just wide enough or just too narrow
    sigma = least_sigma(sensitivity=sensitivity, rho=Rho(rho), honest=1)
    assert opendp_map(sensitivity, sigma) <= rho
    assert sigma == 1 or opendp_map(sensitivity, sigma - 1) > rho


@pytest.mark.parametrize(
    "drawn",
    [np.zeros(1, np.int64), np.zeros(5, np.int64), np.zeros((4, 1), np.int64), np.zeros(4)],
    ids=["one for all", "too many", "another shape", "reals"],
)
def test_noise_that_is_not_one_int64_for_each_coordinate_is_refused(drawn: np.ndarray) -> None:
    bounded = counts([0], scale=8)
    with pytest.raises(InvalidBound, match="noise"):
        add_noise_share(bounded, rho=RHO, cohort=3, tolerance=1, noise=lambda _sigma, _size: drawn)
    with pytest.raises(InvalidBound, match="noise"):
        release_locally(bounded, rho=RHO, noise=lambda _sigma, _size: drawn)


def test_the_noise_is_asked_for_at_the_width_that_the_release_states() -> None:
    asked: list[tuple[int, int]] = []

    def noise(sigma: int, size: int) -> np.ndarray:
        asked.append((sigma, size))
        return draw_noise(sigma, size)

    bounded = bounded_gradient(np.zeros(3), clip_norm=1.0, unit=CLIENT, bound=ContributionBound(1))
    local = release_locally(bounded, rho=RHO, noise=noise)
    add_noise_share(counts([0], scale=64), rho=RHO, cohort=3, tolerance=1, noise=noise)
    shared = released(np.zeros(4, np.int64), counts([0], scale=64))
    assert asked[0] == (round(local.standard_error * REAL_SCALE), 3)
    assert asked[1] == (round(shared.standard_error * 64 / math.sqrt(3)), 4)


def opendp_map(sensitivity: float, sigma: int) -> float:
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
    gaussian = space >> dp.m.then_gaussian(scale=float(sigma))
    return float(gaussian.map(float(sensitivity)))


@pytest.mark.parametrize("amount", [1.0, 1e4, 1e7, 2.0**38])
def test_totals_of_any_usual_size_find_wide_noise_and_room_in_the_ring(amount: float) -> None:
    bounded = bounded_total(
        "assets",
        np.array([amount]),
        np.array([0]),
        2,
        lower=0.0,
        upper=amount,
        unit=CLIENT,
        bound=ContributionBound(3),
    )
    for rho in (1e-9, 0.01, 100.0):
        share = add_noise_share(bounded, rho=Rho(rho), cohort=3, tolerance=1)
        assert (np.abs(share.values) < 2**61).all()


def test_a_cohort_whose_sum_could_wrap_is_refused_whatever_the_data() -> None:
    empty = bounded_total(
        "assets",
        np.zeros(0),
        np.zeros(0, np.int64),
        2,
        lower=0.0,
        upper=2.0**38,
        unit=CLIENT,
        bound=ContributionBound(8),
    )
    with pytest.raises(InvalidBound):
        add_noise_share(empty, rho=RHO, cohort=16, tolerance=1)
    with pytest.raises(InvalidBound):
        add_noise_share(empty, rho=Rho(1e-17), cohort=3, tolerance=1)
    with pytest.raises(InvalidBound):
        release_locally(empty, rho=Rho(1e-17))


def test_an_update_is_clipped_truncated_and_otherwise_left_alone() -> None:
    share = noised_update(np.array([0.5, -7.0, 1e300, -0.0]), bound=2.0)
    assert share.values.tolist() == [REAL_SCALE // 2, -2 * REAL_SCALE, 2 * REAL_SCALE, 0]
    assert repr(share) == "NoisedShare()"


@pytest.mark.parametrize("bound", [0.0, -1.0, math.inf, math.nan, 2.0**18 + 1])
def test_an_update_needs_a_bound_that_fits(bound: float) -> None:
    with pytest.raises(InvalidBound):
        noised_update(np.ones(2), bound=bound)


@pytest.mark.parametrize("update", [np.array([]), np.zeros((1, 2)), np.array([math.nan])])
def test_an_update_is_a_finite_vector(update: np.ndarray) -> None:
    with pytest.raises(InvalidBound):
        noised_update(update, bound=1.0)


def tight(epsilon: float, rho: Rho) -> bool:
    """Tell whether rho is the budget of epsilon: never above, and a millionth more would be."""
    below = epsilon_of(rho, DELTA).value <= epsilon
    return below and epsilon_of(Rho(rho.value * (1 + 1e-6)), DELTA).value > epsilon


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 1.0, 2.0, 8.0, 50.0])
def test_the_rho_for_an_epsilon_is_the_largest_that_keeps_it(epsilon: float) -> None:
    assert tight(epsilon, rho_for(Epsilon(epsilon), DELTA))


def test_epsilon_two_at_one_in_a_million_is_the_figure_in_the_notes() -> None:
    assert rho_for(Epsilon(2.0), DELTA).value == pytest.approx(0.0881527, rel=1e-5)


def test_the_textbook_conversion_is_not_tight_and_a_rounded_up_rho_is_too_much() -> None:
    textbook = (math.sqrt(2.0 + math.log(1e6)) - math.sqrt(math.log(1e6))) ** 2
    assert not tight(2.0, Rho(textbook))
    assert not tight(2.0, Rho(rho_for(Epsilon(2.0), DELTA).value * 1.00001))


@settings(max_examples=30)
@given(st.floats(min_value=1e-4, max_value=50), st.floats(min_value=1.0001, max_value=2))
def test_more_rho_never_means_less_epsilon(rho: float, more: float) -> None:
    assert epsilon_of(Rho(rho), DELTA) <= epsilon_of(Rho(rho * more), DELTA)


def test_no_loss_is_no_epsilon_and_no_epsilon_buys_nothing() -> None:
    assert epsilon_of(ZERO_RHO, DELTA) == Epsilon(0.0)
    with pytest.raises(InvalidLoss):
        rho_for(Epsilon(0.0), DELTA)


def test_losses_beyond_what_opendp_converts_are_refused() -> None:
    with pytest.raises(InvalidLoss):
        epsilon_of(Rho(1e6), DELTA)
    with pytest.raises(InvalidLoss):
        rho_for(Epsilon(1e6), DELTA)
    with pytest.raises(InvalidLoss):
        rho_for(Epsilon(1e-300), DELTA)
