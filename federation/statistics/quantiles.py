"""Quantiles: a tree of counts over equal parts of a field's public range, made consistent."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field as Key
from pydantic import model_validator

from consent.catalogue import Catalogue, Field
from federation.plan_base import Name
from federation.statistics.bounds import from_scale, number_bounds
from federation.statistics.figures import TOO_FEW, Figure, Sums, Z
from federation.statistics.summands import COUNT, Clients, Summand
from federation.statistics.template import Cell, Template
from federation.statistics.tree import Ranks, Tree, position, ranks_of

BRANCHES = 4
"""b = 4: for Gaussian noise 2 to 4 are best, and 16 already half as good again (measured)."""


class Quantiles(Template):
    """Quantiles of a number in each cell; the median unless told otherwise.

    The field's public range is cut into 4^depth parts, of one width on its transform's scale, and
    counted at every level of a tree with four branches. Post-processing makes the levels consistent
    by least squares (Hay et al. 2010), then the cumulative counts isotonic. A value is
    interpolated within its part; its interval is where the rank's interval ends.

    Sensitivity: a client is in one part at each of L = depth levels, so it moves the tree by √L
    (L2). Each level is released with ρ/L: the noise of that bound.
    """

    kind: Literal["quantiles"] = "quantiles"
    field: Name
    at: tuple[float, ...] = Key(default=(0.5,), min_length=1, max_length=19)
    depth: int = Key(default=5, ge=1, le=6)

    @model_validator(mode="after")
    def _places_in_order(self) -> Self:
        if any(not 0 < q < 1 for q in self.at) or list(self.at) != sorted(set(self.at)):
            msg = "at: numbers above 0 and below 1, each once and growing"
            raise ValueError(msg)
        return self

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "quantiles"

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
        """Return one split count for each level, the coarsest first."""
        return tuple(Clients(self.field, BRANCHES**level) for level in range(1, self.depth + 1))

    def check(self, catalogue: Catalogue) -> None:
        """Refuse a field that is no number, or raise UnknownField."""
        number_bounds(catalogue.field(self.field))

    def told(self, sums: Sums) -> list[Cell]:
        """Return one list per cell: a figure with ``at``, ``value``, ``low``, ``high``, ``rank``.

        ``low`` to ``high`` is the privacy interval, ``overall_low`` to ``overall_high`` the overall
        one; ``rank`` is the privacy interval's half width in rank, a part of the cell's clients.
        """
        field = sums.catalogue.field(self.field)
        levels = [sums.by_summand[COUNT], *(sums.by_summand[each] for each in self.summands)]
        found: list[Cell] = []
        for cell in range(len(levels[0].values)):
            tree = Tree(
                levels=tuple(level.values[cell] for level in levels),
                errors=tuple(float(level.error[cell]) for level in levels),
            )
            ranks = ranks_of(tree)
            found.append([_figure(q, ranks, field) for q in self.at])
        return found


def _figure(q: float, ranks: Ranks, field: Field) -> Figure:
    """Return one quantile, told where its rank's interval does not reach all clients."""
    if not ranks.total > Z * ranks.of_total:
        return {"at": q, "note": TOO_FEW}
    here = round(position(ranks, q) * (len(ranks.ranks) - 1))
    noise = Z * float(ranks.errors[here])
    both = math.hypot(noise, Z * math.sqrt(q * (1 - q) / ranks.total))
    if noise >= min(q, 1 - q):
        return {"at": q, "note": TOO_FEW}

    def value(rank: float) -> float:
        return float(from_scale(field, np.array([2 * position(ranks, rank) - 1]))[0])

    return {
        "at": q,
        "value": value(q),
        "low": value(q - noise),
        "high": value(q + noise),
        "overall_low": value(q - both),
        "overall_high": value(q + both),
        "rank": noise,
    }
