"""Parts and relations: a share of clients, one sum over another, two numbers together."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from consent.catalogue import Catalogue
from federation.errors import PlanInvalid
from federation.plan_base import Name
from federation.statistics.bounds import known_labels, number_bounds
from federation.statistics.figures import Sums, Z, figures
from federation.statistics.summands import (
    COUNT,
    Amount,
    Share,
    Summand,
    products,
    squares,
    total,
)
from federation.statistics.template import Cell, Template
from privacy.lattice import RealVector


class Proportion(Template):
    """The part of a cell's clients whose field is one of the labels.

    p = (1 + T/N)/2 with T the sum of +1 and −1: half the noise of counting them by themselves.

    Sensitivity: a client adds +1 or −1 to one cell: at most 1 (L2).
    """

    kind: Literal["proportion"] = "proportion"
    field: Name
    of: tuple[str, ...] = Field(default=("yes",), min_length=1, max_length=1000)

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "proportions"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return f"{self.field}: {', '.join(self.of)}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the field it opens."""
        return (self.field,)

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return the clients of the labels less the others."""
        return (Share(self.field, self.of),)

    def check(self, catalogue: Catalogue) -> None:
        """Refuse labels that the field has not, or all that it has."""
        field = catalogue.field(self.field)
        if len(known_labels(field, self.of)) == len(field.labels()):
            raise PlanInvalid(f"of: it names every label of {self.field}: the part is 1")

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell; overall as of a sample of more clients, p(1 − p)/N."""
        clients, of_count = sums.clients()
        values, of_share = sums.plain(Share(self.field, self.of))
        lean = np.clip(values / clients, -1.0, 1.0)
        part = (1 + lean) / 2
        noise = np.hypot(of_share, lean * of_count) / (2 * clients)
        luck = np.sqrt(part * (1 - part) / clients)
        return [*figures(part, noise, luck, within=(0.0, 1.0), below=0.5)]


class Ratio(Template):
    """The sum of one number over the sum of another, over the clients that have both.

    Its deviation is the delta method's. It is told where the lower sum is more than twice its own
    interval away from zero.

    Sensitivity: a client adds an amount in [−1, 1] to one cell of each of two totals: 1 (L2) each.
    """

    kind: Literal["ratio"] = "ratio"
    field: Name
    over: Name

    @model_validator(mode="after")
    def _two_fields(self) -> Self:
        if self.field == self.over:
            msg = "over: name another field"
            raise ValueError(msg)
        return self

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "ratios"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return f"{self.field} / {self.over}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the fields it opens."""
        return (self.field, self.over)

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return both totals."""
        return (total(self.field), total(self.over))

    def check(self, catalogue: Catalogue) -> None:
        """Refuse fields that are no numbers."""
        for name in self.fields:
            number_bounds(catalogue.field(name))

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell.

        Overall: of the residuals e = x − r·y, whose mean is 0: √(Σe²)/|Σy|. Their mean square is
        known where the question asks for the correlation of the two as well; else it is at most
        (max e)·(−min e) within the bounds (Bhatia and Davis 2000), and errs to the wide.
        """
        upper, lower = (sums.range_of(Amount(name)) for name in self.fields)
        count, of_count = sums.plain(COUNT)
        (above, of_above), (below, of_below) = (sums.plain(total(name)) for name in self.fields)
        above = upper.half_width * above + upper.center * count
        below = lower.half_width * below + lower.center * count
        error = np.hypot(lower.half_width * of_below, lower.center * of_count)
        safe = np.where(np.abs(below) > 2 * Z * error, below, np.nan)
        ratio = above / safe
        by_count = (upper.center - ratio * lower.center) * of_count
        noise = np.sqrt(
            (upper.half_width * of_above) ** 2
            + (ratio * lower.half_width * of_below) ** 2
            + by_count**2
        ) / np.abs(safe)
        square = _residuals(sums, self.field, self.over, ratio)
        luck = np.sqrt(np.maximum(count * square, 0.0)) / np.abs(safe)
        positive = min(upper.center - upper.half_width, lower.center - lower.half_width) >= 0
        return [*figures(ratio, noise, luck, within=(0.0 if positive else -np.inf, np.inf))]


class Correlation(Template):
    """Pearson's correlation of two numbers that one department holds of a client.

    r = C/√(A·B) with C, A and B the noised covariance and variances; its deviation is the delta
    method's. Told where both variances are more than twice their noise, and it is within ±1.

    Sensitivity: a client adds numbers in [−1, 1] (u, v, 2u² − 1, 2v² − 1 and uv) to one cell of
    five sums: at most 1 (L2) each.
    """

    kind: Literal["correlation"] = "correlation"
    field: Name
    other: Name

    @model_validator(mode="after")
    def _two_fields(self) -> Self:
        if self.field >= self.other:
            msg = "name two fields, in alphabetical order"
            raise ValueError(msg)
        return self

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "correlations"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return f"{self.field}, {self.other}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the fields it opens."""
        return (self.field, self.other)

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return both totals, both sums of squares, and the products."""
        x, y = self.fields
        return (total(x), total(y), squares(x), squares(y), products(x, y))

    def check(self, catalogue: Catalogue) -> None:
        """Refuse fields that are no numbers."""
        for name in self.fields:
            number_bounds(catalogue.field(name))

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell; overall as of a normal sample of more, (1 − r²)²/N."""
        n, of_count = sums.clients()
        x, y, xx, yy, xy = (sums.plain(summand)[0] / n for summand in self.summands)
        of_x, of_y, of_xx, of_yy, of_xy = (sums.plain(summand)[1] for summand in self.summands)
        a, b, c = (1 + xx) / 2 - x**2, (1 + yy) / 2 - y**2, xy - x * y
        a = np.where(a > 2 * Z * np.hypot(of_xx / 2, 2 * x * of_x) / n, a, np.nan)
        b = np.where(b > 2 * Z * np.hypot(of_yy / 2, 2 * y * of_y) / n, b, np.nan)
        root = np.sqrt(a * b)
        r = c / root
        slopes = (
            (-y / root + r * x / a) * of_x,
            (-x / root + r * y / b) * of_y,
            r / (4 * a) * of_xx,
            r / (4 * b) * of_yy,
            of_xy / root,
            (
                (2 * x * y - xy) / root
                - r * ((2 * x**2 - xx / 2) / (2 * a) + (2 * y**2 - yy / 2) / (2 * b))
            )
            * of_count,
        )
        noise = np.sqrt(sum(slope**2 for slope in slopes)) / n
        r = np.clip(r, -1.0, 1.0)
        luck = (1 - r**2) / np.sqrt(n)
        return [*figures(r, noise, luck, within=(-1.0, 1.0), below=1.0)]


def _residuals(sums: Sums, field: str, over: str, ratio: RealVector) -> RealVector:
    """Return the mean square of x − r·y in each cell, or the most that it can be."""
    x, y = sums.range_of(Amount(field)), sums.range_of(Amount(over))
    of_x, of_y = x.half_width, -ratio * y.half_width
    middle = x.center - ratio * y.center
    if products(field, over) not in sums.by_summand:
        reach = np.abs(of_x) + np.abs(of_y)
        return np.asarray(np.maximum(reach**2 - middle**2, 0.0), dtype=np.float64)
    n = sums.clients()[0]
    u, v, uv = (sums.plain(s)[0] / n for s in (total(field), total(over), products(field, over)))
    return np.asarray(
        middle**2
        + of_x**2 * sums.mean_square(field)
        + of_y**2 * sums.mean_square(over)
        + 2 * (of_x * of_y * uv + middle * (of_x * u + of_y * v)),
        dtype=np.float64,
    )
