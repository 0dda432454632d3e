"""Noise. The only importer of opendp, and the only mint of NoisedShare and Release.

Every sample is OpenDP's discrete Gaussian over int64, exact in rational arithmetic (Canonne, Kamath
and Steinke 2020). How wide a share is, and why, is in `noise_shares`.
"""

import math
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.metadata import version
from statistics import NormalDist

import numpy as np
import opendp.prelude as dp
from opendp.core import as_array

from privacy.bounds import BoundedSum
from privacy.errors import InvalidBound, InvalidLoss
from privacy.lattice import (
    REAL_SCALE,
    IntVector,
    RealVector,
    from_lattice,
    truncate_to_lattice,
)
from privacy.loss import Delta, Epsilon, Rho
from privacy.noise_shares import Noise, check_room, least_sigma, share_sigma, sigma_class
from privacy.total_lattice import LONGEST_REACH
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit

dp.enable_features("contrib")

MECHANISM = "discrete Gaussian"
LIBRARY = f"opendp {version('opendp')}"

_SPACE = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoisedShare:
    """One node's integers with noise in them, ready to be masked. Minted in this module only.

    Attributes:
        values: int64[d] in lattice points; hidden from repr: alone it has only a share of noise.
    """

    values: IntVector = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Release:
    """A public result with everything that its label needs. Minted in this module only.

    Attributes:
        name: what was released.
        values: float64[d], public.
        standard_error: of the whole cohort's noise in each coordinate, in the values' unit.
        rho: the zCDP loss for the worst coalition of `tolerance` departments.
        sensitivity: L2, over all departments, in the values' unit.
        unit: whose presence is protected.
        relation: how neighbors differ.
        bound: in how many departments a unit counted.
        cohort: number of nodes that added noise.
        tolerance: how many of their shares may be known or missing.
        mechanism: its name.
        library: the sampler and its version.
    """

    name: str
    values: RealVector
    standard_error: float
    rho: Rho
    sensitivity: float
    unit: PrivacyUnit
    relation: NeighboringRelation
    bound: ContributionBound
    cohort: int
    tolerance: int
    mechanism: str = MECHANISM
    library: str = LIBRARY

    def interval(self, level: float = 0.95) -> float:
        """Return the half width of an interval that covers one coordinate's noise.

        Args:
            level: probability of covering, strictly between 0 and 1.

        Raises:
            InvalidBound: the level is not a probability.
        """
        if not 0 < level < 1:
            raise InvalidBound("level", level)
        return NormalDist().inv_cdf(0.5 + level / 2) * self.standard_error


@lru_cache(maxsize=1 << 14)
def epsilon_of(rho: Rho, delta: Delta) -> Epsilon:
    """Return the epsilon at delta that rho-zCDP implies, by OpenDP's conversion.

    Guarantee: every rho-zCDP mechanism is (result, delta)-DP (Canonne, Kamath and Steinke 2020,
    Corollary 13, optimized over the order; OpenDP rounds outward).

    Raises:
        InvalidLoss: rho is so large that the conversion overflows.
    """
    if rho.value == 0:
        return Epsilon(0.0)
    distance = math.nextafter(math.sqrt(math.nextafter(2 * rho.value, math.inf)), math.inf)
    try:
        profile = dp.c.make_zCDP_to_approxDP(_SPACE >> dp.m.then_gaussian(scale=1.0)).map(distance)
        return Epsilon(profile.epsilon(delta=delta.value))
    except dp.OpenDPException as error:
        raise InvalidLoss("rho", rho.value) from error


@cache
def rho_for(epsilon: Epsilon, delta: Delta) -> Rho:
    """Return the largest rho, to one part in 10^12 below, with epsilon_of(rho, delta) <= epsilon.

    Raises:
        InvalidLoss: epsilon is 0, or so small or large that no float64 rho fits it.
    """
    log_delta = -math.log(delta.value)
    root = epsilon.value / (math.sqrt(epsilon.value + log_delta) + math.sqrt(log_delta))
    fits = Rho(root * root)  # epsilon = rho + 2 sqrt(rho ln(1/delta)): valid, never optimal
    while epsilon_of(fits, delta) > epsilon:
        fits = Rho(fits.value / 2)
    if fits.value == 0:
        raise InvalidLoss("epsilon", epsilon.value)
    factor = 2.0
    while epsilon_of(exceeds := Rho(fits.value * factor), delta) <= epsilon:
        fits = exceeds
        factor *= factor
    while exceeds.value > fits.value * (1 + 1e-12):
        middle = Rho(math.sqrt(fits.value) * math.sqrt(exceeds.value))
        if epsilon_of(middle, delta) <= epsilon:
            fits = middle
        else:
            exceeds = middle
    return fits


def draw_noise(sigma: int, size: int) -> IntVector:
    """Draw fresh noise: OpenDP's discrete Gaussian mechanism of zeros. The only source of noise.

    The mechanism of x is x plus its noise, exactly, for it adds integers: so noise may be drawn
    before there is a sum (`noise_pool`). Takes about 10 microseconds a draw; releases the GIL.

    Args:
        sigma: standard deviation in lattice points. Public.
        size: number of draws. Public.

    Returns:
        int64[size]. SENSITIVE: each draw hides one coordinate of one sum.
    """
    drawn: IntVector = _gaussian(sigma)(np.zeros(size, dtype=np.int64))
    return drawn


@lru_cache(maxsize=256)
def _gaussian(sigma: int) -> dp.Measurement:
    measurement: dp.Measurement = _SPACE >> dp.m.then_gaussian(scale=float(sigma)) >> as_array()
    return measurement


def _noised(bounded: BoundedSum, sigma: int, *, cohort: int, noise: Noise) -> IntVector:
    """Add noise to a sum, after refusing what could wrap. The refusal looks at public numbers."""
    check_room(bounded, sigma=sigma, cohort=cohort)
    drawn = noise(sigma, bounded.values.size)
    if drawn.shape != bounded.values.shape or drawn.dtype != np.int64:
        raise InvalidBound("noise", "not one int64 for each coordinate")
    return bounded.values + drawn


def add_noise_share(
    bounded: BoundedSum, *, rho: Rho, cohort: int, tolerance: int, noise: Noise = draw_noise
) -> NoisedShare:
    """Add one node's share of the noise, drawn by OpenDP over the integers.

    Guarantee: the sum over the cohort, seen by anyone who knows at most t of the shares, is
    rho-zCDP with respect to one unit in all its departments.

    Args:
        bounded: this node's sum. Sensitive values, public sensitivity.
        rho: loss of the release. Public.
        cohort: n, number of nodes that add a share. Public.
        tolerance: t, how many shares may be known or missing. Public.
        noise: draws the share: draw_noise, or a pool of what it drew.

    Raises:
        NoiseTooSmall: the share would be narrower than 8 lattice points.
        InvalidBound: n or t out of range, or n (2^21 reach + 12 sigma) > 2^62: the sum could wrap.
        InvalidLoss: rho is 0.
    """
    sigma = share_sigma(
        sensitivity=bounded.sensitivity, rho=rho, cohort=cohort, tolerance=tolerance
    )
    return NoisedShare(values=_noised(bounded, sigma, cohort=cohort, noise=noise))


def release(
    name: str,
    noised_sum: IntVector,
    *,
    sensitivity: float,
    scale: int,
    rho: Rho,
    unit: PrivacyUnit,
    relation: NeighboringRelation,
    bound: ContributionBound,
    cohort: int,
    tolerance: int,
) -> Release:
    """Publish the unmasked sum of a whole cohort's noised shares, at the coordinator.

    Args:
        name: what was summed.
        noised_sum: int64[d], the sum of all n shares in lattice points.
        sensitivity: L2 over all departments, in lattice points.
        scale: lattice points per unit of measure.
        rho: loss that the ledger reserved for this release.
        unit: whose presence is protected.
        relation: how neighbors differ.
        bound: in how many departments a unit counted.
        cohort: n, number of nodes whose share is in the sum.
        tolerance: t, how many shares may be known or missing.

    Raises:
        NoiseTooSmall, InvalidBound, InvalidLoss: what no node may have noised; see share_sigma.
    """
    sigma = share_sigma(sensitivity=sensitivity, rho=rho, cohort=cohort, tolerance=tolerance)
    return Release(
        name=name,
        values=from_lattice(noised_sum, scale),
        standard_error=sigma * math.sqrt(cohort) / scale,
        rho=rho,
        sensitivity=sensitivity / scale,
        unit=unit,
        relation=relation,
        bound=bound,
        cohort=cohort,
        tolerance=tolerance,
    )


def release_locally(bounded: BoundedSum, *, rho: Rho, noise: Noise = draw_noise) -> Release:
    """Release one department's sum with the whole noise added by its own node.

    Guarantee: OpenDP's own map of the sensitivity is at most rho. There is no sum of shares, so the
    noise may be narrower than 8 points.

    Args:
        bounded: this node's sum. Sensitive values, public sensitivity.
        rho: loss of the release, above 0. Public.
        noise: as for add_noise_share.

    Raises:
        InvalidBound: the noised sum could pass 2^62.
        InvalidLoss: rho is 0.
    """
    sigma = sigma_class(least_sigma(sensitivity=bounded.sensitivity, rho=rho, honest=1))
    noised = _noised(bounded, sigma, cohort=1, noise=noise)
    return Release(
        name=bounded.name,
        values=from_lattice(noised, bounded.scale),
        standard_error=sigma / bounded.scale,
        rho=rho,
        sensitivity=bounded.sensitivity / bounded.scale,
        unit=bounded.unit,
        relation=bounded.relation,
        bound=bounded.bound,
        cohort=1,
        tolerance=0,
    )


def noised_update(update: RealVector, *, bound: float) -> NoisedShare:
    """Put a weight update on the lattice for masked averaging; no further noise is added.

    The update must be a function of Releases and public numbers only, so that sending it is
    post-processing and costs nothing.

    Args:
        update: float64[d], d at least 1; coordinates beyond the bound are clipped to it.
        bound: largest |u_i| that is sent, above 0 and at most 2^18. Public.

    Returns:
        int64[d] at scale 2^20.

    Raises:
        InvalidBound: the update is empty or not finite, or the bound is unusable.
    """
    if not (math.isfinite(bound) and 0 < bound * REAL_SCALE <= LONGEST_REACH):
        raise InvalidBound("bound", bound)
    weights = np.asarray(update, dtype=np.float64)
    if weights.ndim != 1 or weights.size == 0:
        raise InvalidBound("update", f"shape {weights.shape}")
    if not np.isfinite(weights).all():
        raise InvalidBound("update", "not all are finite")
    return NoisedShare(values=truncate_to_lattice(np.clip(weights, -bound, bound), REAL_SCALE))
