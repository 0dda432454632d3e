"""Training on one department's own clients alone, on its own node. Nothing leaves.

The recipe is the plan's and so is the noise: the code that trains for the federation trains here,
and it has no switch that turns noise off. So a department sees what the same privacy buys it alone,
and a model file that gets out by accident is still ρ-zCDP of one client. It is not in any ledger,
since nothing is released; it must therefore never be shared (docs/decisions/0018).

A fifth of the clients, chosen by their pseudonyms, does not train; on them the model is judged
exactly. Those figures are exact figures of clients, and stay here too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from consent.epochs import pseudonyms
from federation import training_layout
from federation.errors import PlanInvalid
from federation.node.columns import present
from federation.node.features import codes, labels
from federation.node.own import OwnNode
from federation.node.own_model import own_rows
from federation.node.training_task import TrainingRows, noisy_count, noisy_steps
from federation.plans import digest
from federation.training_plan import TrainingPlan
from models.evaluate import scores
from models.exact_metrics import BinaryMetrics, OtherMetrics, binary_metrics, other_metrics
from models.files import save
from models.objectives import Objective
from models.packing import pack
from models.parameters import initial_vector
from models.vectors import Vector
from models.warm_start import network_from_linear
from privacy.noise_shares import Noise

HELD_OUT = 256 // 5
"""A client is held out if the first byte of its pseudonym is below: about a fifth of them."""

Judged = BinaryMetrics | OtherMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model trained here alone, and what it is worth here. LOCAL, NEVER TO BE SHARED.

    held_out: on the clients that did not train. groups: the same by label of a field.
    """

    file: Path
    sha256: str
    epoch: int
    trained_on: int = field(repr=False)
    held_out: Judged = field(repr=False)
    groups: dict[str, Judged] = field(repr=False)


def train_alone(
    node: OwnNode, plan: TrainingPlan, *, by: str | None, noise: Noise, now: int
) -> LocalModel:
    """Train a plan's model on this department's own clients, and judge it on those held out.

    Args:
        node: the department's.
        plan: a training under the node's catalogue; its cohort is not asked.
        by: a field of the plan, to judge the model by group; None for everyone at once.
        noise: where it comes from: ``privacy.mechanisms.draw_noise``.
        now: seconds since the Unix epoch.

    Raises:
        PlanInvalid: ``by`` is no field of the plan, or no client is left to train or to judge on.
        EpochStale and what else ``own_rows`` refuses with.
    """
    if by is not None and by not in plan.fields:
        raise PlanInvalid(f"by: {by} is no field of the plan, so nothing opens it")
    rows = own_rows(node, plan, now=now)
    target = rows.records.columns[plan.target]
    known = present(target)
    held_out = known & _held_out(node.pseudonym_key, rows.records.client_ids)
    training = known & ~held_out
    if not training.any() or not held_out.any():
        raise PlanInvalid("target: too few clients here have it, open and given, to learn from")
    architecture = training_layout.architecture_of(plan, node.catalogue)
    learned = np.zeros(len(known), dtype=np.float32)
    objective = architecture.objective
    learned[known] = labels(node.catalogue.field(plan.target), objective, target[known])
    weights = _trained(node, plan, rows.features[training], learned[training], noise)
    predicted = scores(architecture, weights, rows.features[held_out])
    groups: dict[str, Judged] = {}
    if by is not None:
        column = rows.records.columns[by][held_out]
        places = np.where(present(column), codes(node.catalogue.field(by), column), -1)
        for place, label in enumerate(node.catalogue.field(by).labels()):
            if (here := places == place).any():
                groups[label] = _judged(objective, learned[held_out][here], predicted[here])
    file = _file(node, plan)
    save(file, architecture, weights)
    file.chmod(0o600)
    return LocalModel(
        file=file,
        sha256=sha256(file.read_bytes()).hexdigest(),
        epoch=rows.epoch,
        trained_on=int(training.sum()),
        held_out=_judged(objective, learned[held_out], predicted),
        groups=groups,
    )


def _held_out(key: bytes, client_ids: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Say of each client whether it only judges: always the same ones, by a key of the node."""
    first = (pseudonym[0] for pseudonym in pseudonyms(key, client_ids))
    return np.fromiter((byte < HELD_OUT for byte in first), np.bool_, len(client_ids))


def _trained(
    node: OwnNode,
    plan: TrainingPlan,
    features: npt.NDArray[np.float32],
    learned: npt.NDArray[np.float32],
    noise: Noise,
) -> Vector:
    """Take the plan's steps, average what it averages. One department alone: k is 1."""
    alone = plan.model_copy(update={"noise": "local", "owned": True})
    count = noisy_count(alone, len(learned), noise)
    architecture = training_layout.architecture_in(plan, node.catalogue, 0)
    weights = initial_vector(architecture)
    packed = pack([features], rows=len(learned), inputs=architecture.inputs)
    kept: list[Vector] = []
    for number, steps, keep in _stretches(plan):
        network = training_layout.architecture_in(plan, node.catalogue, number)
        if network != architecture:
            architecture = network
            weights = network_from_linear(network, np.mean(kept, axis=0) if kept else weights)
            kept = []
        rows = TrainingRows(
            architecture=architecture, weights=weights, features=packed, labels=learned
        )
        weights = noisy_steps(
            alone,
            rows,
            steps=steps,
            learning_rate=plan.rate_of(number),
            count=count,
            noise=noise,
        )
        if keep:
            kept.append(weights)
    average: Vector = np.mean(kept, axis=0)
    if plan.linear_rounds == plan.rounds:
        return network_from_linear(training_layout.architecture_of(plan, node.catalogue), average)
    return average


def _stretches(plan: TrainingPlan) -> Iterator[tuple[int, int, bool]]:
    """Yield (round it begins with, steps, whether its weights are averaged).

    Local steps come round by round. Shared noise takes one step a round and keeps its velocity, so
    the rounds before those that are averaged are one stretch, and each stretch is begun anew.
    """
    if plan.noise == "local":
        for number in range(plan.rounds):
            yield number, plan.local_steps, plan.keeps(number)
        return
    first = 0
    for number in range(1, plan.rounds + 1):
        kind = (plan.keeps(first), first < plan.linear_rounds)
        if number == plan.rounds or (plan.keeps(number), number < plan.linear_rounds) != kind:
            yield first, number - first, plan.keeps(first)
            first = number


def _judged(objective: Objective, learned: npt.NDArray[np.float32], predicted: Vector) -> Judged:
    if objective is Objective.BINARY:
        return binary_metrics(learned, predicted)
    return other_metrics(learned, predicted)


def _file(node: OwnNode, plan: TrainingPlan) -> Path:
    folder = node.settings.own_models
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder / f"LOCAL-{plan.target}-{digest(plan).hex()[:12]}.safetensors"
