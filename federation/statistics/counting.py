"""Counts: of all clients of a cell, over a field's labels beside it, and the largest of those."""

from typing import Literal

import numpy as np
from pydantic import Field

from consent.catalogue import Catalogue
from federation.errors import PlanInvalid
from federation.plan_base import Name
from federation.statistics.figures import LEVEL, Figure, Sums, Z, adding_up, figures
from federation.statistics.summands import COUNT, Clients, Summand
from federation.statistics.template import Cell, Template
from privacy.lattice import RealVector
from privacy.planning import normal_quantile


class Count(Template):
    """The number of clients in each cell, none negative, adding up to the noised sum of all.

    Sensitivity: a client is in one cell, so each of its departments moves by at most 1 (L2).
    """

    kind: Literal["count"] = "count"

    @property
    def group(self) -> str:
        """A row of the answer always has one count."""
        return "count"

    @property
    def name(self) -> str:
        """Name the statistic among all."""
        return "count"

    @property
    def fields(self) -> tuple[str, ...]:
        """It opens no field of its own."""
        return ()

    @property
    def summands(self) -> tuple[Summand, ...]:
        """It has no sum beside the count."""
        return ()

    def check(self, catalogue: Catalogue) -> None:
        """Accept every catalogue."""

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell."""
        values, error = sums.plain(COUNT)
        return [*_counts(adding_up(values, float(values.sum())), error)]


class _Split(Template):
    """A count split by a field's labels: what histograms and rankings have in common."""

    field: Name

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return self.field

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the field it opens."""
        return (self.field,)

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return the count split by the field's labels."""
        return (Clients(self.field),)

    def check(self, catalogue: Catalogue) -> None:
        """Refuse a field with one label only, or raise UnknownField."""
        if len(catalogue.field(self.field).labels()) < 2:  # noqa: PLR2004 - one part is no split
            raise PlanInvalid(f"{self.field} has no edges: it cannot be split into parts")

    def _parts(self, sums: Sums) -> tuple[RealVector, RealVector]:
        """Return counts [cells, labels] that add up to the count shown, and their deviations.

        Moving all L parts by the same amount until they add up to the count N is least squares with
        N held: the variance of a part becomes σ²(1 − 1/L) + σ_N²/L².
        """
        split, (count, of_count) = sums.by_summand[Clients(self.field)], sums.plain(COUNT)
        shown = adding_up(count, float(count.sum()))
        parts = np.stack([adding_up(v, n) for v, n in zip(split.values, shown, strict=True)])
        size = split.values.shape[1]
        variance = split.error**2 * (1 - 1 / size) + (of_count / size) ** 2
        return parts, np.sqrt(variance)


class Histogram(_Split):
    """The count of each cell over a field's labels, beside the other statistics of the cell.

    Beside ``by`` it splits the count alone: means keep whole cells. Its parts add up to the count.

    Sensitivity: a client is in one part of one cell, so a department moves by at most 1 (L2).
    """

    kind: Literal["histogram"] = "histogram"

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "histograms"

    def told(self, sums: Sums) -> list[Cell]:
        """Return one list per cell: a figure for each label, in the catalogue's order."""
        labels = sums.catalogue.field(self.field).labels()
        parts, deviation = self._parts(sums)
        return [
            [{"label": label} | f for label, f in zip(labels, _counts(row, d), strict=True)]
            for row, d in zip(parts, deviation, strict=True)
        ]


class Top(_Split):
    """The k most frequent labels of a field, in order, each with "too close to call" if it is.

    The order is post-processing of the histogram: all its labels are released, k are shown. A label
    is too close to the next if their counts differ by less than z·√2·σ, the noise of a difference.
    What is shown was chosen for being large, so noise that made it large is chosen too: the
    intervals of all L labels hold together, at 95 % of answers (Bonferroni: each at 1 − 0.05/L).

    Sensitivity: as the histogram's, 1 (L2) in each department.
    """

    kind: Literal["top"] = "top"
    k: int = Field(default=3, ge=1, le=100)

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "tops"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return f"{self.k} of {self.field}"

    def told(self, sums: Sums) -> list[Cell]:
        """Return one list per cell: the k largest parts, the largest first."""
        labels = sums.catalogue.field(self.field).labels()
        split = sums.by_summand[Clients(self.field)]
        parts, deviation = self._parts(sums)
        wider = normal_quantile(1 - (1 - LEVEL) / len(labels)) / Z
        return [
            self._ranking(labels, raw, _counts(row, d, wider), float(Z * np.sqrt(2) * e))
            for raw, row, d, e in zip(split.values, parts, deviation, split.error, strict=True)
        ]

    def _ranking(
        self, labels: tuple[str, ...], raw: RealVector, told: list[Figure], difference: float
    ) -> list[Figure]:
        order = [int(i) for i in np.argsort(-raw, kind="stable")]
        found: list[Figure] = []
        for place, best in enumerate(order[: self.k]):
            below = order[place + 1 : place + 2]
            close = bool(below) and float(raw[best] - raw[below[0]]) < difference
            found.append({"label": labels[best]} | told[best] | {"too_close_to_call": close})
        return found


def _counts(shown: RealVector, error: RealVector | np.float64, wider: float = 1.0) -> list[Figure]:
    """Return counts with their intervals, ``wider`` times as wide as each by itself needs.

    The luck of who is a client: Poisson, so a count's variance is the count.
    """
    noise = np.broadcast_to(wider * error, shown.shape)
    return figures(shown, noise, wider * np.sqrt(shown), within=(0.0, np.inf))
