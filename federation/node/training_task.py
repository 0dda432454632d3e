"""What a node does for a round of a training: open its rows, then K noisy steps or one noised sum.

A training takes every client whose target is open and present; a feature that is closed or missing
is absent. In an owned plan it takes only those of them whom this department owns.
"""

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from federation import training_layout
from federation.errors import ProtocolError
from federation.node.admission import Admitted
from federation.node.columns import present
from federation.node.features import design, labels
from federation.node.holdout import held_out
from federation.node.node import KeptRows, Node
from federation.node.opening import opened_in_parts
from federation.node.ownership import flags_size, owned_rows, sent_tokens
from federation.node.records import Records
from federation.training_plan import TrainingPlan
from federation.updates import UPDATE_BOUND, encode_gradient, encode_update, held_inputs
from models.architectures import Architecture, size
from models.gradients import clipped_sum_over
from models.packing import Packed, pack
from models.parameters import last_layer
from models.train import local_steps
from privacy.bounds import BoundedSum, bounded_count, bounded_gradient
from privacy.lattice import RealVector
from privacy.mechanisms import NoisedShare, add_noise_share, noised_update, release_locally
from privacy.noise_shares import Noise
from privacy.units import ContributionBound

_COUNT_SCALE = 2**10
"""Lattice points per client of a training's noisy count: fine enough that σ rounds up by little."""
_HERE = ContributionBound(1)
"""Noise that is local covers this department alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRows:
    """What one round trains on. Features and labels are sensitive, all arrays are hidden."""

    architecture: Architecture
    weights: RealVector = field(repr=False)
    features: Packed = field(repr=False)
    labels: npt.NDArray[np.float32] = field(repr=False)


def training_tokens(node: Node, admitted: Admitted, plan: TrainingPlan) -> bytes:
    """Open all rows, so that what cannot be read is refused for nothing.

    Returns:
        in an owned plan the tokens of the clients that may train here: those with a target.
    """
    if not plan.owned:
        _kept_rows(node, admitted, plan, b"")
        return b""
    records, features, _ = opened_in_parts(node, admitted, (plan.target, *plan.features))
    for _ in features:
        pass
    return sent_tokens(node, admitted, records, _may_train(node, plan, records))


def training_rows(
    node: Node, admitted: Admitted, plan: TrainingPlan, payload: bytes
) -> TrainingRows:
    """Open the rows of one round: the design matrix and the labels of clients with a target.

    Args:
        node: the department's.
        admitted: the round's leg.
        plan: of that leg.
        payload: in an owned plan the ownership flags, then the weights as float64, little-endian,
            as the coordinator sent them; public but for the flags.

    Raises:
        SessionUnknown: this worker did not send the attempt's tokens.
        ProtocolError: the weights do not fit the plan's network, or are not finite.
        RecordsUnavailable: see records.
    """
    architecture = training_layout.architecture_in(plan, node.catalogue, admitted.run.round)
    flags = flags_size(node, admitted) if plan.owned else 0
    start = _weights(payload[flags:], size(architecture))
    if plan.personal and (mine := node.learned.personal(admitted.attempt)) is not None:
        start[last_layer(architecture)] = mine
    kept = _kept_rows(node, admitted, plan, payload[:flags])
    if admitted.run.round + 1 == plan.legs["round"]:
        node.memory.training = None
    return TrainingRows(
        architecture=architecture, weights=start, features=kept.features, labels=kept.labels
    )


def _kept_rows(node: Node, admitted: Admitted, plan: TrainingPlan, owned_bits: bytes) -> KeptRows:
    """Read and pack the rows once an attempt; a later round takes them from memory.

    What may be used is asked anew for every round: if a level, a file or an owner has changed,
    the rows are read anew.
    """
    names = (plan.target, *plan.features)
    records, features, opened = opened_in_parts(node, admitted, names)
    target = records.columns[plan.target]
    takes_part = _may_train(node, plan, records)
    if plan.owned:
        takes_part &= owned_rows(node, admitted, records, owned_bits)
    del records  # the ids lie in memory no longer than they are needed
    opened = sha256(opened + takes_part.tobytes()).digest()
    kept = node.memory.training
    if kept is not None and (kept.attempt, kept.opened) == (admitted.attempt, opened):
        return kept
    node.memory.training = kept = None
    objective = training_layout.objective_of(plan, node.catalogue)
    kept = KeptRows(
        attempt=admitted.attempt,
        opened=opened,
        features=pack(
            (
                design(part, [node.catalogue.field(name)])[takes_part]
                for part in features
                for name in part
            ),
            rows=int(np.count_nonzero(takes_part)),
            inputs=training_layout.architecture_of(plan, node.catalogue).inputs,
        ),
        labels=labels(node.catalogue.field(plan.target), objective, target[takes_part]),
    )
    node.memory.training = kept
    return kept


def _may_train(node: Node, plan: TrainingPlan, records: Records) -> npt.NDArray[np.bool_]:
    """Say who has a target and is not held out: bool [n], sensitive."""
    return present(records.columns[plan.target]) & ~held_out(node, plan, records)


def training_share(
    node: Node, admitted: Admitted, plan: TrainingPlan, rows: TrainingRows
) -> NoisedShare:
    """Return what this node adds to a round's sum, noise in it, before the masks."""
    if plan.noise == "local":
        return training_update(node, admitted, plan, rows)
    return add_noise_share(
        training_gradient(node, plan, rows),
        rho=plan.rho_of_step,
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
        noise=node.noise,
    )


def training_gradient(node: Node, plan: TrainingPlan, rows: TrainingRows) -> BoundedSum:
    """Return this node's part of a round with shared noise: clipped gradients, and its count.

    Guarantee: removing one unit from every department moves the cohort's sum by at most
    k·(⌈s·C′·(1 + 1e-4)⌉ + ⌈√d⌉) lattice points in L2. C′ is ``TrainingPlan.joint_norm``: in one
    department a unit moves the gradients by at most C for each of its clients that count and, at a
    right angle to that, the count by COUNT_WEIGHT·C. k is 1 if every client has one owner, for the
    other departments' sums do not contain them; otherwise the size of the cohort, by the triangle
    inequality (``privacy.bounds``).
    """
    clipped_sum = clipped_sum_over(
        rows.features, rows.labels, architecture=rows.architecture, clip_norm=plan.clip_norm
    )
    total = encode_gradient(plan, clipped_sum(rows.weights), len(rows.labels), node.department)
    bound = ContributionBound(plan.bound.departments)
    return bounded_gradient(total, clip_norm=plan.joint_norm, unit=plan.unit, bound=bound)


def training_update(
    node: Node, admitted: Admitted, plan: TrainingPlan, rows: TrainingRows
) -> NoisedShare:
    """Train K noisy local steps and return this node's update, private by itself.

    Guarantee: the rounds of one attempt together are (ρ_count + R·K·ρ_step)-zCDP for one client of
    this department: each step is one Gaussian release of a clipped sum, the count one more, and
    everything else is post-processing (Bun and Steinke 2016, Lemmas 2.3 and 2.2). A client of k
    departments loses k times as much, and plans charge k; in an owned plan a client is in one
    department's sums only, so k is 1. The last layer of a personal plan is trained with the same
    noise and stays here.
    """
    count = node.learned.count(admitted.attempt)
    if count is None:
        count = noisy_count(plan, len(rows.labels), node.noise)
        node.learned.keep_count(admitted.attempt, count)

    weights = noisy_steps(
        plan,
        rows,
        steps=plan.local_steps,
        learning_rate=plan.rate_of(admitted.run.round),
        count=count,
        noise=node.noise,
    )
    if plan.personal:
        node.learned.keep_personal(admitted.attempt, weights[last_layer(rows.architecture)])
    held = held_inputs(plan, node.catalogue, node.department)
    update = encode_update(rows.architecture, weights, count, held, personal=plan.personal)
    return noised_update(update, bound=UPDATE_BOUND)


def _weights(data: bytes, size: int) -> RealVector:
    if len(data) != 8 * size:
        raise ProtocolError("The weights do not fit the plan's network.")
    weights = np.frombuffer(data, dtype="<f8").astype(np.float64)
    if not np.isfinite(weights).all():
        raise ProtocolError("The weights are not all finite. Lower the learning rate.")
    return weights


def noisy_steps(
    plan: TrainingPlan,
    rows: TrainingRows,
    *,
    steps: int,
    learning_rate: float,
    count: float,
    noise: Noise,
) -> RealVector:
    """Take local steps whose every gradient sum is released at ρ_step before it is used.

    Args:
        plan: with local noise.
        rows: with the weights to start from.
        steps: how many.
        learning_rate: of these steps.
        count: a noisy count of the rows.
        noise: where it comes from.

    Returns:
        float64 [d], steps·ρ_step-zCDP for one client of this department.
    """

    def noised(gradient_sum: RealVector) -> RealVector:
        # Each client's gradient is clipped; a household adds those of the clients that count.
        norm = plan.clip_norm * plan.clients_per_household
        bounded = bounded_gradient(gradient_sum, clip_norm=norm, unit=plan.unit, bound=_HERE)
        return release_locally(bounded, rho=plan.rho_of_step, noise=noise).values

    return local_steps(
        rows.weights,
        rows.features,
        rows.labels,
        architecture=rows.architecture,
        steps=steps,
        clip_norm=plan.clip_norm,
        learning_rate=learning_rate,
        momentum=plan.momentum,
        noisy_count=count,
        noised=noised,
        proximal=plan.proximal,
    )


def noisy_count(plan: TrainingPlan, clients: int, noise: Noise) -> float:
    """Release how many clients train here, at ρ_count, in units of clients."""
    everyone = np.zeros(clients, dtype=np.int64)
    bound = ContributionBound(departments=1, clients=plan.clients_per_household)
    bounded = bounded_count(everyone, 1, scale=_COUNT_SCALE, unit=plan.unit, bound=bound)
    released = release_locally(bounded, rho=plan.rho_of_count, noise=noise)
    return float(released.values[0])
