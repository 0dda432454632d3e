"""A department's own policy: what it answers and spends. The coordinator cannot override it.

``policy.toml``::

    kinds             = ["question", "training"]
    minimum_cohort    = 2       # departments in a sum, this one included
    minimum_tolerance = 1       # departments that may collude without weakening the noise
    max_rho           = 0.5     # one plan
    never             = []      # fields this department never answers about
    delta             = 1e-6
    lifetime_epsilon  = 8.0     # all purposes together, per client, for life, at delta

    [purposes]                  # lifetime epsilon of each purpose it answers, at delta
    suitability_review = 6.0
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from federation.errors import PolicyRefusal, SettingsInvalid
from federation.plans import Name, QuestionPlan, TrainingPlan, explain
from privacy.loss import Delta, Epsilon, Rho
from privacy.mechanisms import rho_for

ROOT_POOL = "department"

LifetimeEpsilon = Annotated[float, Field(gt=0, le=100)]


class Policy(BaseModel):
    """One department's rules. ε values are lifetime budgets of one client at ``delta``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kinds: frozenset[Literal["question", "training"]] = Field(min_length=1)
    minimum_cohort: int = Field(default=2, ge=2)
    minimum_tolerance: int = Field(default=1, ge=0)
    max_rho: float = Field(gt=0, le=100)
    never: frozenset[Name] = frozenset()
    delta: float = Field(gt=0, lt=1e-3)
    lifetime_epsilon: LifetimeEpsilon
    purposes: dict[Name, LifetimeEpsilon] = Field(min_length=1)

    def budgets(self) -> dict[str, Rho]:
        """Return every pool of the department's ledger with its budget, the root first."""
        epsilons = {ROOT_POOL: self.lifetime_epsilon} | {
            pool_of(purpose): epsilon for purpose, epsilon in self.purposes.items()
        }
        return {pool: _rho(epsilon, self.delta) for pool, epsilon in epsilons.items()}


@cache
def _rho(epsilon: float, delta: float) -> Rho:
    """Convert once what several pools share; the search takes a tenth of a second."""
    return rho_for(Epsilon(value=epsilon), Delta(value=delta))


def pool_of(purpose: str) -> str:
    """Name the pool of the department's own ledger that a purpose is charged to."""
    return f"{ROOT_POOL}/{purpose}"


def load_policy(path: Path) -> Policy:
    """Read the department's ``policy.toml``.

    Raises:
        SettingsInvalid: missing, no TOML or a wrong key; names the file and the key.
    """
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(str(path), str(error)) from error
    except ValidationError as error:
        raise SettingsInvalid(str(path), explain(error)) from None


def check(plan: QuestionPlan | TrainingPlan, policy: Policy, *, department: str) -> None:
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
        reason = f"the noise must tolerate at least {policy.minimum_tolerance} departments"
        raise PolicyRefusal(department, "minimum_tolerance", reason)
    if plan.rho > policy.max_rho:
        reason = f"rho {plan.rho:g} is above {policy.max_rho:g} for one plan"
        raise PolicyRefusal(department, "max_rho", reason)
    if forbidden := policy.never.intersection(plan.fields):
        reason = f"it never answers about {', '.join(sorted(forbidden))}"
        raise PolicyRefusal(department, "never", reason)
    if plan.purpose not in policy.purposes:
        raise PolicyRefusal(department, "purposes", f"it does not answer for {plan.purpose}")
