"""What every statistic's template is: a part of a plan, its sums, and the figures made of them."""

from pydantic import Field

from consent.catalogue import Catalogue
from federation.plan_base import Frozen
from federation.statistics.figures import Figure, Sums
from federation.statistics.summands import Summand

Cell = Figure | list[Figure]


class Template(Frozen):
    """One statistic.

    ``weight``: its part of the plan's ρ beside the other statistics' parts; its own sums share it.
    """

    weight: float = Field(default=1.0, gt=0, le=1e6)

    @property
    def group(self) -> str:
        """Name the place of its figures in a row of the answer."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """Name the statistic within its group."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Name the statistic among all, as labels do."""
        return f"{self.group.removesuffix('s')} {self.key}"

    @property
    def fields(self) -> tuple[str, ...]:
        """Name the fields it opens."""
        raise NotImplementedError

    @property
    def summands(self) -> tuple[Summand, ...]:
        """Return its own sums, beside the count."""
        raise NotImplementedError

    def check(self, catalogue: Catalogue) -> None:
        """Refuse what its fields cannot give, or raise PlanInvalid, UnknownField."""
        raise NotImplementedError

    def told(self, sums: Sums) -> list[Cell]:
        """Return its figures, one entry for each cell. Post-processing only."""
        raise NotImplementedError
