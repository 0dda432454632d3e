"""What stands where in an evaluation's vector: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. The vector is one or more
tables of counts, each first by the label of the group (one label for everyone if there is none).
Then, by what the model learns:

* BINARY: one table: the true label, then the bin of the score.
* MULTICLASS: the true class, then the predicted one; and a table for each class: whether it is the
  true one, then the bin of its score. k + 1 tables.
* ORDINAL: one table: the true class, then the predicted one.
* COUNT, AMOUNT: one table: the band of the prediction, then the bin of the error.

The bins of a score divide the logit evenly between −LIMIT and LIMIT, and the outer ones take what
lies beyond. Evenly, because noisy training leaves logits small, and a grid that is chosen without
looking at the scores has to be right for every model. The bins of an error grow in proportion to
it, for the same reason: nobody knows beforehand how large errors are.

Where a model is explained, there is one table of sums instead: for each label of the group the sum
of every field's influence, in the order of the training's features, then the count, on the lattice
of reals.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation import training_layout
from federation.errors import PlanInvalid, ProtocolError
from federation.evaluation_plan import EvaluationPlan
from federation.layout import MAX_CELLS
from federation.statistics.bounds import number_bounds, scale_ends
from models.architectures import Architecture
from models.objectives import Objective
from privacy.bounds import bounded_gradient, reach_of_counts
from privacy.loss import Rho
from privacy.noise_shares import count_scale, share_sigma

LIMIT = 4.0
"""Logits beyond, that is probabilities below 1.8 % or above 98.2 %, share a bin."""

BANDS = 8
"""Of the predictions of a count or an amount, between the target's public bounds."""

CLASSES = 2
NUMBERS = (Objective.COUNT, Objective.AMOUNT)
_LENGTH = 8
_DOUBLINGS = 8.0
"""The bins of an error span a factor of 2 to this power, and the first reaches down to 0."""
_FINE = 2**10
"""Lattice points per client at least, where √T is rounded up to them."""

Edges = npt.NDArray[np.float64]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """An evaluation's tables of counts, or of sums where a model is explained. Public.

    Attributes:
        shapes: of its tables, one after the other; the first axis is the group's.
        scale: lattice units per client, or per unit of the model's output.
        sensitivity: L2, lattice units, over all clients and departments that one unit moves.
    """

    shapes: tuple[Shape, ...]
    scale: int
    sensitivity: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of cells of each table."""
        return tuple(map(prod, self.shapes))

    @property
    def size(self) -> int:
        """The number of cells of all tables."""
        return sum(self.sizes)


def logit_edges(plan: EvaluationPlan) -> Edges:
    """Return the edges between the bins of a score, as logits: float64 [bins − 1], rising."""
    return np.linspace(-LIMIT, LIMIT, plan.bins - 1)


def score_edges(plan: EvaluationPlan) -> Edges:
    """Return the edges of the bins as probabilities: float64 [bins + 1], from 0 to 1."""
    inner = 1.0 / (1.0 + np.exp(-logit_edges(plan)))
    return np.concatenate([[0.0], inner, [1.0]])


def number_ends(plan: EvaluationPlan, catalogue: Catalogue) -> tuple[float, float]:
    """Return the least and largest prediction of a count, or of an amount on the target's scale."""
    field = catalogue.field(plan.target)
    counts = training_layout.objective_of(plan.training, catalogue) is Objective.COUNT
    return number_bounds(field) if counts else scale_ends(field)


def band_edges(plan: EvaluationPlan, catalogue: Catalogue) -> Edges:
    """Return the edges of the bands of predictions, float64 [BANDS + 1], on the target's scale.

    Even steps; of a count even steps of its root, since the spread of a count grows with it.
    """
    low, high = number_ends(plan, catalogue)
    steps = np.linspace(0.0, 1.0, BANDS + 1)
    counts = training_layout.objective_of(plan.training, catalogue) is Objective.COUNT
    return low + (high - low) * (steps**2 if counts else steps)


def error_edges(plan: EvaluationPlan, catalogue: Catalogue) -> Edges:
    """Return the edges of the bins of an error: float64 [2 h + 1], h = bins // 2, −cap to cap.

    Above 0 each is 2^(8 / h) times the one before, and below 0 it is the same again.
    """
    low, high = number_ends(plan, catalogue)
    cap = high - low if plan.error_cap is None else min(plan.error_cap, high - low)
    half = plan.bins // 2
    above = cap * 2.0 ** (-_DOUBLINGS * np.arange(half - 1, -1, -1) / half)
    return np.concatenate([-above[::-1], [0.0], above])


def group_labels(plan: EvaluationPlan, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the labels of the group's field, or one empty label for everyone."""
    return ("",) if plan.group is None else catalogue.field(plan.group).labels()


def evaluated(plan: EvaluationPlan, catalogue: Catalogue) -> Architecture:
    """Return the shape of the model.

    Raises:
        PlanInvalid: the target cannot be learned so.
        UnknownField: the catalogue has no such field.
        ModelError: the network is beyond its limits.
    """
    return training_layout.architecture_of(plan.training, catalogue)


def evaluation_tables(plan: EvaluationPlan, catalogue: Catalogue) -> Tables:
    """Return the vector's tables.

    Guarantee: a client stands in at most one cell of each of T tables, so Δ = scale·√T·k·m
    (privacy.bounds.bounded_counts); T is 1 but for a multiclass model. Of a model that is explained
    it is that of bounded_gradient for the plan's joint_norm.

    Raises:
        PlanInvalid: more than MAX_CELLS cells, a cap on the errors of a class, or as ``evaluated``.
        UnknownField, ModelError: as ``evaluated``.
        NoiseTooSmall: ρ is so large that the noise of one department would be too small.
    """
    shapes = _shapes(plan, catalogue)
    if sum(map(prod, shapes)) > MAX_CELLS:
        raise PlanInvalid(f"group: at most {MAX_CELLS} cells; take a coarser field or fewer bins")
    if plan.explain:
        return _influences(plan, shapes)
    contributions = plan.bound.contributions
    least = count_scale(
        departments=contributions,
        rho=Rho(plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
    scale = least if len(shapes) == 1 else max(least, _FINE)
    reach = reach_of_counts(len(shapes), scale)
    return Tables(shapes=shapes, scale=scale, sensitivity=float(reach * contributions))


def _influences(plan: EvaluationPlan, shapes: tuple[Shape, ...]) -> Tables:
    nobody = bounded_gradient(
        np.zeros(prod(shapes[0])), clip_norm=plan.joint_norm, unit=plan.unit, bound=plan.bound
    )
    share_sigma(
        sensitivity=nobody.sensitivity,
        rho=Rho(plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
    return Tables(shapes=shapes, scale=nobody.scale, sensitivity=nobody.sensitivity)


def _shapes(plan: EvaluationPlan, catalogue: Catalogue) -> tuple[Shape, ...]:
    objective = evaluated(plan, catalogue).objective
    if plan.error_cap is not None and objective not in NUMBERS:
        raise PlanInvalid("error_cap: only counts and amounts have errors; leave it out")
    groups = len(group_labels(plan, catalogue))
    if plan.explain:
        return ((groups, len(plan.training.features) + 1),)
    classes = len(catalogue.field(plan.target).labels())
    match objective:
        case Objective.BINARY:
            return ((groups, CLASSES, plan.bins),)
        case Objective.MULTICLASS:
            return ((groups, classes, classes), *[(groups, CLASSES, plan.bins)] * classes)
        case Objective.ORDINAL:
            return ((groups, classes, classes),)
        case _:
            return ((groups, BANDS, 2 * (plan.bins // 2)),)


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
