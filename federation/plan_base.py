"""What every plan has, and the words its parts are written in. All of a plan is public."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from privacy.planning import LEAST_RHO, MOST_RHO
from privacy.units import PrivacyUnit

Kind = Literal["question", "training", "evaluation", "cube"]
"""Every kind of plan; `federation.plans.AnyPlan` is their union."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Loss = Annotated[float, Field(ge=LEAST_RHO, le=MOST_RHO, allow_inf_nan=False)]
"""Less than LEAST_RHO would take noise so wide that the sum of a cohort could wrap."""


class Frozen(BaseModel):
    """A part of a plan: no unknown key, no number that is not finite, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BasePlan(Frozen):
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

    @property
    def parties(self) -> tuple[str, ...]:
        """Who takes part in any leg: the cohort, whose rows it is about, and perhaps a helper."""
        return self.cohort

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
