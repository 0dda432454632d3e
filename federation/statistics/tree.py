"""A noised tree of counts: its least-squares ranks, how far they err, and their inverse. Pure.

All of it is post-processing of released numbers. Node v of level l has a noised count y_v of
variance σ_l² and b children; level 0 is the root.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from privacy.lattice import RealVector


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Noised counts, the root's level first, each level b times as long as the one above.

    errors: the noise's standard deviation in each count of a level.
    """

    levels: tuple[RealVector, ...]
    errors: tuple[float, ...]

    @property
    def branches(self) -> int:
        """How many children a node has."""
        return len(self.levels[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Cumulative parts of all clients at the edges of the leaves.

    Attributes:
        total: the consistent count of all clients.
        of_total: its noise's standard deviation.
        ranks: float64 [leaves + 1], from 0 to 1, never falling.
        errors: float64 [leaves + 1]: the noise's standard deviation of each rank.
    """

    total: float
    of_total: float
    ranks: RealVector
    errors: RealVector


def ranks_of(tree: Tree) -> Ranks:
    """Return the ranks that fit all levels best.

    Least squares over the tree (Hay, Rastogi, Miklau and Suciu 2010), with each level's own noise:
    from the leaves up, z_v weighs y_v against the sum of its children's z; from the root down, what
    a node's children lack to its own count is spread evenly among them. The cumulative counts are
    then made to rise (isotonic least squares).

    Errors. Below a node with count h and children's z of variance s², a prefix that takes the part
    w_c of each child is Σ(w_c − w̄)·z_c + w̄·h: its first term has variance s²·Σ(w_c − w̄)² and is
    uncorrelated with h and with every other level's. Applied from the leaf up to the root, this is
    the exact variance of a rank before the isotonic step, which only brings it nearer to the truth.
    """
    best, variances = _upward(tree)
    counts = best[0]
    for z in best[1:]:
        lacking = counts - z.reshape(len(counts), -1).sum(axis=1)
        counts = z + np.repeat(lacking / tree.branches, tree.branches)
    total = float(best[0][0])
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    if total <= 0:
        nowhere = np.full(len(cumulative), np.inf)
        return Ranks(
            total=total, of_total=float(np.sqrt(variances[0])), ranks=cumulative, errors=nowhere
        )
    ranks = np.clip(isotonic(cumulative / total), 0.0, 1.0)
    ranks[0], ranks[-1] = 0.0, 1.0
    return Ranks(
        total=total,
        of_total=float(np.sqrt(variances[0])),
        ranks=ranks,
        errors=_rank_errors(tree.branches, variances, ranks) / total,
    )


def position(ranks: Ranks, rank: float) -> float:
    """Return where a rank is reached, as a part of the range from 0 to 1, between leaves' edges."""
    after = int(np.searchsorted(ranks.ranks, rank, side="left"))
    leaves = len(ranks.ranks) - 1
    if not 0 < after <= leaves:
        return 0.0 if after == 0 else 1.0
    low, high = float(ranks.ranks[after - 1]), float(ranks.ranks[after])
    return (after - 1 + (rank - low) / (high - low)) / leaves


def isotonic(values: RealVector) -> RealVector:
    """Return the nearest sequence that never falls, by pooling adjacent violators."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values:
        means.append(float(value))
        sizes.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            size = sizes[-2] + sizes[-1]
            mean = (means[-2] * sizes[-2] + means[-1] * sizes[-1]) / size
            del means[-1], sizes[-1]
            means[-1], sizes[-1] = mean, size
    return np.repeat(np.array(means), sizes)


def _upward(tree: Tree) -> tuple[list[RealVector], list[float]]:
    """Return each level's best counts from below, root first, and their variances."""
    best, variances = [tree.levels[-1]], [tree.errors[-1] ** 2]
    for counts, error in zip(tree.levels[-2::-1], tree.errors[-2::-1], strict=True):
        below = best[0].reshape(len(counts), -1).sum(axis=1)
        of_below = tree.branches * variances[0]
        weight = of_below / (error**2 + of_below)
        best.insert(0, weight * counts + (1 - weight) * below)
        variances.insert(0, weight * error**2)
    return best, variances


def _rank_errors(branches: int, variances: list[float], ranks: RealVector) -> RealVector:
    """Return the deviation of cumulative counts less their rank's part of the total."""
    cuts = np.arange(len(ranks))
    part = np.zeros(len(ranks))
    variance = np.zeros(len(ranks))
    for of_children, _ in pairwise(reversed(variances)):
        cuts, child = np.divmod(cuts, branches)
        mean = (child + part) / branches
        variance += of_children * (child + part**2 - branches * mean**2)
        part = mean
    part = cuts + part  # the last edge is beyond the root: its part is 1
    return np.asarray(np.sqrt(variance + (part - ranks) ** 2 * variances[0]), dtype=np.float64)
