"""Who is short: how many clients' own authorization does not open a field to the plan's purpose."""

from typing import Literal

from consent.catalogue import Catalogue
from federation.plan_base import Name
from federation.statistics.counting import Count
from federation.statistics.figures import Sums
from federation.statistics.summands import Summand
from federation.statistics.template import Cell, Template


class Short(Template):
    """The number of clients in the register who are short of a field.

    Their level is too low or has ended, or they object to the purpose. It is read off the consent
    snapshot, which is the same at every department: only the cohort's first one counts, nobody
    opens a row, and so nobody owns anybody.

    Sensitivity: a client counts once, at one department: 1 (L2). What the others of a household
    object to is left out, so that no client moves another.
    """

    kind: Literal["short"] = "short"
    field: Name

    @property
    def group(self) -> str:
        """Name the place of its figures."""
        return "short"

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        return self.field

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the field: it must be open to the purpose, and its household rule holds."""
        return (self.field,)

    @property
    def summands(self) -> tuple[Summand, ...]:
        """It has no sum beside the count, which counts those who are short."""
        return ()

    def check(self, catalogue: Catalogue) -> None:
        """Raise UnknownField if there is no such field."""
        catalogue.field(self.field)

    def told(self, sums: Sums) -> list[Cell]:
        """Return one figure: the plan has one cell."""
        return Count().told(sums)
