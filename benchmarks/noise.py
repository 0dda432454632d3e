"""What noise costs where it is needed: out of the pool, and drawn at once beside bare OpenDP.

Pool: microseconds for each coordinate that a share takes out of a filled pool, claims, the wait for
the disk and decryption included; the peer draws the same at once. Online: a whole noise share of
ours, from BoundedSum to NoisedShare; the peer is OpenDP's measurement of the same vector, made
before the clock starts. All take turns in one run, so a busy machine slows all.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import opendp.prelude as dp
from opendp.core import as_array

from privacy.bounds import BoundedSum, bounded_total
from privacy.loss import Rho
from privacy.mechanisms import add_noise_share, draw_noise
from privacy.noise_pool import NoisePool
from privacy.noise_shares import Noise, share_sigma
from privacy.units import ContributionBound, PrivacyUnit

COHORT, TOLERANCE = 3, 1
RHO = Rho(0.05)
FROM_POOL = {1000: 60, 100_000: 5}
ONLINE = {12: 300, 1000: 60, 10_000: 9}
SPACE = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)

Row = dict[str, str | float]


def rows() -> list[Row]:
    """Microseconds a coordinate out of the pool (bar: 1), and ratios to bare OpenDP (bar: 1.2)."""
    dp.enable_features("contrib")
    from_pool = [_pool_row(size, turns) for size, turns in FROM_POOL.items()]
    return [*from_pool, *(_online_row(size, turns) for size, turns in ONLINE.items())]


def _pool_row(size: int, turns: int) -> Row:
    bounded, sigma = _nobody(size)
    with TemporaryDirectory() as folder:
        pool = NoisePool(Path(folder) / "noise", bytes(32), online=draw_noise)
        pool.draw(sigma, turns * size)
        while pool.refill():
            pass
        ours, theirs = _medians(
            lambda: _share(bounded, pool.draw), lambda: draw_noise(sigma, size), turns
        )
        assert pool.fill().online == turns * size  # noqa: S101 - all that was timed was stocked
    name = f"noise share of {size} coordinates out of the pool / drawn by OpenDP at once"
    return _row(name, ours / size, "µs a coordinate", theirs / size)


def _online_row(size: int, turns: int) -> Row:
    bounded, sigma = _nobody(size)
    bare = SPACE >> dp.m.then_gaussian(scale=float(sigma)) >> as_array()
    values = bounded.values.copy()
    ours, theirs = _medians(lambda: _share(bounded, draw_noise), lambda: bare(values), turns)
    return _row(f"noise share of {size} coordinates / a bare OpenDP call", ours, "µs", theirs)


def _nobody(size: int) -> tuple[BoundedSum, int]:
    bounded = bounded_total(
        "nobody",
        np.zeros(0),
        np.zeros(0, np.int64),
        size,
        lower=-1.0,
        upper=1.0,
        unit=PrivacyUnit.CLIENT,
        bound=ContributionBound(1),
    )
    sigma = share_sigma(
        sensitivity=bounded.sensitivity, rho=RHO, cohort=COHORT, tolerance=TOLERANCE
    )
    return bounded, sigma


def _share(bounded: BoundedSum, noise: Noise) -> None:
    add_noise_share(bounded, rho=RHO, cohort=COHORT, tolerance=TOLERANCE, noise=noise)


def _medians(ours: Callable[[], object], theirs: Callable[[], object], turns: int) -> list[float]:
    """Let both take turns; return the middle microseconds of each."""
    pairs = [(_microseconds(ours), _microseconds(theirs)) for _ in range(turns)]
    return [median(column) for column in zip(*pairs, strict=True)]


def _microseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def _row(name: str, value: float, unit: str, peer: float) -> Row:
    return {"name": name, "value": value, "unit": unit, "peer": peer, "ratio": value / peer}


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row, ensure_ascii=False))
