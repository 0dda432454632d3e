"""Where everything stands in a cube: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. No function sees a row.

A department's matrix has one column for each label of each of its fields, in the plan's order of
fields. The released vector is the cube's tables one after the other: for each field its histogram,
then its crosstabs with the later fields, the later field's labels running fastest.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np

from consent.catalogue import Catalogue, Field
from federation.cube_plan import CubePlan
from federation.errors import PlanInvalid
from privacy.bounds import TABLE_SCALE, BoundedSum, bounded_tables
from privacy.errors import InvalidBound
from privacy.loss import Rho
from privacy.noise_shares import check_room, share_sigma

MOST_COLUMNS = 200
"""Labels of all fields of one department: a part of two sealed matrices then fits one message."""

MOST_CELLS = 2**17
"""Cells of all tables: 1 MiB for each department, and about 1.5 seconds of noise."""

WORD_BYTES = 4
TAG_BYTES = 16
"""A sealed envelope is so much longer than what is in it (RFC 8439)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field inside the matrix of its department. Public."""

    field: Field
    department: str
    start: int
    size: int

    @property
    def places(self) -> slice:
        """Its columns of the department's matrix."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One released table: of a field with itself it is the histogram, else the crosstab. Public."""

    first: Column
    second: Column
    start: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Labels of the field, or of both."""
        alone = self.first is self.second
        return (self.first.size,) if alone else (self.first.size, self.second.size)

    @property
    def places(self) -> slice:
        """Its cells of the released vector."""
        return slice(self.start, self.start + prod(self.shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeLayout:
    """A cube's columns and tables. Public.

    widths: columns of each department's matrix; 0 for a dealer outside the cohort.
    """

    plan: CubePlan
    columns: tuple[Column, ...]
    tables: tuple[Table, ...]
    widths: dict[str, int]

    @property
    def cells(self) -> int:
        """Length of the released vector."""
        last = self.tables[-1]
        return last.start + prod(last.shape)

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """Every two departments of the cohort, left before right, and who deals their triples."""
        for left, right in combinations(self.plan.cohort, 2):
            yield left, right, self.dealer(left, right)

    def dealer(self, one: str, other: str) -> str:
        """The first party that is neither of a pair: it deals the pair's triples."""
        return next(d for d in self.plan.parties if d not in (one, other))

    def dealt(self, sender: str, recipient: str) -> tuple[tuple[str, str], ...]:
        """The pairs whose right is the recipient and whose dealer is the sender."""
        return tuple((a, b) for a, b, dealer in self.pairs() if (b, dealer) == (recipient, sender))

    def height(self, part: int) -> int:
        """How many rows a part has."""
        return len(range(self.plan.rows)[self.plan.parts[part]])

    def words(self, part: int, sender: str, recipient: str) -> int:
        """How many numbers an envelope of one part holds: a masked matrix, then corrections."""
        masked = self.height(part) * self.widths[sender]
        corrections = self.dealt(sender, recipient)
        return masked + sum(self.widths[a] * self.widths[b] for a, b in corrections)

    def envelopes(self, part: int, sender: str) -> dict[str, int]:
        """Bytes of the envelope to each recipient, in the order in which they are sent."""
        peers = (d for d in self.plan.cohort if d != sender)
        return {d: WORD_BYTES * self.words(part, sender, d) + TAG_BYTES for d in peers}


def cube_layout(plan: CubePlan, catalogue: Catalogue) -> CubeLayout:
    """Lay a cube out.

    Raises:
        PlanInvalid: a department does not hold a field that is taken from it; too many labels of
            one department or cells in all; units that reach too far for the ring.
        UnknownField: the catalogue has no such field.
        NoiseTooSmall: ρ is so large that the noise of one department would be too small.
    """
    widths = dict.fromkeys(plan.parties, 0)
    columns: list[Column] = []
    for source in plan.sources:
        field = catalogue.field(source.field)
        if source.department not in field.departments:
            raise PlanInvalid(f"sources: {source.department} does not hold {field.name}")
        start, size = widths[source.department], len(field.labels())
        columns.append(Column(field=field, department=source.department, start=start, size=size))
        widths[source.department] += size
    if max(widths.values()) > MOST_COLUMNS:
        raise PlanInvalid(
            f"sources: at most {MOST_COLUMNS} labels of one department; name fewer fields"
        )
    tables: list[Table] = []
    cells = 0
    for place, first in enumerate(columns):
        for second in columns[place:]:
            tables.append(Table(first=first, second=second, start=cells))
            cells += prod(tables[-1].shape)
    if cells > MOST_CELLS:
        raise PlanInvalid(f"sources: at most {MOST_CELLS} cells; name fewer or coarser fields")
    _check_noise(plan)
    return CubeLayout(plan=plan, columns=tuple(columns), tables=tuple(tables), widths=widths)


def sensitivity(plan: CubePlan) -> float:
    """Return the L2 sensitivity of the released vector, in lattice points of `TABLE_SCALE`."""
    return _nothing(plan).sensitivity


def standard_error(plan: CubePlan) -> float:
    """Return the standard error of every cell of a cube, in clients: that of the noise alone."""
    return _share_sigma(plan) * math.sqrt(len(plan.cohort)) / TABLE_SCALE


def _nothing(plan: CubePlan) -> BoundedSum:
    """A share of the plan's tables without a client in them, for what it declares."""
    return bounded_tables(np.zeros(1, np.int64), plan.tables, unit=plan.unit, bound=plan.bound)


def _share_sigma(plan: CubePlan) -> int:
    return share_sigma(
        sensitivity=sensitivity(plan),
        rho=Rho(value=plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )


def _check_noise(plan: CubePlan) -> None:
    try:
        check_room(_nothing(plan), sigma=_share_sigma(plan), cohort=len(plan.cohort))
    except InvalidBound:
        raise PlanInvalid(
            "rho, sources: the noise would leave the ring; spend more, name fewer fields, or count "
            "fewer clients of a household"
        ) from None
