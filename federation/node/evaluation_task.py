"""What a node does for an evaluation: score its own clients, count them by prediction and label.

Or, where a model is explained, add up how far each field moves their scores.
"""

from hashlib import sha256

import numpy as np
import numpy.typing as npt

from federation import training_layout
from federation.errors import PlanInvalid, ProtocolError
from federation.evaluation_layout import (
    evaluated,
    evaluation_tables,
    group_labels,
    split_payload,
)
from federation.evaluation_plan import COUNT_WEIGHT, EvaluationPlan
from federation.node.admission import Admitted
from federation.node.columns import ABSENT
from federation.node.evaluation_cells import evaluation_cells
from federation.node.features import cells, design
from federation.node.holdout import held_out
from federation.node.node import Node
from federation.node.opening import opened
from federation.node.ownership import owned_rows, sent_tokens
from federation.node.records import Records
from federation.plans import digest
from models.errors import ModelFileInvalid
from models.even_scores import even_outputs
from models.files import read_model
from models.parameters import last_layer
from models.vectors import Vector
from privacy.bounds import BoundedSum, bounded_counts, bounded_gradient
from privacy.lattice import REAL_SCALE, from_lattice, truncate_to_lattice
from privacy.loss import Rho
from privacy.mechanisms import NoisedShare, add_noise_share


def evaluation_tokens(node: Node, admitted: Admitted, plan: EvaluationPlan) -> bytes:
    """Return the tokens of the clients this evaluation counts here; nothing if it has no owners.

    Raises:
        PlanInvalid: the model has a personal last layer, and this node none of that training.
        RecordsUnavailable: see records.
    """
    _personal_layer(node, plan)
    records = opened(node, admitted)
    if not plan.owned:
        return b""
    return sent_tokens(node, admitted, records, _counted(node, plan, records))


def evaluation_sum(
    node: Node, admitted: Admitted, plan: EvaluationPlan, payload: bytes
) -> BoundedSum:
    """Count this department's clients by group, prediction and label, or explain their scores.

    Guarantee: Δ of ``evaluation_tables``, template by template as ``evaluation_cells`` says; of a
    model that is explained, as ``_influences`` does. A last layer of the department's own came out
    of the noise of its training, so it is fixed here like the weights.

    Args:
        node: the department's.
        admitted: the sum leg.
        plan: of that leg.
        payload: the file of the weights and, in an owned plan, the flags; not trusted.

    Raises:
        ModelFileInvalid: the file is not the one that the plan names, or not of its model.
        PlanInvalid: as evaluation_tokens.
        SessionUnknown: this worker did not send the attempt's tokens.
        ProtocolError: the payload does not hold together.
        RecordsUnavailable: see records.
    """
    file, owned_bits = split_payload(payload)
    weights = _weights(file, plan, node)
    records = opened(node, admitted)
    counted = _counted(node, plan, records)
    if plan.owned:
        counted &= owned_rows(node, admitted, records, owned_bits)
    elif owned_bits:
        raise ProtocolError("The plan has no owners, yet ownership came with it.")
    features = design(
        records.columns, training_layout.feature_fields(plan.training, node.catalogue)
    )
    if plan.explain:
        return _influences(node, plan, records, counted=counted, weights=weights, features=features)
    outputs = even_outputs(evaluated(plan, node.catalogue), weights, features)
    tables = evaluation_tables(plan, node.catalogue)
    places = evaluation_cells(plan, node.catalogue, records, outputs)
    return bounded_counts(
        [np.where(counted, place, ABSENT) for place in places],
        tables.sizes,
        scale=tables.scale,
        unit=plan.unit,
        bound=plan.bound,
    )


def _influences(
    node: Node,
    plan: EvaluationPlan,
    records: Records,
    *,
    counted: npt.NDArray[np.bool_],
    weights: Vector,
    features: npt.NDArray[np.float32],
) -> BoundedSum:
    """Add up, in each group, how far each field moves the clients' scores, and the clients.

    Guarantee: a client's influences are a function of its own row and public numbers and have L2
    norm at most C (models.explain). They are put on the lattice client by client, toward zero, so
    no norm grows, and are then added as integers, exactly. So one client more moves the sums of one
    group by at most s·C, and its count by s·C/2: s·C·√(1 + 1/4) in L2 over all fields and the
    count jointly, in each of at most k departments, and a household m times that. This is the
    sensitivity that bounded_gradient declares for the plan's joint_norm, with room to spare.
    """
    from models.explain import influences  # noqa: PLC0415 - slow to load, and few ask for it

    groups = training_layout.field_slices(plan.training, node.catalogue)
    with_count = np.full((len(features), len(groups) + 1), COUNT_WEIGHT * plan.clip_norm)
    with_count[:, :-1] = influences(
        evaluated(plan, node.catalogue), weights, features, groups=groups, clip_norm=plan.clip_norm
    )
    points = truncate_to_lattice(with_count, REAL_SCALE)
    fields = () if plan.group is None else (node.catalogue.field(plan.group),)
    cell = cells(records, fields)
    sums = np.zeros((len(group_labels(plan, node.catalogue)), points.shape[1]), dtype=np.int64)
    np.add.at(sums, cell[counted], points[counted])
    return bounded_gradient(
        from_lattice(sums.ravel(), REAL_SCALE),  # exact: below 2^53 points
        clip_norm=plan.joint_norm,
        unit=plan.unit,
        bound=plan.bound,
    )


def _counted(node: Node, plan: EvaluationPlan, records: Records) -> npt.NDArray[np.bool_]:
    """Say whom an evaluation counts: who has target and group, and was held out if anybody was."""
    complete = records.complete(plan.counted)
    return complete & held_out(node, plan.training, records) if plan.training.holdout else complete


def noised_scores(node: Node, plan: EvaluationPlan, bounded: BoundedSum) -> NoisedShare:
    """Add this node's noise share to its counts; together they are ρ-zCDP in the cohort's sum."""
    return add_noise_share(
        bounded,
        rho=Rho(plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
        noise=node.noise,
    )


def _weights(file: bytes, plan: EvaluationPlan, node: Node) -> Vector:
    """Return the weights in a file, if it is the very file that the plan names.

    A personal last layer is put where the file has none.
    """
    name = f"{plan.run}.safetensors"
    if sha256(file).hexdigest() != plan.sha256:
        raise ModelFileInvalid(path=name, reason="it is not the file that the plan names")
    architecture, weights = read_model(file, name=name)
    if architecture != evaluated(plan, node.catalogue):
        raise ModelFileInvalid(path=name, reason="its shape is not the one of the plan's model")
    mine = _personal_layer(node, plan)
    if mine is not None:
        weights[last_layer(architecture)] = mine
    return weights


def _personal_layer(node: Node, plan: EvaluationPlan) -> Vector | None:
    """Return the last layer that this node kept of the training, if the model has personal ones."""
    if plan.personal_attempt is None:
        return None
    mine = node.learned.personal((digest(plan.training).hex(), plan.personal_attempt))
    if mine is None:
        raise PlanInvalid(
            "cohort: this department kept no last layer of that training; leave it out, or train "
            "again"
        )
    return mine
