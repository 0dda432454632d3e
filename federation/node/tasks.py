"""What a leg computes, in two steps: open and sum (may refuse, costs nothing), then add noise.

Who is in a sum: a question counts a department's clients whose every field of the plan is open and
present, so its count is also the count under each of its means; in an owned plan, only those of
them that this department owns. A training takes every client whose target is open and present; a
feature that is closed or missing is absent.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from federation import layout
from federation.alignment import plan_key, tokens
from federation.errors import ProtocolError, SessionUnknown
from federation.node.admission import Admitted
from federation.node.columns import ABSENT, present
from federation.node.features import cells, design, in_half_widths
from federation.node.node import Node, SentTokens, remember
from federation.node.records import Records, open_records
from federation.plans import QuestionPlan, TrainingPlan
from federation.updates import UPDATE_BOUND, encode_update, held_inputs
from models.architectures import Architecture, size
from models.train import local_steps
from privacy.bounds import BoundedSum, bounded_count, bounded_gradient, bounded_total
from privacy.lattice import RealVector
from privacy.mechanisms import NoisedShare, add_noise_share, noised_update, release_locally
from privacy.units import ContributionBound, PrivacyUnit

_COUNT_SCALE = 2**10
"""Lattice points per client of a training's noisy count: fine enough that σ rounds up by little."""


def sent_tokens(node: Node, admitted: Admitted, plan: QuestionPlan) -> bytes:
    """Return the tokens of the clients this question counts here, and remember their order."""
    records = opened(node, admitted)
    counted = np.flatnonzero(records.complete(plan.fields))
    client_ids = tuple(records.client_ids[row] for row in counted)
    key = plan_key(node.alignment_key, bytes.fromhex(admitted.run.plan))
    listed = tokens(key, client_ids)
    sent = SentTokens(client_ids=client_ids, tokens=listed)
    remember(node.memory.tokens, admitted.attempt, sent)
    return listed.tokens.tobytes()


def question_sums(
    node: Node, admitted: Admitted, plan: QuestionPlan, owned_bits: bytes
) -> tuple[BoundedSum, ...]:
    """Return one bounded sum for each block of the question's layout: the count, then the totals.

    Args:
        node: the department's.
        admitted: the sum leg.
        plan: of that leg.
        owned_bits: np.packbits of one flag per token sent, in an owned plan; else empty.

    Raises:
        SessionUnknown: this worker did not send the attempt's tokens.
        ProtocolError: not one flag per token.
        RecordsUnavailable: see records.
    """
    records = opened(node, admitted)
    counted = records.complete(plan.fields)
    if plan.owned:
        owned = _owned_clients(node, admitted, owned_bits)
        counted &= np.fromiter((c in owned for c in records.client_ids), np.bool_, len(counted))
    elif owned_bits:
        raise ProtocolError("The plan has no owners, yet ownership came with it.")
    by = layout.by_fields(plan, node.catalogue)
    cell = np.where(counted, cells(records, by), ABSENT)
    sums = []
    for block in layout.question_blocks(plan, node.catalogue):
        if block.field is None:
            bounded = bounded_count(
                cell, block.size, scale=block.scale, unit=plan.unit, bound=plan.bound
            )
        else:
            values = in_half_widths(node.catalogue.field(block.field), records.columns[block.field])
            bounded = bounded_total(
                block.name,
                values,
                cell,
                block.size,
                lower=-1.0,
                upper=1.0,
                unit=plan.unit,
                bound=plan.bound,
            )
        sums.append(bounded)
    return tuple(sums)


def noised_sums(
    node: Node, plan: QuestionPlan, sums: tuple[BoundedSum, ...]
) -> tuple[NoisedShare, ...]:
    """Add this node's noise share to each sum; together they are ρ-zCDP in the cohort's sum."""
    return tuple(
        add_noise_share(
            bounded,
            rho=plan.rho_per_statistic,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
            noise=node.noise,
        )
        for bounded in sums
    )


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
    architecture = layout.architecture_of(plan, node.catalogue)
    start = _weights(weights, size(architecture))
    records = opened(node, admitted)
    target = records.columns[plan.target]
    labeled = present(target)
    features = design(records, layout.feature_fields(plan, node.catalogue))
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


def opened(node: Node, admitted: Admitted) -> Records:
    """Open the rows and cells that the leg's permit covers; RecordsUnavailable says why not."""
    plan = admitted.plan
    most = plan.clients_per_household if plan.unit is PrivacyUnit.HOUSEHOLD else None
    return open_records(
        admitted.permit, node.source, node.pseudonym_key, clients_per_household=most
    )


def _owned_clients(node: Node, admitted: Admitted, owned_bits: bytes) -> set[str]:
    sent = node.memory.tokens.pop(admitted.attempt, None)
    if sent is None:
        raise SessionUnknown(node.department)
    size = len(sent.client_ids)
    packed = np.frombuffer(owned_bits, dtype=np.uint8)
    if packed.size != (size + 7) // 8:
        raise ProtocolError("The coordinator did not send one ownership flag for each token.")
    rows = sent.tokens.to_rows(np.unpackbits(packed, count=size).astype(np.bool_))
    return {sent.client_ids[row] for row in np.flatnonzero(rows)}


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
