"""How far noise would move a statistic of a cell that somebody guesses. Pure: no row is looked at.

The statistic's own template tells a figure of guessed sums, once with noise in its own sums and
once with noise in the count: the half widths are what `privacy.planning` adds up and shares out.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from consent.catalogue import Catalogue
from federation.errors import PlanInvalid
from federation.plan_base import Frozen, Name
from federation.statistics.amounts import Sum
from federation.statistics.bounds import range_of
from federation.statistics.counting import Histogram, Top
from federation.statistics.figures import NoisedSum, Sums, Z
from federation.statistics.summands import COUNT, Amount, Clients, Moment, Share, Summand
from federation.statistics.template import Template
from privacy.errors import InvalidBound
from privacy.lattice import RealVector
from privacy.planning import Statistic

_TINY = 1e-9
"""Noise beside a cell's clients, small enough for the delta method to be exact."""
_WITHOUT_COUNT = (Sum, Histogram, Top)
"""Statistics that are told however few clients there are."""


class Guess(Frozen):
    """One cell as somebody imagines it; never taken from rows.

    clients: how many. means, deviations: by field, in its unit; the middle of its bounds, and a
    quarter of their distance, unless said. part: of the clients whom a proportion is about.
    correlation: of two numbers.
    """

    clients: float = Field(gt=0)
    means: dict[Name, float] = Field(default={}, max_length=60)
    deviations: dict[Name, float] = Field(default={}, max_length=60)
    part: float = Field(default=0.5, ge=0, le=1)
    correlation: float = Field(default=0.0, ge=-1, le=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a guess makes of a statistic. value: the largest of its figures; 1 for a rank.

    statistic: how strongly noise moves it, with the same noise in each of its own sums.
    """

    value: float
    statistic: Statistic


def moved_of(statistic: Template, guess: Guess, catalogue: Catalogue) -> Moved:
    """Return how strongly noise moves a statistic of a cell like this, at its widest figure.

    Raises:
        PlanInvalid: nothing would be told of such a cell, whatever the noise.
        InvalidBound: a guessed mean is not within its field's bounds.
    """
    noise = _TINY * guess.clients
    value, own = _told(statistic, guess, catalogue, own=noise, count=0.0)
    _value, count = _told(statistic, guess, catalogue, own=0.0, count=noise)
    least = math.inf if isinstance(statistic, _WITHOUT_COUNT) else guess.clients
    of_total, of_count = own / (Z * noise), count / (Z * noise)
    return Moved(
        value=value,
        statistic=Statistic(of_total=of_total, of_count=of_count, told_within=least),
    )


def _told(
    statistic: Template, guess: Guess, catalogue: Catalogue, *, own: float, count: float
) -> tuple[float, float]:
    """Return the largest figure of guessed sums and the widest half width, at this noise."""
    errors = {COUNT: count} | dict.fromkeys(statistic.summands, own)
    sums = Sums(
        catalogue=catalogue,
        by_summand={
            summand: NoisedSum(
                values=_expected(summand, guess, catalogue)[None, :],
                error=np.array([max(error, _TINY * _TINY)]),
            )
            for summand, error in errors.items()
        },
    )
    (entry,) = statistic.told(sums)
    figures: list[dict[str, Any]] = entry if isinstance(entry, list) else [entry]
    if any("note" in figure for figure in figures):
        raise PlanInvalid(f"targets: of such clients nothing is told of {statistic.name}")
    halves = [float(figure["rank" if "rank" in figure else "half_width"]) for figure in figures]
    values = [1.0 if "rank" in figure else abs(figure["value"]) for figure in figures]
    return max(values), max(halves)


def _expected(summand: Summand, guess: Guess, catalogue: Catalogue) -> RealVector:
    """Return a sum over guessed clients: one number for each of its parts."""
    match summand:
        case Clients(field=None):
            return np.array([guess.clients])
        case Clients(field=str() as name, parts=parts):
            size = parts or len(catalogue.field(name).labels())
            return np.full(size, guess.clients / size)
        case Share():
            return np.array([guess.clients * (2 * guess.part - 1)])
        case Moment(factors=(amount,)):
            return np.array([guess.clients * _mean(amount, guess, catalogue)])
        case Moment(factors=(one, other)) if one == other:
            square = _mean(one, guess, catalogue) ** 2 + _spread(one, guess, catalogue) ** 2
            return np.array([guess.clients * (2 * square - 1)])
        case Moment(factors=(one, other, *_)):
            spread = _spread(one, guess, catalogue) * _spread(other, guess, catalogue)
            product = _mean(one, guess, catalogue) * _mean(other, guess, catalogue)
            return np.array([guess.clients * (product + guess.correlation * spread)])
        case _:
            raise TypeError(summand)


def _mean(amount: Amount, guess: Guess, catalogue: Catalogue) -> float:
    """Return a guessed mean in half widths."""
    span = range_of(amount, catalogue.field(amount.field))
    place = (guess.means.get(amount.field, span.center) - span.center) / span.half_width
    if not abs(place) <= 1:
        raise InvalidBound(f"guessed mean of {amount.name}", guess.means[amount.field])
    return place


def _spread(amount: Amount, guess: Guess, catalogue: Catalogue) -> float:
    """Return a guessed deviation in half widths, at most what the bounds and the mean allow."""
    span = range_of(amount, catalogue.field(amount.field))
    most = math.sqrt(1 - _mean(amount, guess, catalogue) ** 2)
    return min(guess.deviations.get(amount.field, span.half_width / 2) / span.half_width, most)
