"""What one counted client adds to a sum: the three forms that every statistic is made of. Public.

Every client adds at most 1 to one place of one cell: an exact 1 (Clients), or a number within
[−1, 1] (Moment, Share), whatever the field's unit is. So one client moves a sum by at most 1 in
each department it counts in, and every statistic is a few such sums that share the plan's ρ: zCDP
of releases adds up (Bun and Steinke 2016, Lemma 1.7), so the statistic costs what its sums cost.
A statistic that puts a client into several places at once (a tree, a trend) is one sum for each:
L sums of loss ρ/L have the noise of one release of loss ρ whose L2 sensitivity is √L.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clients:
    """1 for each client; with a field, one place for each of its labels, or of its equal parts.

    field: what splits the count; none for the plain count. parts: cut the field's bounds, as its
    transform scales them, into so many parts of one width instead of at its edges.
    """

    field: str | None = None
    parts: int | None = None

    @property
    def name(self) -> str:
        """Name the sum as its Release is named."""
        if self.field is None:
            return "count"
        cut = "" if self.parts is None else f" in {self.parts} parts"
        return f"count by {self.field}{cut}"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as it is summed: clipped to its bounds, in half their width around their middle.

    cap: replaces the field's upper bound; None keeps it.
    """

    field: str
    cap: float | None = None

    @property
    def name(self) -> str:
        """Name the amount."""
        return self.field if self.cap is None else f"{self.field} up to {self.cap:.15g}"


@dataclass(frozen=True, slots=True)
class Moment:
    """An amount v, its square as 2v² − 1, or the product of two amounts: each within [−1, 1]."""

    factors: tuple[Amount, ...]

    @property
    def squared(self) -> bool:
        """Whether it is the square of one amount."""
        return len(self.factors) > 1 and len(set(self.factors)) == 1

    @property
    def name(self) -> str:
        """Name the sum as its Release is named."""
        names = [amount.name for amount in self.factors]
        if len(names) == 1:
            return f"total {names[0]}"
        return f"squares {names[0]}" if self.squared else f"products {names[0]}, {names[1]}"


@dataclass(frozen=True, slots=True)
class Share:
    """1 for a client whose field is one of the labels, −1 for every other."""

    field: str
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name the sum as its Release is named."""
        return f"share {self.field}: {', '.join(self.labels)}"


Summand = Clients | Moment | Share

COUNT = Clients()
"""The count beneath every statistic."""


def total(field: str, cap: float | None = None) -> Moment:
    """Return the sum of an amount."""
    return Moment((Amount(field, cap),))


def squares(field: str) -> Moment:
    """Return the sum of an amount's squares."""
    return Moment((Amount(field), Amount(field)))


def products(field: str, other: str) -> Moment:
    """Return the sum of the products of two amounts, whichever is named first."""
    first, second = sorted((field, other))
    return Moment((Amount(first), Amount(second)))
