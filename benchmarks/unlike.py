"""What helps departments that are unlike each other, at ε = 2 on the demo: by rows and by columns.

By rows (education, age bands) each department has other clients with the same fields; a figure is
the mean over the departments of the AUC on their own test clients, for that is whom a department
scores. By columns each department has the fields it holds of the clients it knows, as in the demo;
a figure is the AUC on test clients with the fields of all departments together.
``value`` is with the option, ``peer`` without it. See `accuracy` for the rest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, stdev

import numpy as np
import torch

from benchmarks.accuracy import World, plan_for, world
from benchmarks.demo_rows import TARGETS, Clients, clients
from benchmarks.federate import Department, Trained, federate, rounded_normal
from federation.training_plan import TrainingPlan
from models.architectures import Architecture
from models.evaluate import auc, scores
from models.threads import torch_threads

EPSILON = 2.0
SEEDS = 5
NETWORK = (64, 32)
PLAIN: Mapping[str, object] = {"linear_rounds": 0, "learning_rate": 1.0}
"""A personal last layer cannot begin as a linear model, so neither does what it is held against."""

Figure = Mapping[str, object]


def by_rows(target: str, split: str) -> Iterator[Figure]:
    """Hold FedProx, a personal last layer and shared noise against the plain recipe."""
    found = clients(target)
    worlds = [world(found, split, seed) for seed in range(SEEDS)]
    recipe = plan_for(EPSILON, NETWORK)
    plain = plan_for(EPSILON, NETWORK, **PLAIN)
    personal = plan_for(EPSILON, NETWORK, **PLAIN, personal=True)
    whole, without = (_own_worth(found, worlds, plan) for plan in (recipe, plain))
    what = f"{target} by {split}, network 64-32"
    for strength in (0.03, 0.3):
        near = plan_for(EPSILON, NETWORK, proximal=strength)
        yield _figure(f"{what}, FedProx {strength:g}", _own_worth(found, worlds, near), whole)
    yield _figure(f"{what}, personal layer", _own_worth(found, worlds, personal), without)
    logistic = plan_for(EPSILON, ())
    shared = plan_for(EPSILON, (), noise="shared")
    yield _figure(
        f"{target} by {split}, logistic, shared noise",
        _own_worth(found, worlds, shared),
        _own_worth(found, worlds, logistic),
    )


def by_columns(target: str) -> Iterator[Figure]:
    """Hold owners and shared noise against neither, where departments hold different fields."""
    found = clients(target)
    ways: dict[str, dict[str, object]] = {
        "owned": {"owned": True},
        "shared noise": {"owned": False, "noise": "shared"},
        "owned, shared noise": {"owned": True, "noise": "shared"},
    }
    neither = plan_for(EPSILON, (), owned=False)
    without = [_joined_worth(found, neither, seed) for seed in range(SEEDS)]
    for name, way in ways.items():
        plan = plan_for(EPSILON, (), **way)
        values = [_joined_worth(found, plan, seed) for seed in range(SEEDS)]
        yield _figure(f"{target} by columns, logistic, {name}", values, without)


def _own_worth(found: Clients, worlds: Sequence[World], plan: TrainingPlan) -> list[float]:
    shape = Architecture(inputs=found.features.shape[1], hidden=plan.hidden)
    values = []
    for seed, at in enumerate(worlds):
        trained = federate(plan, shape, at.departments, rounded_normal(seed))
        values.append(mean(_each(shape, trained, at)))
    return values


def _each(shape: Architecture, trained: Trained, at: World) -> list[float]:
    weights = trained.own or (trained.weights,) * len(at.tests)
    return [
        auc(labels, scores(shape, own, features))
        for own, (features, labels) in zip(weights, at.tests, strict=True)
    ]


def _joined_worth(found: Clients, plan: TrainingPlan, seed: int) -> float:
    lot = torch.Generator().manual_seed(1000 + seed)
    size = len(found.labels)
    tested = (torch.rand(size, generator=lot) < 0.15).numpy()
    known = np.array([found.known[name] for name in plan.cohort])
    if plan.owned:
        place = torch.rand(known.shape, generator=lot).numpy() * known
        known &= place == place.max(axis=0)
    departments = []
    for name, here in zip(plan.cohort, known, strict=True):
        held = np.array([name in found.catalogue.field(f).departments for f in found.inputs])
        chosen = here & ~tested
        rows = (found.features[chosen] * held.astype(np.float32), found.labels[chosen])
        departments.append(Department(rows=rows, held=held))
    shape = Architecture(inputs=found.features.shape[1], hidden=plan.hidden)
    trained = federate(plan, shape, departments, rounded_normal(seed))
    return auc(found.labels[tested], scores(shape, trained.weights, found.features[tested]))


def _figure(name: str, values: Sequence[float], peers: Sequence[float]) -> Figure:
    return {
        "name": f"{name}, ε = {EPSILON:g}",
        "value": round(mean(values), 4),
        "unit": f"AUC, sd {stdev(values):.4f} over {len(values)} seeds",
        "peer": round(mean(peers), 4),
        "ratio": round(mean(values) - mean(peers), 4),
    }


def _all() -> Iterator[Figure]:
    for target in TARGETS:
        yield from by_columns(target)
        for split in ("education", "age"):
            yield from by_rows(target, split)


def rows() -> list[Figure]:
    """Measure both targets by columns and by rows."""
    with torch_threads(1):
        return list(_all())


if __name__ == "__main__":
    with torch_threads(1):
        for line in _all():
            print(json.dumps(line, ensure_ascii=False), flush=True)
