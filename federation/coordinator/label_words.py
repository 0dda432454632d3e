"""What a label says in words of each kind of plan: how it is protected, and what it leaves open."""

from dataclasses import dataclass

from federation.coordinator.intervals import NOT_STATED
from federation.cube_plan import CubePlan
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan

UNPROTECTED = (
    "which departments took part, the plan, the lengths of messages and when they were sent"
)
_OVERLAPS = ", and to the coordinator how many clients each pair of departments shares"
_BLURRED = ", and to the coordinator about how many clients each pair of departments shares"
_TWO = (
    "; two departments who collude against a third can read its rows of this cube, whatever the "
    "noise"
)


_TABLE = (
    "counts raised to 0 where noise made them negative and moved by one amount so that they add up "
    "to the noised total; parts of a histogram likewise to their count; a tree's levels made "
    "consistent by least squares and rising; figures of noised sums over noised counts, clipped to "
    "public bounds; a figure is left out where the noised count is within its own interval of "
    "zero, and a cell where it is below the policy's threshold"
)
_TABLE_BIAS = (
    "counts: none but where one was raised to 0; means and the like: slight where clients are few, "
    "as ratios of noised sums; by group: not stated"
)
_COLLECTED = "fields that the client's level and the purpose open, as of the consent epoch"
_REGISTERED = "levels, ends and objections in the consent register; no field and no row was opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A label's words that depend on the kind of plan. ``unprotected`` continues UNPROTECTED."""

    model: str
    unprotected: str
    post_processing: str
    bias: str
    data_collection: str = _COLLECTED


def words_of(plan: AnyPlan) -> Words:
    """Return the words of a plan's kind."""
    match plan:
        case QuestionPlan():
            return Words(
                model="distributed noise shares under secure aggregation",
                unprotected=_OVERLAPS if plan.owned else "",
                post_processing=_TABLE,
                bias=_TABLE_BIAS,
                data_collection=_COLLECTED if plan.short is None else _REGISTERED,
            )
        case TrainingPlan():
            return Words(
                model="distributed noise shares under secure aggregation"
                if plan.noise == "shared"
                else "full noise in every local step, updates averaged under secure aggregation",
                unprotected=_OVERLAPS if plan.owned else "",
                post_processing="steps along noised gradients, averaged over the last half of the "
                "rounds",
                bias=NOT_STATED,
            )
        case CubePlan():
            return Words(
                model="distributed noise shares inside additive shares of the tables, under secure "
                "aggregation; products of two departments from triples that a third one dealt",
                unprotected=(_BLURRED if plan.padded else _OVERLAPS) + _TWO,
                post_processing="none in the cells; whatever is computed from them costs nothing",
                bias="cells: none; what is computed from them may have one, which it states",
            )
        case EvaluationPlan(explain=True):
            return Words(
                model="distributed noise shares under secure aggregation",
                unprotected=_OVERLAPS if plan.owned else "",
                post_processing="means of influences from their noised sums and the noised count",
                bias="clients whose influences together pass the clip norm count with less; a "
                "field counts 0 where the department that counts a client does not hold it",
            )
        case EvaluationPlan():
            return Words(
                model="distributed noise shares under secure aggregation",
                unprotected=_OVERLAPS if plan.owned else "",
                post_processing="every figure from the noised tables of predictions and labels",
                bias="counts: none; AUC: pairs of one bin count half; KS: slightly high, as the "
                "largest of noised distances; calibration: up to half the width of a bin; errors "
                "of a count or an amount: within their bins, which the intervals cover",
            )
