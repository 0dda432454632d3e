"""Shares and means from noisy counts, with intervals that need no approximation. No torch here.

Whatever a table of counts says on average is a ratio Σ w n / Σ v n: w what a client of a cell adds,
v whether the cell is looked at. The noise of a count is normal with a known standard error, so at
the true ratio r the sum Σ (w - r v) n is normal around 0 with a known variance, and the r for which
it is no further from 0 than 95 % of the draws are the interval (Fieller 1954, "Some problems in
interval estimation"). It covers the noise, not the chance that brought these clients.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Interval = tuple[float, float]

Z = 1.959963984540054
"""The normal quantile of 97.5 %."""

TOLD_FROM_NOTHING = 4.0
"""Standard errors that there must be of clients before anything is said about them."""

LEAST = 0.5
"""Clients, likewise, where there is no noise to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its 95 % interval of the noise, low <= value <= high. Public as its counts."""

    value: float
    low: float
    high: float


def fieller(top: float, bottom: float, squares: tuple[float, float, float]) -> Interval | None:
    """Return the ratios that the noise leaves likely, or None if the bottom may be 0.

    Args:
        top: Σ w n.
        bottom: Σ v n.
        squares: Z² times the variances: of the top, of the two together, of the bottom.
    """
    of_top, together, of_bottom = squares
    square, half, rest = bottom**2 - of_bottom, top * bottom - together, top**2 - of_top
    if square <= 0 or bottom <= 0:
        return None
    root = max(half**2 - square * rest, 0.0) ** 0.5
    return (half - root) / square, (half + root) / square


def mean(
    counts: Numbers,
    weights: tuple[Numbers, Numbers, Numbers],
    among: Numbers,
    *,
    count_error: float,
    within: Interval,
) -> Figure | None:
    """Return what the clients of some cells have on average, or None if they are too few to tell.

    Args:
        counts: float64[c], released; may be negative, for the noise.
        weights: what a client of each cell has: at least, likely, and at most. Where a cell leaves
            that open, the interval covers what it may be.
        among: of zeros and ones: the cells that are looked at; weights elsewhere are 0.
        count_error: standard error of each count, >= 0.
        within: what the mean can be at all.
    """
    bottom = float(among @ counts)
    of_bottom = float(among @ among)
    if bottom <= max(TOLD_FROM_NOTHING * count_error * of_bottom**0.5, LEAST):
        return None
    noise = (Z * count_error) ** 2
    ends = []
    for w in (weights[0], weights[2]):
        squares = (noise * float(w @ w), noise * float(w @ among), noise * of_bottom)
        ends.append(fieller(float(w @ counts), bottom, squares) or within)
    low, high = (min(max(end, within[0]), within[1]) for end in (ends[0][0], ends[1][1]))
    return Figure(
        value=min(max(float(weights[1] @ counts) / bottom, low), high), low=low, high=high
    )


def share(counts: Numbers, of: Numbers, among: Numbers, *, count_error: float) -> Figure | None:
    """Return the share of clients in some cells among those in more cells: ``mean`` of a yes."""
    return mean(counts, (of, of, of), among, count_error=count_error, within=(0.0, 1.0))
