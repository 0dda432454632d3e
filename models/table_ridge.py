"""A linear model of one target from two-way tables alone, regularized by their known noise. Numpy.

With the features' indicators x, their covariance S and their covariance c with the target, all from
noised tables, write c = S b + n. The noise n is white with deviation s = sigma / N, and b has the
prior b ~ normal(0, t² K): K is the identity for a field without an order, and lets neighboring
labels of an ordered field have similar weights. The posterior mean in the coordinates in which K is
the identity, with S = V diag(w) Vᵀ there, is

    b = V diag(w / (w² + (s / t)² + w v / (N t²))) Vᵀ c,      v: the target's variance,

where the last term is what a ridge regression of N clients without noise would have. Directions
whose variance the noise drowns get no weight. Negative w, which only noise can make, count as 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.tables import Table

PRIOR = 0.05
"""t: how large a weight is expected to be, as a change of the target's share."""

REACH = 1.5
"""How many labels away a neighbor's weight still counts e^(−1/2)."""

OWN = 0.1
"""How much of a label's weight is its own and not its neighbors'."""

_JITTER = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """A linear model's weights, one for each label of each feature, with their deviations.

    The deviation is that of the noise, to first order: dβ = F (dc − dS β), with F as above.
    """

    weights: Table
    deviations: Table


def fit(
    within: Table,
    target: Table,
    *,
    ordered: Sequence[tuple[int, bool]],
    sigma: float,
    clients: float,
    variance: float,
) -> Ridge:
    """Fit one model.

    Args:
        within: S, [d, d], symmetric.
        target: c, [d].
        ordered: labels of each feature, and whether they have an order; d in all.
        sigma: of the noise in each cell of the tables.
        clients: N, in the tables of the target.
        variance: v, of the target.
    """
    root = _root_of_prior(ordered)
    values, vectors = np.linalg.eigh(root.T @ within @ root)
    spread = np.maximum(values, 0.0)
    noise = sigma / clients / PRIOR
    down = spread**2 + noise**2 + spread * variance / (clients * PRIOR**2)
    gain = np.divide(spread, down, out=np.zeros_like(spread), where=down > 0)
    solve = root @ (vectors * gain) @ vectors.T @ root.T
    weights = solve @ target
    white = sigma / clients * np.sqrt(1 + float(weights @ weights))
    return Ridge(
        weights=np.asarray(weights), deviations=np.asarray(white * np.linalg.norm(solve, axis=1))
    )


def _root_of_prior(ordered: Sequence[tuple[int, bool]]) -> npt.NDArray[np.float64]:
    """Return L with L Lᵀ = K, block by block."""
    size = sum(labels for labels, _ in ordered)
    root = np.zeros((size, size))
    start = 0
    for labels, has_order in ordered:
        block = np.eye(labels)
        if has_order:
            apart = np.subtract.outer(np.arange(labels), np.arange(labels)) / REACH
            block = OWN * block + (1 - OWN) * np.exp(-(apart**2) / 2)
        places = slice(start, start + labels)
        root[places, places] = np.linalg.cholesky(block + _JITTER * np.eye(labels))
        start += labels
    return root
