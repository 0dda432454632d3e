"""The noise that nodes really draw, against the distribution that the proofs assume.

Every check rejects at 1e-9: a failure is evidence against the code, not bad luck. Samples are drawn
through the public door: a bounded count of nobody, noised, is noise.
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from privacy.bounds import BoundedSum, bounded_count
from privacy.lattice import IntVector
from privacy.loss import Rho
from privacy.mechanisms import add_noise_share, draw_noise, release, release_locally
from privacy.noise_blocks import BLOCK
from privacy.noise_pool import NoisePool
from privacy.noise_shares import Noise, share_sigma
from privacy.units import ContributionBound, PrivacyUnit

pytestmark = pytest.mark.statistical

ALPHA = 1e-9
COHORT, TOLERANCE, DEPARTMENTS = 3, 1, 3
LEAST_EXPECTED = 500  # in every bin, so that the chi-squared tail is right at ALPHA

Draw = Callable[[int], IntVector]


def nobody(n_cells: int, scale: int = 1, departments: int = DEPARTMENTS) -> BoundedSum:
    return bounded_count(
        np.zeros(0, np.int64),
        n_cells,
        scale=scale,
        unit=PrivacyUnit.CLIENT,
        bound=ContributionBound(departments),
    )


def rho_of(sigma: int, honest: int = COHORT - TOLERANCE) -> Rho:
    """Return a rho at which a share of counts is exactly this wide."""
    rho = Rho(DEPARTMENTS**2 / (2 * honest * (sigma - 0.5) ** 2))
    assert (
        share_sigma(sensitivity=DEPARTMENTS, rho=rho, cohort=COHORT, tolerance=COHORT - honest)
        == sigma
    )
    return rho


def shares(sigma: int) -> Draw:
    return lambda n: (
        add_noise_share(nobody(n), rho=rho_of(sigma), cohort=COHORT, tolerance=TOLERANCE).values
    )


def summed(draw: Draw, times: int) -> Draw:
    return lambda n: sum((draw(n) for _ in range(times)), np.zeros(n, np.int64))


def fits_discrete_gaussian(draws: IntVector, variance: float) -> bool:
    """Chi-squared test of integers against N_Z(0, variance), whose pmf is exact here."""
    reach = math.ceil(12 * math.sqrt(variance))
    points = np.arange(-reach, reach + 1)
    pmf = np.exp(-(points**2) / (2 * variance))
    expected = pmf / pmf.sum() * draws.size
    middle = points[expected >= LEAST_EXPECTED]
    low, high = int(middle.min()), int(middle.max())
    seen = np.bincount(np.clip(draws, low - 1, high + 1) - (low - 1), minlength=high - low + 3)
    inside = (points >= low) & (points <= high)
    below, above = expected[points < low].sum(), expected[points > high].sum()
    wanted = np.concatenate([[below], expected[inside], [above]])
    statistic = ((seen - wanted) ** 2 / wanted).sum()
    return bool(scipy.stats.chi2.sf(statistic, wanted.size - 1) >= ALPHA)


def has_variance(draws: IntVector, variance: float) -> bool:
    """Two-sided chi-squared test of a known variance around zero."""
    statistic = float((draws.astype(np.float64) ** 2).sum() / variance)
    law = scipy.stats.chi2(draws.size)
    return bool(min(law.sf(statistic), law.cdf(statistic)) >= ALPHA / 2)


@pytest.mark.parametrize("sigma", [8, 21])
def test_the_sampler_draws_the_discrete_gaussian(sigma: int) -> None:
    assert fits_discrete_gaussian(shares(sigma)(200_000), sigma**2)


def even_numbers_only(n: int) -> IntVector:
    """Half as wide and doubled: the right variance, but every odd number is missing."""
    half = nobody(n, departments=1)
    return 2 * release_locally(half, rho=Rho(1 / (2 * 4**2))).values.astype(np.int64)


def too_narrow_by_a_twentieth(n: int) -> IntVector:
    return shares(20)(n)


def shifted_by_one(n: int) -> IntVector:
    return shares(21)(n) + 1


@pytest.mark.parametrize(
    ("saboteur", "sigma"),
    [(even_numbers_only, 8), (too_narrow_by_a_twentieth, 21), (shifted_by_one, 21)],
)
def test_another_distribution_is_rejected(saboteur: Draw, sigma: int) -> None:
    assert not fits_discrete_gaussian(saboteur(150_000), sigma**2)


@pytest.mark.parametrize("sigma", [8, 1000, 2**30])
def test_a_share_has_the_variance_it_declares(sigma: int) -> None:
    assert has_variance(shares(sigma)(50_000), sigma**2)


def shares_of_a_node_that_tolerates_nobody(n: int) -> IntVector:
    return add_noise_share(nobody(n), rho=rho_of(1000), cohort=COHORT, tolerance=0).values


def shares_five_percent_narrow(n: int) -> IntVector:
    return shares(952)(n)


@pytest.mark.parametrize(
    "saboteur", [shares_of_a_node_that_tolerates_nobody, shares_five_percent_narrow]
)
def test_a_share_that_is_too_narrow_is_rejected(saboteur: Draw) -> None:
    assert not has_variance(saboteur(50_000), 1000**2)


def test_three_shares_add_up_to_one_discrete_gaussian() -> None:
    assert fits_discrete_gaussian(summed(shares(8), COHORT)(100_000), COHORT * 8**2)


def test_a_missing_share_is_rejected() -> None:
    assert not fits_discrete_gaussian(summed(shares(8), COHORT - 1)(50_000), COHORT * 8**2)


def pulls(present: int) -> IntVector:
    """Return by how many thousandths of a standard error a release of nobody misses zero."""
    bounded = nobody(20_000, scale=4)
    rho = Rho(0.02)
    noised = sum(
        (
            add_noise_share(bounded, rho=rho, cohort=COHORT, tolerance=TOLERANCE).values
            for _ in range(present)
        ),
        np.zeros(20_000, np.int64),
    )
    result = release(
        bounded.name,
        noised,
        sensitivity=bounded.sensitivity,
        scale=bounded.scale,
        rho=rho,
        unit=bounded.unit,
        relation=bounded.relation,
        bound=bounded.bound,
        cohort=COHORT,
        tolerance=TOLERANCE,
    )
    return np.rint(1000 * result.values / result.standard_error).astype(np.int64)


def test_a_release_misses_by_the_standard_error_it_states() -> None:
    assert has_variance(pulls(COHORT), 1000**2)


def test_a_release_with_a_missing_share_is_rejected() -> None:
    assert not has_variance(pulls(COHORT - 1), 1000**2)


def coverage_is(level: float, result_interval: float, values: np.ndarray) -> bool:
    covered = int((np.abs(values) <= result_interval).sum())
    return bool(scipy.stats.binomtest(covered, values.size, level).pvalue >= ALPHA)


def test_a_local_interval_covers_at_its_level_and_a_narrower_one_does_not() -> None:
    result = release_locally(nobody(50_000, scale=256), rho=Rho(0.02))
    assert coverage_is(0.95, result.interval(), result.values)
    assert not coverage_is(0.95, 0.95 * result.interval(), result.values)


def stocked(folder: Path, *, sigma: int, blocks: int, online: Noise = draw_noise) -> NoisePool:
    """Return a pool with so many blocks of one sigma."""
    pool = NoisePool(folder, bytes(32), online=online)
    pool.draw(sigma, (blocks - 1) * BLOCK + 1)
    while pool.refill():
        pass
    return pool


def pooled(pool: NoisePool, *, sigma: int, blocks: int) -> IntVector:
    """Return shares of noise over nobody's counts, all of it out of the pool."""
    before = pool.fill().online
    share = add_noise_share(
        nobody(blocks * BLOCK),
        rho=rho_of(sigma),
        cohort=COHORT,
        tolerance=TOLERANCE,
        noise=pool.draw,
    )
    assert pool.fill().online == before
    return share.values


def are_unrelated(first: IntVector, second: IntVector, sigma: int) -> bool:
    """Normal test of the mean product of two noises, which is 0 if they are independent."""
    statistic = (first.astype(np.float64) * second).sum() / (sigma**2 * math.sqrt(first.size))
    return bool(2 * scipy.stats.norm.sf(abs(statistic)) >= ALPHA)


def test_noise_from_the_pool_is_the_discrete_gaussian_and_every_block_is_new(
    tmp_path: Path,
) -> None:
    draws = pooled(stocked(tmp_path / "noise", sigma=8, blocks=24), sigma=8, blocks=24)
    assert fits_discrete_gaussian(draws, 8**2)
    for lag in (1, BLOCK):
        assert are_unrelated(draws[:-lag], draws[lag:], 8)


def halved(sigma: int, size: int) -> IntVector:
    return draw_noise(sigma // 2, size)


def test_a_pool_of_half_the_width_is_rejected(tmp_path: Path) -> None:
    pool = stocked(tmp_path / "noise", sigma=8, blocks=13, online=halved)
    assert not fits_discrete_gaussian(pooled(pool, sigma=8, blocks=13), 8**2)


def test_a_block_that_is_used_twice_is_noticed(tmp_path: Path) -> None:
    pool = stocked(tmp_path / "noise", sigma=8, blocks=1)
    shutil.copytree(tmp_path / "noise", tmp_path / "kept")
    first = pooled(pool, sigma=8, blocks=1)
    again = pooled(NoisePool(tmp_path / "kept", bytes(32), online=draw_noise), sigma=8, blocks=1)
    assert not are_unrelated(first, again, 8)
