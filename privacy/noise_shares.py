"""How wide one node's share of the noise is. Pure arithmetic on public numbers.

The target is a discrete Gaussian of variance sigma^2 = D^2 / (2 rho), where D is the L2
sensitivity; then the release is rho-zCDP (Canonne, Kamath and Steinke 2020, Theorem 4).

In a cohort of n, each node adds an independent discrete Gaussian of variance sigma^2 / (n - t): any
n - t shares carry the whole sigma^2, so t of them may be known or missing. From a share of 8 on, a
sum of discrete Gaussians is a discrete Gaussian up to a term below 1e-270 (Kairouz, Liu and Steinke
2021, Theorem 1), which vanishes in float64.

Widths are rounded up to a public list, so that nodes can stock noise (`noise_pool`). Both sides of
a release derive the same width from the plan, and the release states the width that was used.
"""

import math
from collections.abc import Callable
from fractions import Fraction

from privacy.bounds import MOST_UNITS, BoundedSum
from privacy.errors import InvalidBound, InvalidLoss, NoiseTooSmall
from privacy.lattice import MAGNITUDE_LIMIT, IntVector
from privacy.loss import Rho, rounded_up
from privacy.units import ContributionBound

MINIMUM_SHARE_SIGMA = 8
"""Narrowest noise share, in lattice points."""

SIGNIFICANT_BITS = 7
"""A width has at most so many significant binary digits: 64 widths from any power of two to the
next. (Powers of the square root of 2 would be fewer, and cost up to 41 % of accuracy.)"""

Noise = Callable[[int, int], IntVector]
"""Draws fresh noise: (sigma, size) -> int64[size], each draw used for one sum only."""

_FINEST_COUNT = 2**38
_TAIL = 12
"""A discrete Gaussian is subgaussian: it passes 12 sigma with probability below 1e-31."""


def least_sigma(*, sensitivity: float, rho: Rho, honest: int) -> int:
    """Return the least integer s of at least 1 with honest * s^2 >= D^2 / (2 rho), exactly.

    OpenDP takes it as a float64: from 2^53 on it is the least such float64, still an integer.

    Args:
        sensitivity: D, L2, in lattice points, above 0. Public.
        rho: loss of the release, above 0. Public.
        honest: over how many independent shares the variance is spread, at least 1. Public.

    Raises:
        InvalidBound: the sensitivity is not finite and above 0.
        InvalidLoss: rho is 0, or so small that no float64 is as wide as its noise.
    """
    if not (math.isfinite(sensitivity) and sensitivity > 0):
        raise InvalidBound("sensitivity", sensitivity)
    if rho.value == 0:
        raise InvalidLoss("rho", rho.value)
    variance = Fraction(sensitivity) ** 2 / (2 * Fraction(rho.value) * honest)
    sigma = math.isqrt(math.ceil(variance) - 1) + 1
    try:
        return int(rounded_up(Fraction(sigma)))
    except OverflowError as error:
        raise InvalidLoss("rho", rho.value) from error


def sigma_class(sigma: int) -> int:
    """Return the least width of the public list that is not below sigma, both in lattice points.

    Wider noise only adds privacy: rho is charged as if it were not wider. It grows by less than one
    part in 64 (1.6 %), and not at all up to 128.

    Args:
        sigma: at least 1. Public.
    """
    step = 1 << max(0, sigma.bit_length() - SIGNIFICANT_BITS)
    return -(-sigma // step) * step


def honest_shares(*, cohort: int, tolerance: int) -> int:
    """Return n - t, the number of shares that must carry the whole noise.

    Raises:
        InvalidBound: not 0 <= t < n.
    """
    if cohort < 1:
        raise InvalidBound("cohort", cohort)
    if not 0 <= tolerance < cohort:
        raise InvalidBound("tolerance", tolerance)
    return cohort - tolerance


def share_sigma(*, sensitivity: float, rho: Rho, cohort: int, tolerance: int) -> int:
    """Return the standard deviation of one node's share, in lattice points: a width of the list.

    Guarantee: any n - t shares together have variance at least D^2 / (2 rho), computed exactly.

    Args:
        sensitivity: D, L2 over all departments, in lattice points, above 0. Public.
        rho: loss of the release, above 0. Public.
        cohort: n, number of nodes that add a share, at least 1. Public.
        tolerance: t, how many shares may be known or missing: 0 <= t < n. Public.

    Raises:
        NoiseTooSmall: below 8: the shares would not add up to a discrete Gaussian.
        InvalidBound: sensitivity, cohort or tolerance out of range.
        InvalidLoss: rho is 0.
    """
    honest = honest_shares(cohort=cohort, tolerance=tolerance)
    sigma = least_sigma(sensitivity=sensitivity, rho=rho, honest=honest)
    if sigma < MINIMUM_SHARE_SIGMA:
        raise NoiseTooSmall(sigma, MINIMUM_SHARE_SIGMA)
    return sigma_class(sigma)


def count_scale(*, departments: int, rho: Rho, cohort: int, tolerance: int) -> int:
    """Return the smallest power of two at which a count's noise share is at least 8 wide.

    Args:
        departments: k, in how many departments a unit counts, at least 1. Public.
        rho: loss of the release, above 0. Public.
        cohort: n, number of nodes that add a share. Public.
        tolerance: t, how many shares may be known or missing. Public.

    Raises:
        NoiseTooSmall: even the finest lattice is too coarse: rho is absurdly large.
        InvalidBound: departments, cohort or tolerance out of range.
        InvalidLoss: rho is 0.
    """
    honest = honest_shares(cohort=cohort, tolerance=tolerance)
    k = ContributionBound(departments).departments
    scale = 1
    while scale < _FINEST_COUNT:
        if least_sigma(sensitivity=scale * k, rho=rho, honest=honest) >= MINIMUM_SHARE_SIGMA:
            break
        scale *= 2
    share_sigma(sensitivity=scale * k, rho=rho, cohort=cohort, tolerance=tolerance)
    return scale


def check_room(bounded: BoundedSum, *, sigma: int, cohort: int) -> None:
    """Refuse if the sum of a full cohort could leave +-2^62. Looks at public numbers only.

    Args:
        bounded: one node's sum; its values are not looked at.
        sigma: standard deviation of one node's share. Public.
        cohort: n, number of nodes that add a share. Public.

    Raises:
        InvalidBound: there is no coordinate, or n (2^21 reach + 12 sigma) > 2^62.
    """
    if bounded.values.size == 0:
        raise InvalidBound("bounded", "no coordinates")
    reach = math.ceil(bounded.sensitivity / bounded.bound.departments)
    if cohort * (MOST_UNITS * reach + _TAIL * sigma) > MAGNITUDE_LIMIT:
        raise InvalidBound("bounded", "the noised sum of a full cohort could pass 2^62")
