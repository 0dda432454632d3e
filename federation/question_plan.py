"""A question: statistics of the clients in each cell, answered by one sum over the cohort."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from federation.plan_base import BasePlan, Frozen, Name
from federation.run_permit import Leg
from privacy.loss import Rho, rounded_down
from privacy.units import ContributionBound


class Count(Frozen):
    """The number of clients in each cell."""

    kind: Literal["count"] = "count"


class Mean(Frozen):
    """The mean of a number over the clients of each cell, each clipped to the field's bounds."""

    kind: Literal["mean"] = "mean"
    field: Name


Statistic = Annotated[Count | Mean, Field(discriminator="kind")]


class QuestionPlan(BasePlan):
    """One question, answered by one sum over the cohort.

    ``owned``: every client is counted by exactly one of the departments that know them, so one
    client moves the sum as much as one department's bound (Δ = C), at the price of one more leg.
    Otherwise a client known to k departments is counted k times (Δ = k·C).
    """

    kind: Literal["question"] = "question"
    statistics: tuple[Statistic, ...] = Field(min_length=1, max_length=8)
    by: tuple[Name, ...] = Field(default=(), max_length=3)
    owned: bool = True

    @model_validator(mode="after")
    def _each_statistic_once(self) -> Self:
        if len(set(self.statistics)) < len(self.statistics):
            msg = "name each statistic once: asked twice it would cost twice"
            raise ValueError(msg)
        return self

    @property
    def legs(self) -> Mapping[Leg, int]:
        """The plan's legs in their order, and the rounds of each."""
        return {"tokens" if self.owned else "check": 1, "sum": 1}

    @property
    def intervals(self) -> tuple[str, ...]:
        """What the intervals of its release cover, for its label."""
        return ("noise only, 95 %, each cell by itself",)

    @property
    def bound(self) -> ContributionBound:
        """How often one unit moves this plan's sum."""
        return ContributionBound(
            departments=1 if self.owned else len(self.cohort), clients=self.clients_per_household
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the plan opens, each once, in alphabetical order."""
        means = (s.field for s in self.statistics if isinstance(s, Mean))
        return tuple(sorted({*self.by, *means}))

    @property
    def rho_per_statistic(self) -> Rho:
        """Each sum's share of ρ, rounded down: all together cost at most ρ, exactly.

        A mean needs the count beneath it, which is shared.
        """
        return Rho(rounded_down(Fraction(self.rho) / self.released_sums))

    @property
    def released_sums(self) -> int:
        """How many sums per cell the plan releases: one count, and one total for each mean."""
        return 1 + sum(isinstance(s, Mean) for s in self.statistics)
