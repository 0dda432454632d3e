"""A training: one shared model from noisy steps on every node of the cohort."""

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from federation.plan_base import BasePlan, Name
from federation.run_permit import Leg
from models.objectives import Objective
from privacy.loss import Rho, rounded_down
from privacy.units import ContributionBound

COUNT_WEIGHT = 1 / 7
"""With shared noise a client adds this much of the clip norm to its department's count."""

LEAST_CLIP = 2.0**-10
"""A smaller clip norm would leave a noise share less than 8 lattice points at the largest ρ."""


class TrainingPlan(BasePlan):
    """One shared model from R rounds, in one of two ways.

    ``noise``: ``local``: K noisy full-batch steps on each node, averaged under masks. Every step
    adds the full noise at its own node, so a department's update is private by itself. A client who
    counts at k departments takes part in k·R·K steps and k noisy counts:
    ρ = k·(ρ_count + R·K·ρ_step). ``shared``: one step a round, taken by the coordinator on the
    masked sum of the departments' gradients and counts; each node adds its share of the noise, so
    the sum has √(n/(n−t)) times the noise of one department instead of √n times, at the price of a
    leg for every step: ρ = R·ρ_step.

    ``owned``: every client trains at exactly one of the departments that know them, so k = 1, at
    the price of one more leg and of what the other departments know of the client. Otherwise k is
    the size of the cohort.

    ``linear_rounds``: the first rounds train the linear model of the same inputs, with a learning
    rate of its own; the network begins as what they found and goes on with the rest, if any.

    ``objective``: what is learned of the target; by default what its field's kind suggests.
    ``proximal``: how strongly local steps are drawn back to the round's start (FedProx), against
    departments whose clients are unlike each other. ``personal``: the last layer never leaves the
    node: each department has its own.

    ``holdout``: the share of clients that is left out, chosen by a keyed hash of their ids, so that
    an evaluation can judge the model on clients it never saw.

    ``model``: under which name the registry keeps it; the target's unless given.
    """

    kind: Literal["training"] = "training"
    model: Name | None = None
    target: Name
    features: tuple[Name, ...] = Field(min_length=1, max_length=200)
    hidden: tuple[Annotated[int, Field(ge=1, le=256)], ...] = Field(default=(), max_length=2)
    rounds: int = Field(ge=1, le=100)
    local_steps: int = Field(ge=1, le=1000)
    clip_norm: float = Field(default=1.0, ge=LEAST_CLIP, le=100)
    learning_rate: float = Field(default=1.0, gt=0, le=100)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    linear_rounds: int = Field(default=0, ge=0, le=100)
    linear_learning_rate: float = Field(default=3.0, gt=0, le=100)
    objective: Objective | None = None
    noise: Literal["local", "shared"] = "local"
    owned: bool = False
    proximal: float = Field(default=0.0, ge=0, le=100)
    personal: bool = False
    holdout: float = Field(default=0.0, ge=0, le=0.5)

    @model_validator(mode="after")
    def _ways_fit_together(self) -> Self:
        if self.noise == "shared" and self.local_steps > 1:
            msg = "shared noise has one step a round: give local_steps 1 and more rounds"
            raise ValueError(msg)
        if self.noise == "shared" and (self.proximal or self.personal):
            msg = "proximal and personal belong to local steps: choose local noise or leave them"
            raise ValueError(msg)
        if self.linear_rounds and (not self.hidden or self.linear_rounds > self.rounds):
            msg = "linear_rounds begin a network: at most all rounds, with hidden"
            raise ValueError(msg)
        if self.personal and self.linear_rounds:
            msg = "a personal last layer and linear_rounds do not go together: choose one"
            raise ValueError(msg)
        if self.personal and not self.hidden:
            msg = "a personal last layer needs a hidden layer below it that is shared"
            raise ValueError(msg)
        return self

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
        return {"tokens" if self.owned else "check": 1, "round": self.rounds}

    @property
    def bound(self) -> ContributionBound:
        """At how many departments of the cohort one client may take part."""
        return ContributionBound(
            departments=1 if self.owned else len(self.cohort), clients=self.clients_per_household
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the plan opens, in alphabetical order."""
        return tuple(sorted({self.target, *self.features}))

    @property
    def rho_of_count(self) -> Rho:
        """ρ of one node's noisy count: a fiftieth of what one department may spend, or less.

        With shared noise the counts are part of every step's sum and cost nothing of their own.
        """
        if self.noise == "shared":
            return Rho(0.0)
        return Rho(rounded_down(Fraction(self.rho) / self.bound.departments / 50))

    @property
    def rho_of_step(self) -> Rho:
        """ρ of one step, an equal part of the rest, rounded down.

        Of one local step on one node; or of one round's whole sum, whose sensitivity already counts
        every department.
        """
        if self.noise == "shared":
            return Rho(rounded_down(Fraction(self.rho) / self.rounds))
        steps = self.rounds * self.local_steps
        rest = Fraction(self.rho) / self.bound.departments - Fraction(self.rho_of_count.value)
        return Rho(rounded_down(rest / steps))

    def rate_of(self, number: int) -> float:
        """Return the learning rate of a round."""
        return self.linear_learning_rate if number < self.linear_rounds else self.learning_rate

    def keeps(self, number: int) -> bool:
        """Whether the weights after a round are averaged: the last half of its kind of rounds."""
        if number < self.linear_rounds:
            return number >= self.linear_rounds // 2
        return number - self.linear_rounds >= (self.rounds - self.linear_rounds) // 2

    @property
    def joint_norm(self) -> float:
        """L2 norm that one unit may add to one department's gradient and count, with shared noise.

        A client adds a gradient of norm C and COUNT_WEIGHT·C to the count: C·√(1 + 1/49) together.
        A household adds that of each of its clients that count.
        """
        return self.clip_norm * math.hypot(1.0, COUNT_WEIGHT) * self.clients_per_household
