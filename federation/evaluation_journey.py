"""An evaluation's journey: find each client's owner, send the weights, add the masked counts."""

from federation.errors import ProtocolError
from federation.evaluation_layout import evaluation_tables, join_payload
from federation.evaluation_plan import EvaluationPlan
from federation.rounds import Brief, Journey, accepted, agreed, noised_sum
from privacy.loss import Rho
from privacy.mechanisms import Release, release
from privacy.units import NeighboringRelation


def evaluate_model(brief: Brief, *, model: bytes) -> Journey[Release]:
    """Evaluate one model: every department scores its own clients with the same public weights.

    Args:
        brief: of the run.
        model: the file of the weights that the plan names.

    Returns:
        the noised counts, in the order of evaluation_layout.
    """
    plan = brief.plan
    if not isinstance(plan, EvaluationPlan):
        raise ProtocolError("this journey is an evaluation's")
    owned = yield from agreed(brief, owned=plan.owned)
    payloads = {d: join_payload(model, owned.get(d, b"")) for d in plan.cohort}
    leg = brief.leg("sum", step="adding the departments' noised scores", payloads=payloads)
    answers = accepted(leg, (yield leg))
    tables = evaluation_tables(plan, brief.catalogue)
    return release(
        "scores",
        noised_sum(brief, 0, answers, size=tables.size),
        sensitivity=tables.sensitivity,
        scale=tables.scale,
        rho=Rho(plan.rho),
        unit=plan.unit,
        relation=NeighboringRelation.ADD_OR_REMOVE,
        bound=plan.bound,
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
