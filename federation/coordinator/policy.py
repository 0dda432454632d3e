"""The coordinator's policy: how much may be spent on each purpose, and what needs no second person.

A budget binds people and a purpose. It is written in ε at δ because that is what people sign;
the ledger holds the ρ it converts to, rounded down.
"""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from federation.errors import SettingsInvalid
from federation.plans import Name, explain
from privacy.loss import Delta, Epsilon, Rho
from privacy.mechanisms import rho_for

FIRM = "firm"


class Pool(BaseModel):
    """One lifetime budget: ε at the policy's δ."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epsilon: float = Field(gt=0, le=100)


class Policy(BaseModel):
    """Budgets of the firm and of each purpose, per client and for life.

    automatic_epsilon: a plan that costs more than this, at δ, is refused until two people agree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    delta: float = Field(gt=0, lt=1e-3)
    firm: Pool
    purposes: dict[Name, Pool]
    automatic_epsilon: float = Field(gt=0, le=100)
    minimum_cohort: int = Field(default=2, ge=2)

    def budgets(self) -> dict[str, Rho]:
        """Return every pool's path and its budget in ρ, the firm's first."""
        pools = {FIRM: self.firm} | {f"{FIRM}/{name}": p for name, p in self.purposes.items()}
        return {path: self.rho(p.epsilon) for path, p in pools.items()}

    def rho(self, epsilon: float) -> Rho:
        """Convert an ε of this policy to ρ at its δ, rounded down."""
        return rho_for(Epsilon(value=epsilon), Delta(value=self.delta))


def pool_of(purpose: str) -> str:
    """Name the pool a purpose is charged to."""
    return f"{FIRM}/{purpose}"


def load_policy(path: Path) -> Policy:
    """Read the coordinator's ``policy.toml``; SettingsInvalid names the file and the key."""
    try:
        return Policy.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(str(path), str(error)) from error
    except ValidationError as error:
        raise SettingsInvalid(str(path), explain(error)) from error
