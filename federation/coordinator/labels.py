"""The label of a release: what an auditor needs to recompute its cost and doubt its claims.

The words follow the OpenDP deployments registry and NIST SP 800-226 (unit, relation, flavour,
parameters, model and actors, post-processing, unprotected quantities). What nobody stated is
printed as "not stated".
"""

from typing import Any

from federation.coordinator.runs import Run
from federation.plans import QuestionPlan, TrainingPlan
from privacy.loss import Delta, Rho
from privacy.mechanisms import LIBRARY, MECHANISM, epsilon_of

NOT_STATED = "not stated"

_SEEN = (
    "The coordinator and the asker see the noised sum. Each department also knows its own noise. "
    "Nobody sees another department's rows or its exact sum."
)
_UNPROTECTED = (
    "which departments took part, the plan, the lengths of messages and when they were sent"
)
_TOKENS = ", and to the coordinator how many clients each pair of departments shares"


def label(
    plan: QuestionPlan | TrainingPlan,
    run: Run,
    *,
    delta: Delta,
    epoch: int,
) -> dict[str, Any]:
    """Compose the label of one run's release. Everything in it is public.

    Args:
        plan: what was asked.
        run: under which it was released.
        delta: at which ε is shown.
        epoch: of consent, that every node at least held.
    """
    tokens = isinstance(plan, QuestionPlan) and plan.owned
    return {
        "plan": run.digest,
        "run": run.id,
        "purpose": plan.purpose,
        "privacy_unit": plan.unit.value,
        "neighboring_relation": "add-or-remove",
        "contribution_bound": {
            "departments": plan.bound.departments,
            "rows_per_department": 1,
        },
        "flavor": "zero-concentrated differential privacy",
        "rho": plan.rho,
        "epsilon": epsilon_of(Rho(value=plan.rho), delta).value,
        "delta": delta.value,
        "composition": "lifetime pools of the firm and the purpose, and of each department",
        "mechanism": MECHANISM,
        "library": LIBRARY,
        "model": "distributed noise shares under secure aggregation"
        if isinstance(plan, QuestionPlan)
        else "full noise in every local step, updates averaged under secure aggregation",
        "cohort": list(plan.cohort),
        "share_tolerance": plan.tolerance,
        "who_saw_what": _SEEN,
        "unprotected": _UNPROTECTED + (_TOKENS if tokens else ""),
        "post_processing": "division of noised totals by noised counts, clipping to public bounds"
        if isinstance(plan, QuestionPlan)
        else "averaging of the noised updates",
        "interval": "95 %, the noise only" if isinstance(plan, QuestionPlan) else NOT_STATED,
        "interval_with_sampling": NOT_STATED,
        "tuning_on_real_data": NOT_STATED,
        "consent_epoch": epoch,
        "log_index": NOT_STATED,
        "justification": plan.reason,
        "approver": NOT_STATED,
    }
