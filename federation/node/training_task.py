"""What a node does for a round of a training: open its rows, take K noisy steps.

A training takes every client whose target is open and present; a feature that is closed or missing
is absent.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from federation import training_layout
from federation.errors import ProtocolError, SessionUnknown
from federation.node.admission import Admitted
from federation.node.columns import present
from federation.node.features import design
from federation.node.node import Node, remember
from federation.node.opening import opened
from federation.training_plan import TrainingPlan
from federation.updates import UPDATE_BOUND, encode_update, held_inputs
from models.architectures import Architecture, size
from models.train import local_steps
from privacy.bounds import bounded_count, bounded_gradient
from privacy.lattice import RealVector
from privacy.mechanisms import NoisedShare, noised_update, release_locally
from privacy.units import ContributionBound

_COUNT_SCALE = 2**10
"""Lattice points per client of a training's noisy count: fine enough that σ rounds up by little."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRows:
    """What one round trains on. Features and labels are sensitive, all arrays are hidden."""

    architecture: Architecture
    weights: RealVector = field(repr=False)
    features: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[np.float32] = field(repr=False)


def training_rows(
    node: Node, admitted: Admitted, plan: TrainingPlan, weights: bytes
) -> TrainingRows:
    """Open the rows of one round: the design matrix and the labels of clients with a target.

    Args:
        node: the department's.
        admitted: the round's leg.
        plan: of that leg.
        weights: float64, little-endian, as the coordinator sent them; public.

    Raises:
        SessionUnknown: a later round of a training whose first round this worker has not seen.
        ProtocolError: the weights do not fit the plan's network.
        RecordsUnavailable: see records.
    """
    if admitted.run.round > 0 and admitted.attempt not in node.memory.noisy_counts:
        raise SessionUnknown(node.department)
    architecture = training_layout.architecture_of(plan, node.catalogue)
    start = _weights(weights, size(architecture))
    records = opened(node, admitted)
    target = records.columns[plan.target]
    labeled = present(target)
    features = design(records, training_layout.feature_fields(plan, node.catalogue))
    return TrainingRows(
        architecture=architecture,
        weights=start,
        features=features[labeled],
        labels=target[labeled].astype(np.float32),
    )


def training_update(
    node: Node, admitted: Admitted, plan: TrainingPlan, rows: TrainingRows
) -> NoisedShare:
    """Train K noisy local steps and return this node's update, private by itself.

    Guarantee: the rounds of one attempt together are (ρ_count + R·K·ρ_step)-zCDP for one client of
    this department: each step is one Gaussian release of a clipped sum, the count one more, and
    everything else is post-processing (Bun and Steinke 2016, Lemmas 2.3 and 2.2).
    """
    count = node.memory.noisy_counts.get(admitted.attempt)
    if count is None:
        count = _noisy_count(node, plan, len(rows.labels))
        remember(node.memory.noisy_counts, admitted.attempt, count)

    def noised(gradient_sum: RealVector) -> RealVector:
        # Each client's gradient is clipped; a household adds those of the clients that count.
        norm = plan.clip_norm * plan.clients_per_household
        bounded = bounded_gradient(gradient_sum, clip_norm=norm, unit=plan.unit)
        return release_locally(bounded, rho=plan.rho_of_step, noise=node.noise).values

    weights = local_steps(
        rows.weights,
        rows.features,
        rows.labels,
        architecture=rows.architecture,
        steps=plan.local_steps,
        clip_norm=plan.clip_norm,
        learning_rate=plan.learning_rate,
        momentum=plan.momentum,
        noisy_count=count,
        noised=noised,
    )
    held = held_inputs(plan, node.catalogue, node.department)
    update = encode_update(rows.architecture, weights, count, held)
    return noised_update(update, bound=UPDATE_BOUND)


def _weights(data: bytes, size: int) -> RealVector:
    if len(data) != 8 * size:
        raise ProtocolError("The weights do not fit the plan's network.")
    weights = np.frombuffer(data, dtype="<f8").astype(np.float64)
    if not np.isfinite(weights).all():
        raise ProtocolError("The weights are not all finite. Lower the learning rate.")
    return weights


def _noisy_count(node: Node, plan: TrainingPlan, clients: int) -> float:
    everyone = np.zeros(clients, dtype=np.int64)
    bound = ContributionBound(departments=1, clients=plan.clients_per_household)
    bounded = bounded_count(everyone, 1, scale=_COUNT_SCALE, unit=plan.unit, bound=bound)
    released = release_locally(bounded, rho=plan.rho_of_count, noise=node.noise)
    return float(released.values[0])
