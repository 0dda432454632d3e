"""Tables of noised counts, made to agree with each other before anything is computed from them.

Every table tells the shares of its two fields once more, each time with other noise. How far the
tables' clients really differ, as they do where a level opens one field of a client and not another,
shows beside the noise, whose size is known: shares are drawn towards their mean as far as noise
alone explains the difference (a random-effects mean, DerSimonian and Laird 1986, "Meta-analysis in
clinical trials"). Without noise every table keeps its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.tables import Table, total

Pair = tuple[int, int]

STRENGTHS = np.geomspace(1e-5, 1e3, 60)
"""How much two fields may have to do with each other; which of these, the tables themselves say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What tables tell that agree with each other.

    margins: at (i, j) the shares of field i's labels among the clients of its table with field j,
        [p]; at (i, i) among those of its histogram.
    covariances: of the indicators of every two fields i < j, [p, q], and of each with itself.
    """

    margins: Mapping[Pair, Table]
    covariances: Mapping[Pair, Table]


def agreement(
    histograms: Sequence[Table], crosstabs: Mapping[Pair, Table], *, sigma: float
) -> Agreement:
    """Let tables agree.

    Args:
        histograms: counts of each field's labels, [p].
        crosstabs: of each two fields i < j their table [p, q].
        sigma: of the independent noise in each cell.

    Raises:
        TablesTooNoisy: a total is not clearly more than its noise.
    """
    shares = {pair: table / total(table, sigma) for pair, table in crosstabs.items()}
    found: dict[Pair, Table] = {}
    margins: dict[Pair, Table] = {}
    for field, histogram in enumerate(histograms):
        clients = total(histogram, sigma)
        told = {field: (histogram / clients, (sigma / clients) ** 2)}
        for (i, j), share in shares.items():
            if field in (i, j):
                axis = 1 if field == i else 0
                noise = share.shape[axis] * (sigma / crosstabs[i, j].sum()) ** 2
                told[j if field == i else i] = (share.sum(axis=axis), noise)
        values = _drawn_together(
            np.array([value for value, _ in told.values()]),
            np.array([noise for _, noise in told.values()]),
        )
        margins |= {(field, other): value for other, value in zip(told, values, strict=True)}
        own = margins[field, field]
        found[field, field] = np.diag(np.maximum(own, 0.0)) - np.outer(own, own)
    for (i, j), share in shares.items():
        rows, columns = margins[i, j], margins[j, i]
        agreeing = (
            share
            + (rows - share.sum(axis=1))[:, None] / len(columns)
            + (columns - share.sum(axis=0))[None, :] / len(rows)
        )
        found[i, j] = agreeing - np.outer(rows, columns)
    return Agreement(margins=margins, covariances=found)


def drawn_to_independence(covariance: Table, *, rows: Table, columns: Table, noise: float) -> Table:
    """Return a table's covariances with less noise: the mean of what they are likely to be.

    What they are expected to be is normal with mean 0 and covariance a multiple of rows ⊗ columns;
    the multiple is the one under which the table is most likely.

    Args:
        covariance: [p, q].
        rows: how the row field's labels are expected to vary together, [p, p].
        columns: likewise, [q, q].
        noise: standard deviation of each cell.
    """
    if noise == 0:
        return covariance
    (across, left), (down, right) = (np.linalg.eigh(expected) for expected in (rows, columns))
    found = left.T @ covariance @ right
    expected = np.outer(np.maximum(across, 0.0), np.maximum(down, 0.0))
    spread = STRENGTHS[:, None, None] * expected + noise**2
    surprise = (found**2 / spread + np.log(spread)).sum(axis=(1, 2))
    likely = spread[np.argmin(surprise)]
    return np.asarray(left @ (found * (1 - noise**2 / likely)) @ right.T)


def _drawn_together(values: Table, noise: Table) -> Table:
    """Draw the shares [tables, labels] together, as far as their noise [tables] explains."""
    if not noise.all():
        return values
    tables, labels = values.shape
    weight = 1 / noise
    mean = weight @ values / weight.sum()
    excess = (weight @ (values - mean) ** 2).sum() - (tables - 1) * (labels - 1)
    real = max(0.0, excess / labels / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (noise + real)
    mean = weight @ values / weight.sum()
    return np.asarray(mean + (real * weight)[:, None] * (values - mean))
