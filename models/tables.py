"""What two-way tables of noised counts tell: totals, correlation, mutual information. Numpy.

A table is float64[p, q]: counts of clients with independent noise of one known standard deviation
in every cell, so cells may be negative. Tables are public, and so is everything here.
Deviations follow by the delta method: that of f(C) is sigma |grad f(C)|, which holds while the
noise is small beside the table's total. They cover the noise alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import TablesTooNoisy

Table = npt.NDArray[np.float64]

CLEAR = 4.0
"""A total must exceed so many of its own standard deviations before it is divided by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure out of noised tables, and the standard deviation that the noise gives it.

    bias: by about how much the noise alone raises the figure; 0 if it does not.
    """

    value: float
    deviation: float
    bias: float = 0.0


def total(table: Table, sigma: float) -> float:
    """Return how many clients a table counts.

    Raises:
        TablesTooNoisy: not clearly more than its noise.
    """
    clients = float(table.sum())
    if clients <= CLEAR * sigma * table.size**0.5:
        raise TablesTooNoisy
    return clients


def correlation(table: Table, rows: Table, columns: Table, sigma: float) -> Figure:
    """Return Pearson's correlation of two scored fields.

    With standardized scores u, v: dr/dC_ij = (u_i v_j − r (u_i² + v_j²) / 2) / N.

    Args:
        table: [p, q].
        rows: the score of each row, [p].
        columns: the score of each column, [q].
        sigma: of the noise in each cell.

    Raises:
        TablesTooNoisy: the total, or the spread of a field, is not clearly more than its noise.
    """
    clients = total(table, sigma)
    share = table / clients
    u, v = _standard(rows, share.sum(axis=1)), _standard(columns, share.sum(axis=0))
    value = float(u @ share @ v)
    slope = (np.outer(u, v) - value * (u[:, None] ** 2 + v[None, :] ** 2) / 2) / clients
    return Figure(
        value=float(np.clip(value, -1.0, 1.0)), deviation=sigma * float(np.linalg.norm(slope))
    )


def mutual_information(table: Table, sigma: float) -> Figure:
    """Return the mutual information of two fields in bits, of the table with cells below 0 at 0.

    I = Σ P_ij log(P_ij / (P_i. P_.j)) and dI/dC_ij = (log(P_ij / (P_i. P_.j)) − I) / N. Noise
    raises it: about by sigma²/2 times the sum of the second derivatives, in which no cell or margin
    is taken to be below its own noise. The value is not corrected for it.

    Raises:
        TablesTooNoisy: as total.
    """
    clients = total(table, sigma)
    counts = np.maximum(table, 0.0)
    share = counts / counts.sum()
    expected = np.outer(share.sum(axis=1), share.sum(axis=0))
    there = share > 0
    ratio = np.zeros_like(share)
    ratio[there] = np.log2(share[there] / expected[there])
    value = float((share * ratio).sum())
    slope = np.where(there, ratio - value, 0.0) / clients
    least = max(sigma, 1.0)
    across = np.maximum(counts.sum(axis=1, keepdims=True), least * table.shape[1] ** 0.5)
    down = np.maximum(counts.sum(axis=0, keepdims=True), least * table.shape[0] ** 0.5)
    bend = 1 / np.maximum(counts, least) - 1 / across - 1 / down + 1 / clients
    return Figure(
        value=value,
        deviation=sigma * float(np.linalg.norm(slope)),
        bias=max(0.0, float(bend.sum()) * sigma**2 / (2 * clients * np.log(2))),
    )


def _standard(scores: Table, shares: Table) -> Table:
    centered = scores - scores @ shares
    variance = float(centered**2 @ shares)
    if variance <= 0:
        raise TablesTooNoisy
    return np.asarray(centered / variance**0.5)
