"""Recipes: how to train, by the size of the cohort and the kind of model. No data is looked at.

Every number here was chosen once, on public data (the demo's, UCI 350, split by rows), and holds
for every firm: a plan that takes its recipe has tuned nothing on the clients it trains on, so
nothing leaks by the choice and nothing need be paid for it. Only the middle band was searched; the
other two follow from it. How many clients a cohort has, within a factor of a few, is public: the
asker states it with the plan.

What decides is the ratio of signal to noise: a step's noise is the same whether 3,000 or 300,000
clients are summed. So few clients afford few steps; many afford more. A network starts as the
linear model of its inputs, for its noise grows with its parameters (``models.warm_start``). Where
the signal is below ``LEAST_SIGNAL`` the hidden layers would learn less than their noise takes away:
there all rounds are linear, and the network says what logistic regression says.
``docs/training.md`` has what these recipes reach.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from federation.errors import PlanInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The values a plan takes where it names none; as in ``TrainingPlan``."""

    rounds: int
    local_steps: int
    learning_rate: float
    momentum: float = 0.9
    clip_norm: float = 1.0
    linear_rounds: int = 0
    linear_learning_rate: float = 3.0


SMALL, LARGE = 10_000, 50_000
"""Below the one a cohort is small, from the other on it is large."""

LEAST_SIGNAL = 2_200.0
"""Clients · √ρ, ρ of one department, below which a network stays the linear model it begins as.

All steps together tell a sum of clipped gradients as well as one with noise of √(1 / 2ρ) clips, so
this is by how much the clients stand out of it, times √(1 / 2). Two tasks say where. On the demo's
clients a network that goes on loses .0025 and .0016 AUC to the linear model at 2,040 (ε = 0.5), and
.0007 and .0001 at 3,900 (ε = 1). On made-up clients with strong interactions (by another recipe) it
gains .005 at 2,450 (30,000 clients, ε = 0.5) and loses .003 at 890 (3,000 clients, ε = 2).
"""

_LINEAR = {
    "small": Recipe(rounds=4, local_steps=10, learning_rate=3.0),
    "middle": Recipe(rounds=6, local_steps=10, learning_rate=3.0),
    "large": Recipe(rounds=8, local_steps=15, learning_rate=3.0),
}
_NETWORK = {
    "small": Recipe(rounds=6, local_steps=10, learning_rate=0.1, linear_rounds=4),
    "middle": Recipe(rounds=8, local_steps=10, learning_rate=0.3, linear_rounds=4),
    "large": Recipe(rounds=12, local_steps=15, learning_rate=0.5, linear_rounds=4),
}


def with_recipe(request: Mapping[str, object]) -> dict[str, object]:
    """Return a request for a training that names neither rounds nor steps with its recipe's values.

    What the request does name stays. ``clients`` is about how many clients the cohort has, by
    default SMALL; it is taken out. Any other request comes back as it is.

    Raises:
        PlanInvalid: ``clients`` is not a positive integer.
    """
    values = dict(request)
    if values.get("kind") != "training":
        return values
    clients, hidden = values.pop("clients", SMALL), values.get("hidden") or ()
    if type(clients) is not int or clients < 1:
        raise PlanInvalid("clients: say about how many clients the cohort has, at least 1")
    if "rounds" in values or "local_steps" in values:
        return values
    noise: Literal["local", "shared"] = "shared" if values.get("noise") == "shared" else "local"
    found = recipe(clients=clients, network=bool(hidden), noise=noise, rho=_of_department(values))
    return {**found, **values}


def _of_department(values: Mapping[str, object]) -> float:
    """Return the ρ that a request leaves one department; infinite where it names none."""
    rho, cohort = values.get("rho"), values.get("cohort")
    if not isinstance(rho, int | float):
        return math.inf
    several = len(cohort) if isinstance(cohort, list | tuple) and not values.get("owned") else 1
    return max(0.0, float(rho)) / max(1, several)


def recipe(
    *, clients: int, network: bool, noise: Literal["local", "shared"], rho: float
) -> dict[str, float]:
    """Return the values a plan takes where it names none, by their names in a plan.

    With shared noise a round is one step, so the rounds are as many as the steps would have been,
    at most 100; the momentum then never starts anew, so the learning rate is two thirds.

    Args:
        clients: about how many the whole cohort has; public.
        network: whether the plan has hidden layers.
        noise: of the plan.
        rho: of the plan, what it leaves one department.
    """
    band = "small" if clients < SMALL else "middle" if clients < LARGE else "large"
    found: dict[str, float] = asdict((_NETWORK if network else _LINEAR)[band])
    if network and clients * math.sqrt(rho) < LEAST_SIGNAL:
        linear = _LINEAR[band]
        found |= {"rounds": linear.rounds, "local_steps": linear.local_steps}
        found["linear_rounds"] = linear.rounds
    if not network:
        del found["linear_rounds"], found["linear_learning_rate"]
    if noise == "shared":
        steps = found["local_steps"]
        rounds = min(found["rounds"] * steps, 100)
        if network:
            found["linear_rounds"] = rounds * found["linear_rounds"] // found["rounds"]
        found |= {"rounds": rounds, "local_steps": 1}
        for rate in ("learning_rate", "linear_learning_rate"):
            if rate in found:
                found[rate] *= 2 / 3
    return found
