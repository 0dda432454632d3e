"""Amounts: sums, means, variances, and the mean of the same clients month by month."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from consent.catalogue import Catalogue
from federation.plan_base import Name
from federation.statistics.bounds import number_bounds, range_of
from federation.statistics.figures import Figure, Sums, figures
from federation.statistics.summands import COUNT, Amount, Moment, Summand, squares, total
from federation.statistics.template import Cell, Template


class _OfNumber(Template):
    """A statistic of one number."""

    field: Name

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return self.field

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the field it opens."""
        return (self.field,)

    def check(self, catalogue: Catalogue) -> None:
        """Refuse a field that is no number, or raise UnknownField."""
        number_bounds(catalogue.field(self.field))


class Mean(_OfNumber):
    """The mean of a number over the clients of each cell, each clipped to the field's bounds.

    With total T and count N both noised, m = c + h·T/N for a field around c of half width h; its
    deviation is the delta method's, h·√(σ_T² + (T/N)²·σ_N²)/N.

    Sensitivity: a client adds v in [−1, 1] to one cell: at most 1 half width (L2).
    """

    kind: Literal["mean"] = "mean"

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "means"

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return the total."""
        return (total(self.field),)

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell."""
        return [*_mean(sums, self.field)]


class Sum(_OfNumber):
    """The sum of a number over the clients of each cell, each counting for at most ``cap``.

    S = h·T + c·N for amounts around c of half width h.

    Sensitivity: a client adds v in [−1, 1] to one cell of T and 1 to the same cell of N.
    """

    kind: Literal["sum"] = "sum"
    cap: float | None = None

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "sums"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return Amount(self.field, self.cap).name

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return the total of the capped amounts."""
        return (total(self.field, self.cap),)

    def check(self, catalogue: Catalogue) -> None:
        """Refuse a cap beyond the field's bounds."""
        range_of(Amount(self.field, self.cap), catalogue.field(self.field))

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell.

        Overall: Σx² = c²·N + 2ch·T + h²·Σv², with Σv² of the field's variance if that is asked for
        too; without, it is at most N.
        """
        amount = Amount(self.field, self.cap)
        span = sums.range_of(amount)
        values, of_total = sums.plain(Moment((amount,)))
        count, of_count = sums.plain(COUNT)
        noise = np.hypot(span.half_width * of_total, span.center * of_count)
        second = sums.mean_square(self.field) if self.cap is None else 1.0
        square = (span.center**2 + span.half_width**2 * second) * count
        square += 2 * span.center * span.half_width * values
        least = 0.0 if span.center >= span.half_width else -np.inf
        return [
            *figures(
                span.half_width * values + span.center * count,
                noise,
                np.sqrt(np.maximum(square, 0.0)),
                within=(least, np.inf),
            )
        ]


class Variance(_OfNumber):
    """The variance of a number over the clients of each cell, each clipped to the field's bounds.

    h²·(Q − m²) with Q the mean of v² and m of v; its deviation is the delta method's.

    Sensitivity: a client adds v in [−1, 1] to one sum and 2v² − 1 in [−1, 1] to another, each in
    one cell: at most 1 (L2) in each of the two.
    """

    kind: Literal["variance"] = "variance"

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "variances"

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return the total and the squares."""
        return (total(self.field), squares(self.field))

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure per cell, told where its half width is below the largest variance.

        Overall: (v − m)² is at most (1 + |m|)² and σ² on average, so its variance is at most
        σ²·((1 + |m|)² − σ²) (Bhatia and Davis 2000): too wide where values are not at the ends.
        """
        half = sums.range_of(Amount(self.field)).half_width
        clients, of_count = sums.clients()
        sum_, of_sum = sums.plain(total(self.field))
        square, of_square = sums.plain(squares(self.field))
        mean, second = sum_ / clients, square / clients
        spread = np.clip((1 + second) / 2 - mean**2, 0.0, 1.0)
        by_count = (2 * mean**2 - second / 2) * of_count
        noise = np.sqrt((of_square / 2) ** 2 + (2 * mean * of_sum) ** 2 + by_count**2) / clients
        luck = np.sqrt(spread * np.maximum((1 + np.abs(mean)) ** 2 - spread, 0.0) / clients)
        top = half**2
        return [*figures(top * spread, top * noise, top * luck, within=(0.0, top), below=top)]


class Trend(Template):
    """The mean of one number per month, over the same clients in every month.

    ``months`` are fields of one kind in order of time; a client counts if it has all of them.

    Sensitivity: a client's amounts of all M months are one vector in [−1, 1]^M, bounded once: its
    L2 norm is at most √M. Each month's total is released with ρ/M, which is the noise of that bound
    and not of M clients.
    """

    kind: Literal["trend"] = "trend"
    months: tuple[Name, ...] = Field(min_length=2, max_length=60)

    @model_validator(mode="after")
    def _each_month_once(self) -> Self:
        if len(set(self.months)) < len(self.months):
            msg = "months: name each once"
            raise ValueError(msg)
        return self

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "trends"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return f"{self.months[0]} to {self.months[-1]}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the fields it opens."""
        return self.months

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return each month's total."""
        return tuple(total(month) for month in self.months)

    def check(self, catalogue: Catalogue) -> None:
        """Refuse months that are no numbers, or raise UnknownField."""
        for month in self.months:
            number_bounds(catalogue.field(month))

    def told(self, sums: Sums) -> list[Cell]:
        """Return one list per cell: a figure for each month, with the month's field as label."""
        by_month = [_mean(sums, month) for month in self.months]
        return [
            [{"label": m} | f for m, f in zip(self.months, cell, strict=True)]
            for cell in zip(*by_month, strict=True)
        ]


def _mean(sums: Sums, field: str) -> list[Figure]:
    """Return a mean per cell, told where its half width is below the field's half width.

    Overall: clients vary by their noised variance if it is asked for too. Without, the largest that
    the bounds and the mean allow, 1 − m² (Bhatia and Davis 2000), errs to the wide.
    """
    span = sums.range_of(Amount(field))
    clients, of_count = sums.clients()
    values, of_total = sums.plain(total(field))
    mean = np.clip(values / clients, -1.0, 1.0)
    noise = np.hypot(of_total, mean * of_count) / clients
    return figures(
        span.center + span.half_width * mean,
        span.half_width * noise,
        span.half_width * np.sqrt(np.maximum(sums.mean_square(field) - mean**2, 0.0) / clients),
        within=(span.center - span.half_width, span.center + span.half_width),
        below=span.half_width,
    )
