"""What stands where in an evaluation's vector: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. The vector is one block
of counts: for each label of the group (or everyone), first the clients with label 0 by bin of their
score, lowest first, then those with label 1.

The bins divide the logit evenly between −LIMIT and LIMIT, and the outer ones take what lies beyond.
Evenly, because noisy training leaves logits small, and a grid that is chosen without looking at the
scores has to be right for every model.

Where a model is explained, the block holds for each label of the group the sum of every field's
influence, in the order of the training's features, then the count, on the lattice of reals.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation import training_layout
from federation.errors import PlanInvalid, ProtocolError
from federation.evaluation_plan import EvaluationPlan
from federation.layout import MAX_CELLS
from models.architectures import Architecture
from models.objectives import Objective
from privacy.bounds import bounded_gradient
from privacy.loss import Rho
from privacy.noise_shares import count_scale, share_sigma

LIMIT = 4.0
"""Logits beyond, that is probabilities below 1.8 % or above 98.2 %, share a bin."""

CLASSES = 2
_LENGTH = 8

Edges = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """An evaluation's only block of counts, or of sums where a model is explained. Public.

    Attributes:
        size: number of cells: labels of the group times classes times bins; or times the fields
            and one.
        scale: lattice units per client, or per unit of the model's output.
        sensitivity: L2, lattice units, over all clients and departments that one unit moves.
    """

    size: int
    scale: int
    sensitivity: float


def logit_edges(plan: EvaluationPlan) -> Edges:
    """Return the edges between the bins, as logits: float64 [bins − 1], rising."""
    return np.linspace(-LIMIT, LIMIT, plan.bins - 1)


def score_edges(plan: EvaluationPlan) -> Edges:
    """Return the edges of the bins as probabilities: float64 [bins + 1], from 0 to 1."""
    inner = 1.0 / (1.0 + np.exp(-logit_edges(plan)))
    return np.concatenate([[0.0], inner, [1.0]])


def group_labels(plan: EvaluationPlan, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the labels of the group's field, or one empty label for everyone."""
    return ("",) if plan.group is None else catalogue.field(plan.group).labels()


def evaluated(plan: EvaluationPlan, catalogue: Catalogue) -> Architecture:
    """Return the shape of the model, if an evaluation can count its scores.

    Raises:
        PlanInvalid: it predicts something else than yes or no, or is not one model for all.
        UnknownField: the catalogue has no such field.
    """
    architecture = training_layout.architecture_of(plan.training, catalogue)
    if architecture.objective is not Objective.BINARY:
        raise PlanInvalid("training: only models of yes or no are evaluated by their scores")
    if plan.training.personal:
        raise PlanInvalid("training: its last layer is another one at each department")
    return architecture


def evaluation_block(plan: EvaluationPlan, catalogue: Catalogue) -> Scores:
    """Return the vector's only block.

    Raises:
        PlanInvalid: more than MAX_CELLS cells, or as ``evaluated``.
        UnknownField: the catalogue has no such field.
        NoiseTooSmall: ρ is so large that the noise of one department would be too small.
    """
    if plan.explain:
        return _influences_block(plan, catalogue)
    evaluated(plan, catalogue)
    size = len(group_labels(plan, catalogue)) * CLASSES * plan.bins
    if size > MAX_CELLS:
        raise PlanInvalid(f"group: at most {MAX_CELLS} cells; take a coarser field or fewer bins")
    contributions = plan.bound.contributions
    scale = count_scale(
        departments=contributions,
        rho=Rho(plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
    return Scores(size=size, scale=scale, sensitivity=float(scale * contributions))


def explained(plan: EvaluationPlan, catalogue: Catalogue) -> Architecture:
    """Return the shape of the model, if it is one for all, whose fields can be told apart.

    Raises:
        PlanInvalid: its last layer is another one at each department.
        UnknownField: the catalogue has no such field.
    """
    if plan.training.personal:
        raise PlanInvalid("training: its last layer is another one at each department")
    return training_layout.architecture_of(plan.training, catalogue)


def _influences_block(plan: EvaluationPlan, catalogue: Catalogue) -> Scores:
    explained(plan, catalogue)
    size = len(group_labels(plan, catalogue)) * (len(plan.training.features) + 1)
    if size > MAX_CELLS:
        raise PlanInvalid(f"group: at most {MAX_CELLS} cells; take a coarser field or none")
    nobody = bounded_gradient(
        np.zeros(size), clip_norm=plan.joint_norm, unit=plan.unit, bound=plan.bound
    )
    share_sigma(
        sensitivity=nobody.sensitivity,
        rho=Rho(plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
    return Scores(size=size, scale=nobody.scale, sensitivity=nobody.sensitivity)


def join_payload(model: bytes, owned: bytes) -> bytes:
    """Put the file of the weights and a department's ownership flags into one payload."""
    return len(model).to_bytes(_LENGTH, "little") + model + owned


def split_payload(payload: bytes) -> tuple[bytes, bytes]:
    """Take a payload apart: the file of the weights, then the ownership flags.

    Raises:
        ProtocolError: it is shorter than it says.
    """
    length = int.from_bytes(payload[:_LENGTH], "little")
    if len(payload) < _LENGTH + length:
        raise ProtocolError("The model's weights did not arrive whole.")
    return payload[_LENGTH : _LENGTH + length], payload[_LENGTH + length :]
