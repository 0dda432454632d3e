"""Plans: what is asked, frozen before anyone looks at data. A plan's SHA-256 is its name.

A plan travels from the asker through the coordinator to every node of its cohort, and each of them
checks the same bytes. Public keys and bounds are not repeated in it: the plan names the digest of
the catalogue they stand in, and a node with another catalogue refuses. All of a plan is public.
"""

from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from federation.errors import PlanInvalid
from privacy.loss import Rho, rounded_down
from privacy.planning import LEAST_RHO, MOST_RHO
from privacy.units import ContributionBound, PrivacyUnit

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Loss = Annotated[float, Field(ge=LEAST_RHO, le=MOST_RHO, allow_inf_nan=False)]
"""Less than LEAST_RHO would take noise so wide that the sum of a cohort could wrap."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Count(_Frozen):
    """The number of clients in each cell."""

    kind: Literal["count"] = "count"


class Mean(_Frozen):
    """The mean of a number over the clients of each cell, each clipped to the field's bounds."""

    kind: Literal["mean"] = "mean"
    field: Name


Statistic = Annotated[Count | Mean, Field(discriminator="kind")]


class _Plan(_Frozen):
    """What every plan has.

    ``clients_per_household``: in a plan that protects households, how many clients of one count,
    the first ones the consent register entered. Noise grows with it in proportion.
    """

    catalogue: Digest
    purpose: Name
    cohort: tuple[Name, ...] = Field(min_length=2, max_length=16)
    unit: PrivacyUnit = PrivacyUnit.CLIENT
    clients_per_household: int = Field(default=1, ge=1, le=100)
    tolerance: int = Field(default=1, ge=0, le=15)
    rho: Loss
    reason: str = Field(min_length=3, max_length=500)

    @model_validator(mode="after")
    def _cohort_and_unit_fit(self) -> Self:
        if any(a >= b for a, b in pairwise(self.cohort)):
            msg = "name each department of the cohort once, in alphabetical order"
            raise ValueError(msg)
        if self.unit is PrivacyUnit.CLIENT and self.clients_per_household > 1:
            msg = "clients_per_household belongs to a plan whose unit is the household"
            raise ValueError(msg)
        if len(self.cohort) - self.tolerance < 1:
            msg = "the tolerance must be smaller than the cohort: some department must add noise"
            raise ValueError(msg)
        return self


class QuestionPlan(_Plan):
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


class TrainingPlan(_Plan):
    """One shared model: R rounds of K noisy full-batch steps on each node, averaged under masks.

    Every step adds the full noise at its own node, so a department's update is private by itself.
    A client known to k departments takes part in k·R·K steps, and in k noisy counts:
    ρ = k·(ρ_count + R·K·ρ_step).
    """

    kind: Literal["training"] = "training"
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


Plan = Annotated[QuestionPlan | TrainingPlan, Field(discriminator="kind")]
_PLAN: TypeAdapter[QuestionPlan | TrainingPlan] = TypeAdapter(Plan)


def canonical(plan: QuestionPlan | TrainingPlan) -> bytes:
    """Return the plan as RFC 8785 canonical JSON: equal plans have equal bytes."""
    return rfc8785.dumps(plan.model_dump(mode="json"))


def digest(plan: QuestionPlan | TrainingPlan) -> bytes:
    """Return the plan's name: the SHA-256 of its canonical JSON, 32 bytes."""
    return sha256(canonical(plan)).digest()


def read_plan(data: bytes | dict[str, object]) -> QuestionPlan | TrainingPlan:
    """Parse a plan from JSON bytes or a mapping.

    Raises:
        PlanInvalid: an unknown key, a value out of range or a plan that contradicts itself.
    """
    try:
        return _PLAN.validate_json(data) if isinstance(data, bytes) else _PLAN.validate_python(data)
    except ValidationError as error:
        raise PlanInvalid(explain(error)) from None


_PLAIN = {
    "missing": "is missing; add it",
    "extra_forbidden": "is no key here; remove it or correct its spelling",
}


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with each place of a plan, without repeating long inputs."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = (".".join(str(part) for part in e["loc"]) or "plan" for e in found)
    reasons = (_PLAIN.get(e["type"], e["msg"].removeprefix("Value error, ")) for e in found)
    return "; ".join(f"{place}: {reason}" for place, reason in zip(places, reasons, strict=True))
