"""Noised sums as a statistic reads them, and the figures that it makes of them. Public numbers.

A figure is ``{"value", "half_width", "low", "high", "overall", "overall_low", "overall_high"}``, or
``{"note"}``. The noise alone passes ``half_width`` once in 20 answers (the privacy interval, from
``low`` to ``high``); the noise and the luck of who became a client together pass ``overall`` once
in 20 (the overall interval). Ends are moved to what the statistic can be at all: no count is below
zero. Halves are not: two figures are compared by them.

The luck: each person of a larger population became a client by a small chance of their own, so a
cell's count is Poisson and its sum of x has the variance Σx². What the overall interval covers is
then the figure that one would expect of such clients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation.statistics.bounds import Range, range_of
from federation.statistics.summands import COUNT, Amount, Summand, squares
from privacy.lattice import RealVector
from privacy.planning import normal_quantile

LEVEL = 0.95
Z = normal_quantile(LEVEL)
TOO_FEW = "too few clients to tell"

Figure = dict[str, Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisedSum:
    """One released sum of every cell.

    Attributes:
        values: float64 [cells, parts], in clients or half widths.
        error: float64 [cells]: the noise's standard deviation in each of a cell's parts.
    """

    values: RealVector
    error: RealVector


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """All released sums of a question, by summand, with the catalogue that gives their units."""

    catalogue: Catalogue
    by_summand: Mapping[Summand, NoisedSum]

    def plain(self, summand: Summand) -> tuple[RealVector, RealVector]:
        """Return a sum without parts: its values and their errors, float64 [cells] each."""
        found = self.by_summand[summand]
        return found.values[:, 0], found.error

    def clients(self) -> tuple[RealVector, RealVector]:
        """Return each cell's count, and NaN where it is within its own interval of zero."""
        count, error = self.plain(COUNT)
        return np.where(count > Z * error, count, np.nan), error

    def range_of(self, amount: Amount) -> Range:
        """Return the public range of an amount."""
        return range_of(amount, self.catalogue.field(amount.field))

    def mean_square(self, field: str) -> RealVector:
        """Return each cell's mean of v², v in half widths: noised, or 1 if it is not known.

        No mean square within bounds is above 1: what rests on it then errs to the wide.
        """
        clients, _ = self.clients()
        if squares(field) not in self.by_summand:
            return np.ones_like(clients)
        found = (1 + self.plain(squares(field))[0] / clients) / 2
        return np.where(np.isfinite(found), np.clip(found, 0.0, 1.0), 1.0)


def figures(
    values: RealVector,
    noise: RealVector,
    sampling: RealVector,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
    below: float | RealVector = np.inf,
) -> list[Figure]:
    """Return one figure per cell.

    Args:
        values: float64 [cells].
        noise: their noise's standard deviations.
        sampling: deviations of the luck of who is a client.
        within: what the statistic can be at all; no interval's end is told beyond it.
        below: a figure whose half width is not below this, or that is not finite, is not told.
    """
    halves = Z * np.asarray(noise)
    overall = np.hypot(halves, Z * np.asarray(sampling))
    told = np.isfinite(values) & np.isfinite(overall) & (halves < below)
    numbers = {
        "value": values,
        "half_width": halves,
        "low": np.clip(values - halves, *within),
        "high": np.clip(values + halves, *within),
        "overall": overall,
        "overall_low": np.clip(values - overall, *within),
        "overall_high": np.clip(values + overall, *within),
    }
    return [
        {name: float(each[i]) for name, each in numbers.items()} if told[i] else {"note": TOO_FEW}
        for i in range(len(values))
    ]


def adding_up(values: RealVector, total: float) -> RealVector:
    """Return the nearest counts, none negative, that add up to the total (or to 0 if it is less).

    The Euclidean projection onto the simplex (Held, Wolfe and Crowder 1974): all counts move by one
    amount, and those that would end below zero are zero.

    Args:
        values: float64 [n], n at least 1.
        total: what they must add up to.
    """
    goal = max(total, 0.0)
    falling = np.sort(values)[::-1]
    shifts = (np.cumsum(falling) - goal) / np.arange(1, len(falling) + 1)
    kept = int(np.flatnonzero(falling - shifts >= 0)[-1])
    return np.asarray(np.maximum(values - shifts[kept], 0.0), dtype=np.float64)
