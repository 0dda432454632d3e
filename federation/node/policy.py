"""A department's own policy: what it answers and spends. The coordinator cannot override it.

``policy.toml``::

    kinds             = ["question", "training", "cube", "evaluation"]
    minimum_cohort    = 2       # departments in a sum, this one included
    minimum_tolerance = 1       # departments that may collude without weakening the noise
    max_rho           = 0.5     # one plan
    never             = []      # fields this department never answers about
    delta             = 1e-6
    lifetime_epsilon  = 8.0     # all purposes together, per client, for life, at delta
    year_epsilon      = 3.0     # the same in a calendar month and the eleven before it, if given
    month_epsilon     = 0.5     # the same in a calendar month, if given
    reason            = "the board's decision of 3 May"   # goes into the ledger with a change

    [purposes]                  # of each purpose it answers: lifetime epsilon, or all three
    suitability_review = 6.0
    marketing = { lifetime_epsilon = 2.0, year_epsilon = 1.0, month_epsilon = 0.2 }
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from federation.budgets import NOT_STATED, EpsilonBudget, Reason, budgets_of, check_order
from federation.errors import PolicyRefusal
from federation.plan_base import Kind, Name
from federation.plans import AnyPlan
from federation.settings_file import read_settings
from privacy.windows import Budgets

ROOT_POOL = "department"


class Limits(BaseModel):
    """ε of one client at the policy's δ: for life, and if given, over twelve months and one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lifetime_epsilon: EpsilonBudget
    year_epsilon: EpsilonBudget | None = None
    month_epsilon: EpsilonBudget | None = None

    @model_validator(mode="after")
    def _windows_are_in_order(self) -> Self:
        check_order(
            lifetime=self.lifetime_epsilon, year=self.year_epsilon, month=self.month_epsilon
        )
        return self

    def in_rho(self, delta: float) -> Budgets:
        """Return them in ρ."""
        return budgets_of(
            lifetime=self.lifetime_epsilon,
            year=self.year_epsilon,
            month=self.month_epsilon,
            delta=delta,
        )


class Policy(Limits):
    """One department's rules; the limits are those of all purposes together.

    A purpose may be given one ε, which is for life, or limits of its own.
    """

    kinds: frozenset[Kind] = Field(min_length=1)
    minimum_cohort: int = Field(default=2, ge=2)
    minimum_tolerance: int = Field(default=1, ge=0)
    max_rho: float = Field(gt=0, le=100)
    never: frozenset[Name] = frozenset()
    delta: float = Field(gt=0, lt=1e-3)
    purposes: dict[Name, EpsilonBudget | Limits] = Field(min_length=1)
    reason: Reason = NOT_STATED

    def budgets(self) -> dict[str, Budgets]:
        """Return every pool of the department's ledger with its budgets in ρ, the root first."""
        found = {ROOT_POOL: self.in_rho(self.delta)}
        for purpose, given in self.purposes.items():
            limits = given if isinstance(given, Limits) else Limits(lifetime_epsilon=given)
            found[pool_of(purpose)] = limits.in_rho(self.delta)
        return found


def pool_of(purpose: str) -> str:
    """Name the pool of the department's own ledger that a purpose is charged to."""
    return f"{ROOT_POOL}/{purpose}"


def load_policy(path: Path) -> Policy:
    """Read the department's ``policy.toml``.

    Raises:
        SettingsInvalid: missing, no TOML or a wrong key; names the file and the key.
    """
    return read_settings(path, Policy)


def check(plan: AnyPlan, policy: Policy, *, department: str) -> None:
    """Refuse a plan that the department's policy does not allow. Reads and spends nothing.

    Raises:
        PolicyRefusal: with the rule that forbids it.
    """
    if plan.kind not in policy.kinds:
        raise PolicyRefusal(department, "kinds", f"it answers no {plan.kind} plans")
    if len(plan.cohort) < policy.minimum_cohort:
        reason = f"a sum needs at least {policy.minimum_cohort} departments"
        raise PolicyRefusal(department, "minimum_cohort", reason)
    if plan.tolerance < policy.minimum_tolerance:
        reason = f"its tolerance must be at least {policy.minimum_tolerance}"
        raise PolicyRefusal(department, "minimum_tolerance", reason)
    if plan.rho > policy.max_rho:
        reason = f"rho {plan.rho:g} is above {policy.max_rho:g} for one plan"
        raise PolicyRefusal(department, "max_rho", reason)
    if forbidden := policy.never.intersection(plan.fields):
        reason = f"it never answers about {', '.join(sorted(forbidden))}"
        raise PolicyRefusal(department, "never", reason)
    if plan.purpose not in policy.purposes:
        raise PolicyRefusal(department, "purposes", f"it does not answer for {plan.purpose}")
