"""What a shared model is worth by ε, on the demo's clients split by rows.

Each client is owned by one of three departments with about 9,000 clients that see the same fields
(`demo_rows`); 15 % are kept for the test. The recipe is the product's for that size of cohort
(`federation.recipes`), δ = 1e-6, t = 1, and the noise is as wide as the product draws it
(`federate` says what differs). A figure is the mean AUC over seeds, each with its own split, test
and noise; ``peer`` is the same without noise, or what the name says; ``ratio`` is their difference.

The best department alone is the one of the three with the best mean on the common test, once with
noise at the same ε, as for a model that others may see, and once without, as for one that never
leaves its node.
``python -m benchmarks.accuracy TARGET SPLIT`` measures one target and one split; without arguments
everything. Takes half an hour in one thread.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.demo_rows import TARGETS, Clients, Rows, clients, owner
from benchmarks.federate import Department, Trained, federate, rounded_normal
from federation.recipes import recipe
from federation.training_plan import TrainingPlan
from models.architectures import Architecture
from models.evaluate import auc, scores
from models.threads import torch_threads
from privacy.lattice import RealVector
from privacy.loss import Delta, Epsilon
from privacy.mechanisms import rho_for

DELTA = Delta(1e-6)
EPSILONS = (0.5, 1.0, 2.0, 4.0)
SEEDS = 10
NETWORKS: Mapping[str, tuple[int, ...]] = {"logistic": (), "network 64-32": (64, 32)}
SPLITS = ("rows", "education", "age")

Figures = Iterator[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """One seed's departments, each with its rows for training and for the test."""

    departments: tuple[Department, ...] = field(repr=False)
    tests: tuple[Rows, ...] = field(repr=False)

    @property
    def test(self) -> Rows:
        """All departments' test rows together."""
        features, labels = zip(*self.tests, strict=True)
        return np.concatenate(features), np.concatenate(labels)


def world(found: Clients, split: str, seed: int) -> World:
    """Divide the clients among departments, and each department's into training and test."""
    lot = torch.Generator().manual_seed(1000 + seed)
    tested = (torch.rand(len(found.labels), generator=lot) < 0.15).numpy()
    owners = owner(found, split, seed)
    everything = np.ones(found.features.shape[1], np.bool_)
    return World(
        departments=tuple(
            Department(rows=_rows(found, (owners == n) & ~tested), held=everything)
            for n in range(3)
        ),
        tests=tuple(_rows(found, (owners == n) & tested) for n in range(3)),
    )


def _rows(found: Clients, chosen: npt.NDArray[np.bool_]) -> Rows:
    return found.features[chosen], found.labels[chosen]


def plan_for(epsilon: float, hidden: tuple[int, ...], **changes: object) -> TrainingPlan:
    """Write the plan as the desk would, with its recipe."""
    rho = rho_for(Epsilon(epsilon), DELTA).value
    values = {
        "kind": "training",
        "catalogue": "0" * 64,
        "purpose": "review",
        "cohort": ("advisory", "research", "risk"),
        "reason": "a benchmark",
        "target": "target",
        "features": ("feature",),
        "hidden": hidden,
        "rho": rho,
        "owned": True,
    }
    noise: Literal["local", "shared"] = "shared" if changes.get("noise") == "shared" else "local"
    found = recipe(clients=25_000, network=bool(hidden), noise=noise, rho=rho)
    return TrainingPlan.model_validate({**values, **found, **changes})


def trained(
    found: Clients, at: World, plan: TrainingPlan, seed: int | None
) -> tuple[Architecture, Trained]:
    """Train on a world; without a seed, without noise."""
    shape = Architecture(inputs=found.features.shape[1], hidden=plan.hidden)
    noise = None if seed is None else rounded_normal(seed)
    return shape, federate(plan, shape, at.departments, noise)


def worth(shape: Architecture, weights: RealVector, rows: Rows) -> float:
    """Return the AUC on test rows."""
    return auc(rows[1], scores(shape, weights, rows[0]))


def best_alone(
    found: Clients, worlds: Sequence[World], plan: TrainingPlan, *, noisy: bool
) -> list[float]:
    """Return the AUC by seed, on everybody's test rows, of the department that is best alone."""
    shape = Architecture(inputs=found.features.shape[1], hidden=plan.hidden)
    alone = [
        [
            worth(shape, federate(plan, shape, [department], noise).weights, at.test)
            for department in at.departments
            for noise in [rounded_normal(seed) if noisy else None]
        ]
        for seed, at in enumerate(worlds)
    ]
    return max(([*by_seed] for by_seed in zip(*alone, strict=True)), key=mean)


def by_epsilon(target: str, split: str, seeds: int = SEEDS) -> Figures:
    """Compare each model at each ε with itself without noise, and with the best alone."""
    found = clients(target)
    worlds = [world(found, split, seed) for seed in range(seeds)]
    for name, hidden in NETWORKS.items():
        plain = plan_for(1.0, hidden)
        exact = [worth(*_both(trained(found, at, plain, None)), at.test) for at in worlds]
        alone = best_alone(found, worlds, plain, noisy=False)
        what = f"{target} by {split}, {name}"
        yield _figure(f"{what}, without noise, beside the best department alone", exact, alone)
        for epsilon in EPSILONS:
            plan = plan_for(epsilon, hidden)
            noisy = [
                worth(*_both(trained(found, at, plan, seed)), at.test)
                for seed, at in enumerate(worlds)
            ]
            rivals = best_alone(found, worlds, plan, noisy=True)
            at_epsilon = f"{what}, ε = {epsilon:g}, beside"
            yield _figure(f"{at_epsilon} itself without noise", noisy, exact)
            yield _figure(f"{at_epsilon} the best alone at the same ε", noisy, rivals)
            yield _figure(f"{at_epsilon} the best alone without noise", noisy, alone)


def by_noise(target: str, seeds: int = SEEDS) -> Figures:
    """Compare shared noise with local noise, split by rows: the same ρ, each with its recipe."""
    found = clients(target)
    worlds = [world(found, "rows", seed) for seed in range(seeds)]
    for name, hidden in NETWORKS.items():
        for epsilon in EPSILONS:
            shared, local = (
                [
                    worth(*_both(trained(found, at, plan, seed)), at.test)
                    for seed, at in enumerate(worlds)
                ]
                for plan in (
                    plan_for(epsilon, hidden, noise="shared"),
                    plan_for(epsilon, hidden),
                )
            )
            what = f"{target} by rows, {name}, ε = {epsilon:g}"
            yield _figure(f"{what}, shared noise beside local", shared, local)


def _both(found: tuple[Architecture, Trained]) -> tuple[Architecture, RealVector]:
    return found[0], found[1].weights


def _figure(name: str, values: Sequence[float], peers: Sequence[float]) -> Mapping[str, object]:
    return {
        "name": name,
        "value": round(mean(values), 4),
        "unit": f"AUC, sd {stdev(values):.4f} over {len(values)} seeds",
        "peer": round(mean(peers), 4),
        "ratio": round(mean(values) - mean(peers), 4),
    }


def rows() -> list[Mapping[str, object]]:
    """Measure every target and split, and both ways to add noise."""
    with torch_threads(1):
        found = [
            figure for target in TARGETS for split in SPLITS for figure in by_epsilon(target, split)
        ]
        return found + [figure for target in TARGETS for figure in by_noise(target)]


if __name__ == "__main__":
    with torch_threads(1):
        for line in by_epsilon(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])):
            print(json.dumps(line, ensure_ascii=False), flush=True)
