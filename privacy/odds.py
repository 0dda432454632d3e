"""What a loss means: how much better an attacker guesses, and what it buys the asker. Pure.

The attacker knows everything but whether one unit is in the data, and sees the release. Two bounds:

* pure epsilon-DP, whatever the mechanism: the odds of "in" grow by at most e^epsilon;
* the Gaussian mechanism of loss rho shifts a normal by at most mu = sqrt(2 rho) standard deviations
  (mu-GDP, Dong, Roth and Su 2022, Theorem 2.7; many releases add up as mu^2, Corollary 3.3). With
  a coin-flip prior the best guess is then right with probability Phi(mu / 2).

Noise is a discrete Gaussian: from 8 lattice points a share on, its best guess differs from the
normal one by less than a thousandth of the advantage: measured on its probabilities, not proved.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

from privacy.errors import InvalidBound, InvalidLoss
from privacy.loss import Delta, Epsilon, Rho
from privacy.mechanisms import epsilon_of
from privacy.planning import (
    normal_quantile,
    positive,
)

MOST_EPSILON = 100.0
"""A larger epsilon promises nothing: it is refused as a mistake."""

_STEPS = 200
_ROOT_2 = math.sqrt(2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What one loss lets an attacker do. Public.

    Attributes:
        epsilon: at delta.
        delta: where epsilon is stated.
        mu: of the Gaussian release, in standard deviations.
        prior: how likely the attacker thought it that the unit is in, strictly between 0 and 1.
        posterior: how likely at most after a release under pure epsilon.
        beyond: chance that the Gaussian release, with the unit in, passes that posterior.
        pure_guess: how often a guess is right that was a coin flip before, under pure epsilon.
        gaussian_guess: the same for the Gaussian release.
    """

    epsilon: Epsilon
    delta: Delta
    mu: float
    prior: float
    posterior: float
    beyond: float
    pure_guess: float
    gaussian_guess: float


def odds_of_release(rho: Rho, delta: Delta, *, prior: float = 0.1) -> Odds:
    """Return the odds of Gaussian releases that cost rho together: mu = sqrt(2 rho).

    Raises:
        InvalidLoss: epsilon at delta is above 100, or rho is too large to convert.
        InvalidBound: the prior is not strictly between 0 and 1.
    """
    return _odds(epsilon_of(rho, delta), delta, math.sqrt(2 * rho.value), prior)


def odds_of_claim(epsilon: Epsilon, delta: Delta, *, prior: float = 0.1) -> Odds:
    """Return the odds of one Gaussian release of which only (epsilon, delta) is known.

    Raises:
        InvalidLoss: epsilon is above 100.
        InvalidBound: the prior is not strictly between 0 and 1.
    """
    return _odds(epsilon, delta, gaussian_mu(epsilon, delta), prior)


def _odds(epsilon: Epsilon, delta: Delta, mu: float, prior: float) -> Odds:
    return Odds(
        epsilon=epsilon,
        delta=delta,
        mu=mu,
        prior=prior,
        posterior=posterior(prior, epsilon),
        beyond=_phi(mu / 2 - epsilon.value / mu) if mu else 0.0,
        pure_guess=posterior(0.5, epsilon),
        gaussian_guess=_phi(mu / 2),
    )


def posterior(prior: float, epsilon: Epsilon) -> float:
    """Return the most that a belief can become under pure epsilon: odds times e^epsilon (Bayes).

    With a prior of 1/2 it is also how often the best guess is right: 1 / (1 + e^-epsilon).

    Args:
        prior: strictly between 0 and 1.
        epsilon: at most 100.

    Raises:
        InvalidBound: the prior is out of range.
        InvalidLoss: epsilon is absurd.
    """
    check_epsilon(epsilon)
    if not 0 < prior < 1:
        raise InvalidBound("prior", prior)
    return prior / (prior + (1 - prior) * math.exp(-epsilon.value))


def check_epsilon(epsilon: Epsilon) -> None:
    """Refuse an epsilon above 100 with InvalidLoss: it is a slip, not a choice."""
    if epsilon.value > MOST_EPSILON:
        raise InvalidLoss("epsilon", epsilon.value)


def check_delta(delta: Delta, clients: float) -> None:
    """Refuse a delta at which publishing one client's row outright would pass.

    Args:
        delta: where epsilon is stated.
        clients: a guess of the number of clients n, or a lower bound of it.

    Raises:
        InvalidBound: delta >= 1 / n.
    """
    if not delta.value * clients < 1:
        raise InvalidBound("delta", f"{delta.value} is not below 1 / {clients} clients")


def gaussian_delta(mu: float, epsilon: Epsilon) -> float:
    """Return the least delta at which a mu-Gaussian release is (epsilon, delta)-DP.

    Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu) (Balle and Wang 2018, Theorem 8, with
    mu = sensitivity / sigma).

    Args:
        mu: above 0.
        epsilon: at most 100.

    Raises:
        InvalidBound: mu is not finite and above 0.
        InvalidLoss: epsilon is absurd.
    """
    check_epsilon(epsilon)
    positive("mu", mu)
    e = epsilon.value
    if e == 0:
        return math.erf(mu / 2 / _ROOT_2)
    return max(0.0, _phi(mu / 2 - e / mu) - math.exp(e) * _phi(-mu / 2 - e / mu))


def gaussian_mu(epsilon: Epsilon, delta: Delta) -> float:
    """Return the largest mu whose exact profile is within (epsilon, delta), to one part in 10^12.

    Raises:
        InvalidLoss: epsilon is absurd.
    """
    low, high = 1.0, 1.0
    while gaussian_delta(high, epsilon) < delta.value:
        high *= 2
    while gaussian_delta(low, epsilon) > delta.value:
        low /= 2
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        if gaussian_delta(middle, epsilon) < delta.value:
            low = middle
        else:
            high = middle
    return high


def rho_near(epsilon: Epsilon, delta: Delta) -> Rho:
    """Return the rho of (epsilon, delta) without OpenDP, in a millisecond: to plan, not to spend.

    With epsilon = min over alpha > 1 of alpha rho + g(alpha), where
    g = (ln(1/delta) + (alpha - 1) ln(1 - 1/alpha) - ln alpha) / (alpha - 1) (Canonne, Kamath and
    Steinke 2020, Corollary 13), rho is the maximum over alpha of (epsilon - g(alpha)) / alpha.
    `mechanisms.rho_for` asks OpenDP; this stays below it by less than one part in 10^11.

    Raises:
        InvalidLoss: epsilon is 0 or absurd.
    """
    check_epsilon(epsilon)
    if epsilon.value == 0:
        raise InvalidLoss("epsilon", epsilon.value)

    def rho(log_order: float) -> float:
        more = math.exp(log_order)
        gain = -more * math.log1p(1 / more) - math.log1p(more) - math.log(delta.value)
        return (epsilon.value - gain / more) / (1 + more)

    low, high = math.log(1e-6), math.log(1e9)
    for _ in range(_STEPS):
        third = (high - low) / 3
        if rho(low + third) < rho(high - third):
            low += third
        else:
            high -= third
    return Rho(rho(low) * (1 - 2e-12))


def smallest_group(deviation: float, *, level: float = 0.95, power: float = 0.95) -> int:
    """Return the least number of clients whose noised count is told apart from zero.

    A count is told apart when it is above its own interval, z sigma. With N clients that happens
    with probability Phi(N / sigma - z), so N = sigma (z + quantile of `power`), rounded up.

    Args:
        deviation: sigma, of the count's noise in clients, above 0.
        level: of the interval, strictly between 0 and 1.
        power: how often such a group must be told, strictly between 0 and 1.

    Raises:
        InvalidBound: an argument is out of range.
    """
    positive("deviation", deviation)
    if not 0 < power < 1:
        raise InvalidBound("power", power)
    z, surely = normal_quantile(level), NormalDist().inv_cdf(power)
    return math.ceil(max(0.0, deviation * (z + surely)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one epsilon buys: the half width of each statistic, and how often it can be asked."""

    epsilon: Epsilon
    rho: Rho
    errors: tuple[float, ...]
    questions_left: int


def log_grid(lowest: Epsilon, highest: Epsilon, points: int) -> tuple[Epsilon, ...]:
    """Return at least 2 epsilons with equal ratios, both ends included; InvalidBound otherwise."""
    if not (0 < lowest.value < highest.value and points > 1):
        raise InvalidBound("grid", f"{points} points from {lowest.value} to {highest.value}")
    ratio = highest.value / lowest.value
    return tuple(Epsilon(lowest.value * ratio ** (i / (points - 1))) for i in range(points))


def questions_left(remaining: Rho, each: Rho) -> int:
    """Return how many questions of one price still fit, compared without rounding.

    Raises:
        InvalidLoss: a question costs nothing.
    """
    if each.value == 0:
        raise InvalidLoss("rho", each.value)
    return Fraction(remaining.value) // Fraction(each.value)


def _phi(x: float) -> float:
    return math.erfc(-x / _ROOT_2) / 2
