"""The coordinator's policy: how much may be spent on each purpose, and what needs no second person.

A budget binds people and a purpose. It is written in ε at δ because that is what people sign;
the ledger holds the ρ it converts to, rounded down. ``policy.toml``::

    delta             = 1e-6
    automatic_epsilon = 1.0
    least_count       = 20      # a cell with a noised count below it is not told
    least_share       = 0.01    # the smallest part of its fields' labels that a filter keeps
    reason            = "the board's decision of 3 May"   # goes into the ledger with a change

    [firm]
    epsilon       = 8.0         # for life
    year_epsilon  = 3.0         # in a calendar month and the eleven before it
    month_epsilon = 0.5         # in a calendar month

    [purposes.suitability_review]
    epsilon = 6.0
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from federation.budgets import (
    NOT_STATED,
    EpsilonBudget,
    Reason,
    budgets_of,
    check_order,
    rho_of,
)
from federation.plan_base import Name
from federation.settings_file import read_settings
from privacy.loss import Rho
from privacy.windows import Budgets

FIRM = "firm"


class Pool(BaseModel):
    """ε at the policy's δ: for life, and if given, over twelve calendar months and over one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epsilon: EpsilonBudget
    year_epsilon: EpsilonBudget | None = None
    month_epsilon: EpsilonBudget | None = None

    @model_validator(mode="after")
    def _windows_are_in_order(self) -> Self:
        check_order(lifetime=self.epsilon, year=self.year_epsilon, month=self.month_epsilon)
        return self

    def budgets(self, delta: float) -> Budgets:
        """Return them in ρ."""
        return budgets_of(
            lifetime=self.epsilon, year=self.year_epsilon, month=self.month_epsilon, delta=delta
        )


class Policy(BaseModel):
    """Budgets of the firm and of each purpose, per client.

    automatic_epsilon: a plan that costs more than this, at δ, waits until two people agree.
    least_count: a cell whose noised count is below it is not told.
    least_share: a question whose conditions keep a smaller part of their fields' labels is refused.
    reason: why the policy was last changed; a changed budget is written with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    delta: float = Field(gt=0, lt=1e-3)
    firm: Pool
    purposes: dict[Name, Pool]
    automatic_epsilon: float = Field(gt=0, le=100)
    minimum_cohort: int = Field(default=2, ge=2)
    least_count: float = Field(default=0.0, ge=0, le=1e6)
    least_share: float = Field(default=0.01, ge=0, le=1)
    reason: Reason = NOT_STATED

    def budgets(self) -> dict[str, Budgets]:
        """Return every pool's path and its budgets in ρ, the firm's first."""
        pools = {FIRM: self.firm} | {pool_of(name): p for name, p in self.purposes.items()}
        return {path: pool.budgets(self.delta) for path, pool in pools.items()}

    def rho(self, epsilon: float) -> Rho:
        """Convert an ε of this policy to ρ at its δ, rounded down."""
        return rho_of(epsilon, self.delta)


def pool_of(purpose: str) -> str:
    """Name the pool a purpose is charged to."""
    return f"{FIRM}/{purpose}"


def load_policy(path: Path) -> Policy:
    """Read the coordinator's ``policy.toml``; SettingsInvalid names the file and the key."""
    return read_settings(path, Policy)
