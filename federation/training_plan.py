"""A training: one shared model from noisy steps on every node of the cohort."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from federation.plan_base import BasePlan, Name
from federation.run_permit import Leg
from privacy.loss import Rho, rounded_down
from privacy.units import ContributionBound


class TrainingPlan(BasePlan):
    """One shared model: R rounds of K noisy full-batch steps on each node, averaged under masks.

    Every step adds the full noise at its own node, so a department's update is private by itself.
    A client known to k departments takes part in k·R·K steps, and in k noisy counts:
    ρ = k·(ρ_count + R·K·ρ_step).

    ``model``: under which name the registry keeps it; the target's unless given.
    """

    kind: Literal["training"] = "training"
    model: Name | None = None
    target: Name
    features: tuple[Name, ...] = Field(min_length=1, max_length=200)
    hidden: tuple[Annotated[int, Field(ge=1, le=256)], ...] = Field(default=(), max_length=2)
    rounds: int = Field(ge=1, le=100)
    local_steps: int = Field(ge=1, le=1000)
    clip_norm: float = Field(default=1.0, gt=0, le=100)
    learning_rate: float = Field(default=1.0, gt=0, le=100)
    momentum: float = Field(default=0.9, ge=0, lt=1)

    @model_validator(mode="after")
    def _target_is_not_a_feature(self) -> Self:
        if self.target in self.features:
            msg = "the target cannot be a feature of its own model"
            raise ValueError(msg)
        if any(a >= b for a, b in pairwise(self.features)):
            msg = "name each feature once, in alphabetical order"
            raise ValueError(msg)
        return self

    @property
    def legs(self) -> Mapping[Leg, int]:
        """The plan's legs in their order, and the rounds of each."""
        return {"check": 1, "round": self.rounds}

    @property
    def intervals(self) -> tuple[str, ...]:
        """What the intervals of its release cover, for its label: weights have none."""
        return ()

    @property
    def bound(self) -> ContributionBound:
        """One client may take part at every department of the cohort."""
        return ContributionBound(departments=len(self.cohort), clients=self.clients_per_household)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the plan opens, in alphabetical order."""
        return tuple(sorted({self.target, *self.features}))

    @property
    def rho_of_count(self) -> Rho:
        """ρ of one node's noisy count: a fiftieth of what one department may spend, or less."""
        return Rho(rounded_down(Fraction(self.rho) / len(self.cohort) / 50))

    @property
    def rho_of_step(self) -> Rho:
        """ρ of one local step on one node: an equal part of the rest, rounded down."""
        steps = self.rounds * self.local_steps
        rest = Fraction(self.rho) / len(self.cohort) - Fraction(self.rho_of_count.value)
        return Rho(rounded_down(rest / steps))
