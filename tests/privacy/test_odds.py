import math
from fractions import Fraction

import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_mechanism import GaussianPrivacyLoss
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from privacy.errors import InvalidBound, InvalidLoss
from privacy.loss import ZERO_RHO, Delta, Epsilon, Rho
from privacy.mechanisms import rho_for
from privacy.odds import (
    Odds,
    check_delta,
    gaussian_delta,
    gaussian_mu,
    log_grid,
    odds_of_claim,
    odds_of_release,
    posterior,
    questions_left,
    rho_near,
    smallest_group,
)
from privacy.odds_text import percent, sentences
from privacy.planning import Sharing
from privacy.units import PrivacyUnit

DELTA = Delta(1e-6)
THREE = Sharing(cohort=3, tolerance=1, departments=1)
EPSILONS = st.floats(1e-4, 50).map(Epsilon)
DELTAS = st.floats(-12, -2).map(lambda x: Delta(10**x))

TABLE = [
    (0.1, "1.11", "52.5", "10.9", "50.5"),
    (0.5, "1.65", "62.2", "15.5", "52.5"),
    (1.0, "2.72", "73.1", "23.2", "54.7"),
    (2.0, "7.39", "88.1", "45.1", "58.9"),
    (3.0, "20.1", "95.3", "69.1", "62.7"),
    (5.0, "148", "99.3", "94.3", "69.5"),
    (8.0, "2,981", "99.97", "99.7", "77.8"),
]


def shown(odds: Odds) -> tuple[str, str, str]:
    return percent(odds.pure_guess), percent(odds.posterior), percent(odds.gaussian_guess)


@pytest.mark.parametrize(("epsilon", "factor", "pure", "after", "gaussian"), TABLE)
def test_the_published_table_comes_out(
    epsilon: float, factor: str, pure: str, after: str, gaussian: str
) -> None:
    odds = odds_of_claim(Epsilon(epsilon), DELTA)
    assert shown(odds) == (pure, after, gaussian)
    for language, space in (("en", " "), ("zh", "")):
        belief, guess, worst, loss = sentences(odds, language)  # type: ignore[arg-type]
        assert f"10{space}%" in belief
        assert f"{after}{space}%" in belief
        assert f"{gaussian}{space}%" in guess
        assert f"{pure}{space}%" in worst
        assert f" {factor} " in loss
        assert f"ε = {epsilon:g}" in loss
        assert "δ = 1e-06" in loss


def wrong_odds(epsilon: float) -> str:
    """Repeat a mistake once published: e^(epsilon/e) instead of e^epsilon."""
    factor = math.exp(epsilon / math.e)
    return percent(factor / (1 + factor))


def test_a_wrong_formula_does_not_give_the_table() -> None:
    assert all(wrong_odds(epsilon) != pure for epsilon, _, pure, _, _ in TABLE)


@given(st.floats(0.001, 0.999), st.floats(0, 100))
def test_a_belief_after_the_worst_release_is_bayes_rule(prior: float, epsilon: float) -> None:
    p, factor = Fraction(prior), Fraction(math.exp(epsilon))
    bayes = factor * p / (factor * p + (1 - p))
    assert posterior(prior, Epsilon(epsilon)) == pytest.approx(float(bayes), rel=1e-12)


@given(EPSILONS, DELTAS)
def test_mu_solves_the_exact_profile_and_never_understates(epsilon: Epsilon, delta: Delta) -> None:
    mu = gaussian_mu(epsilon, delta)
    e = epsilon.value
    exact = norm.cdf(mu / 2 - e / mu) - math.exp(e) * norm.cdf(-mu / 2 - e / mu)
    assert exact == pytest.approx(delta.value, rel=1e-6)
    assert gaussian_delta(mu, epsilon) >= delta.value
    assert gaussian_delta(mu * (1 - 1e-6), epsilon) < delta.value


@settings(max_examples=30)
@given(st.floats(0.05, 5), st.floats(0, 20))
def test_the_profile_is_that_of_a_second_accountant(mu: float, epsilon: float) -> None:
    other = GaussianPrivacyLoss(1 / mu).get_delta_for_epsilon(epsilon)
    assert gaussian_delta(mu, Epsilon(epsilon)) == pytest.approx(other, rel=1e-6, abs=1e-15)


@given(EPSILONS, st.floats(1.01, 2), DELTAS)
def test_more_loss_never_helps_a_client(epsilon: Epsilon, factor: float, delta: Delta) -> None:
    less, more = (odds_of_claim(Epsilon(e), delta) for e in (epsilon.value, epsilon.value * factor))
    assert less.mu < more.mu
    assert less.pure_guess <= more.pure_guess
    assert less.posterior <= more.posterior
    assert less.gaussian_guess <= more.gaussian_guess
    assert less.gaussian_guess <= less.pure_guess + less.delta.value


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_a_release_is_judged_by_its_own_rho_which_is_kinder_than_its_claim(epsilon: float) -> None:
    rho = rho_for(Epsilon(epsilon), DELTA)
    odds = odds_of_release(rho, DELTA)
    assert odds.epsilon.value == pytest.approx(epsilon, rel=1e-9)
    assert odds.mu == math.sqrt(2 * rho.value) < gaussian_mu(Epsilon(epsilon), DELTA)
    assert odds.gaussian_guess == pytest.approx(norm.cdf(odds.mu / 2), rel=1e-12)
    assert odds.beyond == pytest.approx(norm.sf(epsilon / odds.mu - odds.mu / 2), rel=1e-6)


def test_no_loss_is_blind_guessing() -> None:
    odds = odds_of_release(ZERO_RHO, DELTA, prior=0.25)
    assert (odds.gaussian_guess, odds.pure_guess, odds.posterior) == (0.5, 0.5, 0.25)
    assert odds.beyond == 0


def advantage(shift: int, sigma: float) -> float:
    """Return 2 (best guess) - 1 between two discrete Gaussians, from their probabilities."""
    points = np.arange(-int(40 * sigma), int(40 * sigma) + shift)
    here = np.exp(-(points**2) / (2 * sigma**2))
    there = np.exp(-((points - shift) ** 2) / (2 * sigma**2))
    return float(np.abs(here - there).sum() / here.sum() / 2)


@pytest.mark.parametrize("shift", [1, 2, 3, 8, 16, 33])
def test_discrete_noise_gives_the_promised_odds_to_a_thousandth(shift: int) -> None:
    sigma = 8 * math.sqrt(2)  # two honest shares of the narrowest kind
    promised = 2 * norm.cdf(shift / sigma / 2) - 1
    assert advantage(shift, sigma) == pytest.approx(promised, rel=1e-3)
    assert advantage(shift, sigma / math.sqrt(2)) > promised * 1.1  # one share is missing


@settings(max_examples=15)
@given(st.floats(1e-3, 50).map(Epsilon), DELTAS)
def test_the_fast_rho_stays_just_below_opendp(epsilon: Epsilon, delta: Delta) -> None:
    fast, asked = rho_near(epsilon, delta).value, rho_for(epsilon, delta).value
    assert asked * (1 - 1e-11) <= fast <= asked


@given(st.integers(1, 1000), st.floats(1e-6, 1).map(Rho))
def test_as_many_questions_are_left_as_the_filter_lets_through(n: int, each: Rho) -> None:
    exactly = each.times(n)
    assert questions_left(exactly, each) == n
    assert questions_left(Rho(math.nextafter(exactly.value, 0) * (1 - 1e-12)), each) == n - 1


@given(st.floats(0.1, 1e4), st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_the_smallest_group_is_told_from_zero_as_often_as_asked(
    sigma: float, level: float, power: float
) -> None:
    group = smallest_group(sigma, level=level, power=power)
    threshold = norm.ppf(0.5 + level / 2) * sigma
    assert norm.sf(threshold, loc=group, scale=sigma) >= power * (1 - 1e-9)
    assert norm.sf(threshold, loc=group - 1, scale=sigma) <= power * (1 + 1e-9)


def test_chances_near_one_never_read_as_certain() -> None:
    assert [percent(p) for p in (0.5, 0.7311, 0.99966, 0.999999, 0.9999999, 1.0)] == [
        "50.0",
        "73.1",
        "99.97",
        "99.9999",
        "> 99.9999",
        "> 99.9999",
    ]


def test_what_makes_no_sense_is_refused() -> None:
    for epsilon in (-1.0, math.nan, math.inf, 101.0):
        with pytest.raises(InvalidLoss):
            posterior(0.5, Epsilon(epsilon))
        with pytest.raises(InvalidLoss):
            odds_of_claim(Epsilon(epsilon), DELTA)
    for prior in (0.0, 1.0, math.nan):
        with pytest.raises(InvalidBound, match="prior"):
            posterior(prior, Epsilon(1.0))
    for clients in (1_000_000, 2_000_000, math.nan):
        with pytest.raises(InvalidBound, match="delta"):
            check_delta(DELTA, clients)
    check_delta(DELTA, 999_999)
    for mu in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidBound, match="mu"):
            gaussian_delta(mu, Epsilon(1.0))
    with pytest.raises(InvalidLoss):
        rho_near(Epsilon(0.0), DELTA)
    with pytest.raises(InvalidLoss):
        questions_left(Rho(1), ZERO_RHO)
    for low, high, points in ((0.0, 1.0, 5), (1.0, 1.0, 5), (1.0, 2.0, 1)):
        with pytest.raises(InvalidBound, match="grid"):
            log_grid(Epsilon(low), Epsilon(high), points)
    for sigma, level, power in ((0.0, 0.9, 0.9), (1.0, 1.0, 0.9), (1.0, 0.9, 0.0)):
        with pytest.raises(InvalidBound):
            smallest_group(sigma, level=level, power=power)
    with pytest.raises(InvalidBound, match="language"):
        sentences(odds_of_claim(Epsilon(1.0), DELTA), "fr")  # type: ignore[arg-type]


def test_where_the_household_is_the_unit_no_sentence_speaks_of_a_client() -> None:
    odds = odds_of_claim(Epsilon(1.0), DELTA)
    english = " ".join(sentences(odds, "en", PrivacyUnit.HOUSEHOLD))
    chinese = "".join(sentences(odds, "zh", PrivacyUnit.HOUSEHOLD))
    assert english.count("household") == 3
    assert chinese.count("户家庭") == 3
    assert "client" not in english
    assert "客户" not in chinese
    assert "client" in " ".join(sentences(odds, "en"))
