"""A cube: all two-way tables of some fields over the clients of several departments, released once.

Each field comes from one department. A table of two fields of one department counts its clients; a
table of two departments' fields counts the clients whom both know.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from federation.plan_base import BasePlan, Frozen, Name
from federation.run_permit import Leg
from privacy.units import ContributionBound

PART_ROWS = 2**15
"""Rows of the sealed matrices that travel in one leg: what bounds a node's memory."""

MOST_CLIENTS = 2**19
"""Most clients a cube may be planned for; padded it has up to three times and more as many rows."""

MOST_TOLERATED = 1
_PAIR = 2


class Source(Frozen):
    """A field of the cube, and the one department of the cohort that it is taken from."""

    field: Name
    department: Name


class CubePlan(BasePlan):
    """All two-way tables of up to 40 fields, each binned by the catalogue, in one release.

    clients: the most clients that all departments together may have. It is public and sets the
        size of everything that travels, so no length tells how many there are.
    padded: hide from the coordinator how many clients each department sends, and shift how many
        they share by a secret number below `clients` / 8 (`padding`). Takes about four times the
        rows in a cohort of three.
    dealer: in a cohort of two, the department outside it that deals the multiplication triples.
        In a larger cohort every pair has its dealer within.
    tolerance: at most 1. Two colluding departments, the dealer of a pair and one of the pair, read
        the other's rows of that pair, and no noise covers that.
    """

    kind: Literal["cube"] = "cube"
    sources: tuple[Source, ...] = Field(min_length=2, max_length=40)
    clients: int = Field(ge=2**10, le=MOST_CLIENTS)
    padded: bool = False
    dealer: Name | None = None

    @model_validator(mode="after")
    def _sources_fit_the_cohort(self) -> Self:
        if any(a.field >= b.field for a, b in pairwise(self.sources)):
            msg = "name each field once, in alphabetical order"
            raise ValueError(msg)
        if {source.department for source in self.sources} != set(self.cohort):
            msg = "each department of the cohort supplies at least one field, and nobody else does"
            raise ValueError(msg)
        if self.tolerance > MOST_TOLERATED:
            msg = "a cube tolerates one colluding department: two could read the rows of a third"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _somebody_deals(self) -> Self:
        if len(self.cohort) > _PAIR:
            if self.dealer is not None:
                msg = "a cohort of three or more needs no dealer from outside"
                raise ValueError(msg)
        elif self.dealer is None or self.dealer in self.cohort:
            msg = "two departments need a third one, outside the cohort, as their dealer"
            raise ValueError(msg)
        return self

    @property
    def parties(self) -> tuple[str, ...]:
        """The cohort, and its dealer if there is one outside it, in alphabetical order."""
        return tuple(sorted({*self.cohort, *filter(None, (self.dealer,))}))

    @property
    def listed(self) -> int:
        """How many tokens a department sends at most, or exactly if the plan is padded."""
        groups = sum(self.cohort[0] in group for group in self.overlaps)
        return self.clients + (groups * self.window if self.padded else 0)

    @property
    def window(self) -> int:
        """A padded overlap is shifted by less than this."""
        return self.clients // 8

    @property
    def overlaps(self) -> tuple[tuple[str, ...], ...]:
        """The groups of departments whose overlaps padding shifts: every pair, and the cohort."""
        pairs = tuple((a, b) for a in self.cohort for b in self.cohort if a < b)
        return pairs if len(self.cohort) == _PAIR else (*pairs, self.cohort)

    @property
    def rows(self) -> int:
        """How many rows the joined clients are laid out on, those that stay empty included."""
        return self.listed * len(self.cohort) if self.padded else self.clients

    @property
    def parts(self) -> tuple[slice, ...]:
        """The rows of each leg of sealed matrices."""
        starts = range(0, self.rows, PART_ROWS)
        return tuple(slice(start, min(start + PART_ROWS, self.rows)) for start in starts)

    @property
    def tables(self) -> int:
        """How many tables are released: one for each field, and one for each two fields."""
        return len(self.sources) * (len(self.sources) + 1) // 2

    @property
    def legs(self) -> Mapping[Leg, int]:
        """The plan's legs in their order, and the rounds of each."""
        return {"tokens": 1, "matrices": len(self.parts), "shares": 1}

    @property
    def bound(self) -> ContributionBound:
        """The join counts a client once, in however many departments it is known."""
        return ContributionBound(departments=1, clients=self.clients_per_household)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the plan opens, in alphabetical order."""
        return tuple(source.field for source in self.sources)
