"""What an answer says in words: which cell is the largest, and whether that can be told. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One released value with the half width of its 95 % interval of the noise, under a name."""

    name: str
    value: float
    half: float

    @property
    def told(self) -> bool:
        """Whether the value is further from zero than its own interval reaches."""
        return abs(self.value) > self.half


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which cell is the largest. ``close``: the others that may be as large.

    kind: "clear" if it is larger than every other, "close" if not, "none" if nothing can be told,
    "single" if there is one cell. Of what has an order, from ``first`` to ``last``: "rose", "fell"
    or "flat", or "range".
    """

    kind: Literal["clear", "close", "none", "single", "rose", "fell", "flat", "range"]
    first: Figure | None
    close: tuple[Figure, ...] = ()
    last: Figure | None = None


def verdict(figures: Sequence[Figure]) -> Verdict:
    """Return what can be said of a column of figures.

    Two values differ if their difference is outside the 95 % interval of its noise: the halves of
    independent noises add as squares.
    """
    told = sorted((f for f in figures if f.told), key=lambda f: -f.value)
    if not told:
        return Verdict(kind="none", first=None)
    first = told[0]
    if len(figures) == 1:
        return Verdict(kind="single", first=first)
    close = tuple(f for f in told[1:] if not differs(first, f))
    return Verdict(kind="close" if close else "clear", first=first, close=close)


def over_time(figures: Sequence[Figure]) -> Verdict:
    """Say whether the last figure of a row in time is above or below the first."""
    if len(figures) < 2:  # noqa: PLR2004 - one is no change
        return verdict(figures)
    first, last = figures[0], figures[-1]
    if not differs(first, last):
        return Verdict(kind="flat", first=first, last=last)
    return Verdict(kind="rose" if last.value > first.value else "fell", first=first, last=last)


def spread(figures: Sequence[Figure]) -> Verdict:
    """Say between which figures of a growing row the clients lie."""
    if len(figures) < 2:  # noqa: PLR2004 - one is no range
        return verdict(figures)
    return Verdict(kind="range", first=figures[0], last=figures[-1])


def differs(one: Figure, other: Figure) -> bool:
    """Say whether the difference of two figures is too large to be noise, 19 times in 20."""
    return abs(one.value - other.value) > math.hypot(one.half, other.half)
