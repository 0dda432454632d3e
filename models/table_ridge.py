"""A linear model of one target from two-way tables alone, regularized by their known noise. Numpy.

With the features' indicators x, their covariance S and their covariance c with the target, all from
noised tables, write c = S b + n. The noise n is white with deviation s = sigma / N, and b has the
prior b ~ normal(0, t² K): K is the identity for a field without an order, and lets neighboring
labels of an ordered field have similar weights; so may the same label of two ordered fields with
the same three or more labels, as of one amount in two months. The posterior mean in the coordinates
in which K is the identity, with S = V diag(w) Vᵀ there, is

    b = V diag(w / (w² + (s / t)² + w v / (N t²))) Vᵀ c,      v: the target's variance,

where the last term is what a ridge regression of N clients without noise would have. Directions
whose variance the noise drowns get no weight. Negative w, which only noise can make, count as 0.

Between two fields S is the smaller the surer it is (``models.table_margins``): a table's departure
from independence is expected in D K D, with D the shares of the labels, so the cells of a label
that nearly nobody has do not carry noise into the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models.table_margins import Agreement, Pair, agreement, drawn_to_independence
from models.tables import Table

PRIOR = 0.05
"""t: how large a weight is expected to be, as a change of the target's share."""

REACH = 1.5
"""How many labels away a neighbor's weight still counts e^(−1/2)."""

OWN = 0.1
"""How much of a label's weight is its own and not its neighbors'."""

ALIKE = 0.1
"""How much of a label's weight it shares with the same label of a field of the same labels."""

FEW = 2
"""Labels of a yes or no: two fields that say it have nothing to do with each other for that."""

_JITTER = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """What a field's indicators stand for. Public.

    labels: one for each indicator.
    ordered: whether their order means something.
    """

    labels: tuple[str, ...]
    ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """A linear model's weights, one for each label of each feature, with their deviations.

    The deviation is that of the noise, to first order: dβ = F (dc − dS β), with F as above. That
    the tables were made to agree with each other only lessens it.

    base: to which a client's weights are added: the target's share at the features' means. The
    sum is the client's score, a share that may lie beyond 0 and 1.

    slope, intercept: log odds of the target = intercept + slope * score, if scores are normal with
    one variance among those who have it and those who do not (Fisher 1936, linear discriminant
    analysis, of the one score).
    """

    base: float
    weights: Table
    deviations: Table
    slope: float
    intercept: float


def fit(
    histograms: Sequence[Table],
    crosstabs: Mapping[Pair, Table],
    *,
    codings: Sequence[Coding],
    label: int,
    sigma: float,
) -> Ridge:
    """Fit one model. The target is the last field, the others are its features.

    Args:
        histograms: counts of each field's labels.
        crosstabs: of each two fields i < j their table.
        codings: of each field.
        label: the place of the target's label that counts as 1.
        sigma: of the noise in each cell.

    Raises:
        TablesTooNoisy: a total is not clearly more than its noise.
    """
    goal = len(histograms) - 1
    agreed = agreement(histograms, crosstabs, sigma=sigma)
    target = np.concatenate([agreed.covariances[i, goal][:, label] for i in range(goal)])
    clients = float(np.mean([crosstabs[i, goal].sum() for i in range(goal)]))
    share = float(np.clip(agreed.margins[goal, goal][label], 0.0, 1.0))
    kernels = [_kernel(coding) for coding in codings[:goal]]
    within = _within(histograms, crosstabs, agreed, kernels, sigma)
    root = np.linalg.cholesky(_prior(codings[:goal], kernels))
    values, vectors = np.linalg.eigh(root.T @ within @ root)
    spread = np.maximum(values, 0.0)
    noise, variance = sigma / clients / PRIOR, share * (1 - share)
    down = spread**2 + noise**2 + spread * variance / (clients * PRIOR**2)
    gain = np.divide(spread, down, out=np.zeros_like(spread), where=down > 0)
    solve = root @ (vectors * gain) @ vectors.T @ root.T
    weights = solve @ target
    white = sigma / clients * np.sqrt(1 + float(weights @ weights))
    means = np.concatenate([agreed.margins[i, goal] for i in range(goal)])
    slope, center = _log_odds(weights, target, within, share)
    return Ridge(
        base=share - float(weights @ means),
        weights=np.asarray(weights),
        deviations=np.asarray(white * np.linalg.norm(solve, axis=1)),
        slope=slope,
        intercept=center - slope * share,
    )


def _log_odds(weights: Table, target: Table, within: Table, share: float) -> tuple[float, float]:
    """Return by how much log odds rise with the score, and the log odds at the mean score."""
    variance = share * (1 - share)
    if variance <= 0:
        return 0.0, 0.0
    together = float(weights @ target)
    apart = together / variance
    inside = float(weights @ within @ weights) - together * apart
    slope = apart / inside if inside > 0 else 0.0
    return slope, float(np.log(share / (1 - share))) - slope * (1 - 2 * share) * apart / 2


def _kernel(coding: Coding) -> Table:
    """Return how the weights of one field's labels are expected to vary together."""
    size = len(coding.labels)
    if not coding.ordered:
        return np.eye(size)
    apart = np.subtract.outer(np.arange(size), np.arange(size)) / REACH
    return OWN * np.eye(size) + (1 - OWN) * np.asarray(np.exp(-(apart**2) / 2))


def _prior(codings: Sequence[Coding], kernels: Sequence[Table]) -> Table:
    """Return K of all features."""
    size = sum(map(len, kernels))
    found = _JITTER * np.eye(size)
    ends = np.cumsum([len(kernel) for kernel in kernels])
    places = [slice(end - len(kernel), end) for end, kernel in zip(ends, kernels, strict=True)]
    for one, here, kernel in zip(codings, places, kernels, strict=True):
        found[here, here] += kernel
        for other, there in zip(codings, places, strict=True):
            if here != there and one == other and one.ordered and len(one.labels) > FEW:
                found[here, there] = ALIKE * kernel
    return found


def _within(
    histograms: Sequence[Table],
    crosstabs: Mapping[Pair, Table],
    agreed: Agreement,
    kernels: Sequence[Table],
    sigma: float,
) -> Table:
    """Return S of all features."""
    features = range(len(kernels))
    found = {(i, i): agreed.covariances[i, i] for i in features}
    scaled = []
    for kernel, histogram in zip(kernels, histograms, strict=False):
        clients = histogram.sum()
        shares = np.maximum(histogram / clients, 1 / clients)
        scaled.append(shares[:, None] * kernel * shares)
    for i, j in combinations(features, 2):
        covariance, table = agreed.covariances[i, j], crosstabs[i, j]
        free = (1 - 1 / table.shape[0]) * (1 - 1 / table.shape[1])
        found[i, j] = drawn_to_independence(
            covariance,
            rows=scaled[i],
            columns=scaled[j],
            noise=sigma / float(table.sum()) * free**0.5,
        )
        found[j, i] = found[i, j].T
    return np.block([[found[i, j] for j in features] for i in features])
