"""A question: statistics of the clients in each cell, answered by one sum over the cohort."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from federation.plan_base import BasePlan, Frozen, Name
from federation.run_permit import Leg
from federation.statistics.amounts import Mean, Sum, Trend, Variance
from federation.statistics.counting import Count, Histogram, Top
from federation.statistics.quantiles import Quantiles
from federation.statistics.relations import Correlation, Proportion, Ratio
from federation.statistics.short import Short
from federation.statistics.summands import COUNT, Summand
from privacy.loss import Rho, rounded_down
from privacy.units import ContributionBound

Statistic = Annotated[
    Count
    | Mean
    | Sum
    | Variance
    | Proportion
    | Ratio
    | Correlation
    | Histogram
    | Top
    | Quantiles
    | Trend
    | Short,
    Field(discriminator="kind"),
]


class Condition(Frozen):
    """Only clients whose field is one of these labels; all its labels: only who has the field."""

    field: Name
    one_of: tuple[str, ...] = Field(min_length=1, max_length=1000)


class QuestionPlan(BasePlan):
    """One question, answered by one sum over the cohort.

    ``where``: conditions that all hold of a counted client, each field once, by field.
    ``owned``: every client is counted by exactly one of the departments that know them, so one
    client moves the sum as much as one department's bound (Δ = C), at the price of one more leg.
    Otherwise a client known to k departments is counted k times (Δ = k·C).
    """

    kind: Literal["question"] = "question"
    statistics: tuple[Statistic, ...] = Field(min_length=1, max_length=8)
    by: tuple[Name, ...] = Field(default=(), max_length=3)
    where: tuple[Condition, ...] = Field(default=(), max_length=8)
    owned: bool = True

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        plain = [s.model_copy(update={"weight": 1.0}) for s in self.statistics]
        if len(set(plain)) < len(plain) or len({s.name for s in plain}) < len(plain):
            msg = "name each statistic once: asked twice it would cost twice"
            raise ValueError(msg)
        if any(a.field >= b.field for a, b in pairwise(self.where)):
            msg = "where: name each field once, in alphabetical order"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _who_is_short_is_asked_alone(self) -> Self:
        beside = len(self.statistics) > 1 or self.by or self.where
        if self.short is not None and (beside or self.owned):
            msg = "who is short is asked alone: no other statistic, no by, no where, owned = false"
            raise ValueError(msg)
        return self

    @property
    def short(self) -> str | None:
        """The field that clients may be short of, if that is what is asked."""
        return next((s.field for s in self.statistics if isinstance(s, Short)), None)

    @property
    def legs(self) -> Mapping[Leg, int]:
        """The plan's legs in their order, and the rounds of each."""
        return {"tokens" if self.owned else "check": 1, "sum": 1}

    @property
    def bound(self) -> ContributionBound:
        """How often one unit moves this plan's sum."""
        once = self.owned or self.short is not None
        return ContributionBound(
            departments=1 if once else len(self.cohort), clients=self.clients_per_household
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the plan opens, each once, in alphabetical order; a client needs them all."""
        asked = (name for statistic in self.statistics for name in statistic.fields)
        return tuple(sorted({*self.by, *asked, *(one.field for one in self.where)}))

    @property
    def sums(self) -> Mapping[Summand, Rho]:
        """The sums the plan releases, the count first, and the loss of each.

        The weight of a statistic is shared evenly by its own sums; the count beneath them all has
        the weight of the statistic that asks for it, or 1. A sum that several statistics need is
        released once, at the largest weight. Each loss is rounded down: together they cost at most
        ρ, exactly.
        """
        weights: dict[Summand, Fraction] = {COUNT: Fraction(1)}
        for statistic in self.statistics:
            if isinstance(statistic, Count):
                weights[COUNT] = Fraction(statistic.weight)
            for summand in statistic.summands:
                part = Fraction(statistic.weight) / len(statistic.summands)
                weights[summand] = max(part, weights.get(summand, part))
        whole = sum(weights.values())
        rho = Fraction(self.rho)
        return {s: Rho(rounded_down(rho * w / whole)) for s, w in weights.items()}
