"""The label of a release: what an auditor needs to recompute its cost and doubt its claims.

It is a function of the plan, the catalogue that the plan names, the released figures and the
ledger, so anyone who holds those writes the same label again. What nobody stated is printed as
"not stated". :mod:`federation.coordinator.label_forms` says it in the words of others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from consent.catalogue import Catalogue
from federation.coordinator.evaluation_result import evaluation_intervals
from federation.coordinator.intervals import NOT_STATED, intervals_of
from federation.coordinator.label_words import UNPROTECTED, words_of
from federation.coordinator.policy import pool_of
from federation.cube_layout import standard_error
from federation.cube_plan import CubePlan
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan, digest
from federation.question_plan import QuestionPlan
from federation.statistics.figures import LEVEL
from privacy.entries import Decided
from privacy.loss import Delta, Rho
from privacy.mechanisms import MECHANISM, epsilon_of
from privacy.planning import normal_quantile

AUTOMATIC = "nobody: its cost is within the limit that one person may spend"

_SEEN = (
    "The coordinator and the asker see the noised sum. Each department also knows its own noise. "
    "Nobody sees another department's rows or its exact sum."
)
_COMPOSITION = (
    "rho adds up over all that is charged to the pool and the pools above it, whoever asked and "
    "whatever was asked before: analysts are taken to collude (zCDP filter, fully adaptive)"
)
_SAMPLER = "exact, over integers: no floating point in the noise"
_TIME_SCOPE = "the client's data for life: windows only slow the spending down"
_SIDE_CHANNELS = "not protected: traffic, and how long sampler and arithmetic take"
_ACCESS = "rows stay at the department that holds them; releases need a token of the firm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a label states that does not follow from the plan. All of it is public.

    Attributes:
        run: under which it was released.
        delta: at which ε is shown.
        epoch: of consent, that every node at least held.
        released_at: seconds since the Unix epoch.
        library: that drew the noise, with its version.
        opinions: the officers' on this run, from the ledger.
        result: what was released.
    """

    run: str
    delta: Delta
    epoch: int
    released_at: int
    library: str
    opinions: Sequence[Decided]
    result: Mapping[str, Any]


def label(plan: AnyPlan, catalogue: Catalogue, facts: Facts) -> dict[str, Any]:
    """Compose the label of one run's release. Everything in it is public.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        facts: what else is known of the release.

    Raises:
        KeyError, TypeError: the result is not this plan's.
    """
    words = words_of(plan)
    return {
        "plan": digest(plan).hex(),
        "run": facts.run,
        "kind": plan.kind,
        "released_at": datetime.fromtimestamp(facts.released_at, UTC).isoformat(),
        "purpose": plan.purpose,
        "justification": plan.reason,
        "approver": _approvers(facts.opinions),
        "review_date": NOT_STATED,
        "privacy_unit": plan.unit.value,
        "neighboring_relation": "add-or-remove",
        "contribution_bound": {
            "departments": plan.bound.departments,
            "clients": plan.bound.clients,
            "rows_per_department": 1,
        },
        "time_scope": _TIME_SCOPE,
        "variant": "Zero-concentrated DP",
        "rho": plan.rho,
        "epsilon": epsilon_of(Rho(value=plan.rho), facts.delta).value,
        "delta": facts.delta.value,
        "accountant": f"{facts.library}: from zCDP to (ε, δ)",
        "pool": pool_of(plan.purpose),
        "composition": _COMPOSITION,
        "mechanism": MECHANISM,
        "library": facts.library,
        "sampler": _SAMPLER,
        "model": words.model,
        "cohort": list(plan.cohort),
        "share_tolerance": plan.tolerance,
        "who_saw_what": _SEEN,
        "unprotected": UNPROTECTED + words.unprotected,
        "side_channels": _SIDE_CHANNELS,
        "access_control": _ACCESS,
        "retention": NOT_STATED,
        "data_collection": words.data_collection,
        "tuning_on_real_data": NOT_STATED,
        "post_processing": words.post_processing,
        "bias": words.bias,
        **_intervals(plan, catalogue, facts.result),
        "consent_epoch": facts.epoch,
        "log_index": NOT_STATED,
    }


def _approvers(opinions: Sequence[Decided]) -> str | list[dict[str, str]]:
    return [
        {
            "officer": one.officer,
            "opinion": one.opinion.value,
            "reason": one.reason,
            "at": one.at.astimezone(UTC).isoformat(),
        }
        for one in opinions
    ] or AUTOMATIC


def _intervals(plan: AnyPlan, catalogue: Catalogue, result: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(plan, CubePlan):
        width = normal_quantile(LEVEL) * standard_error(plan)
        noise = {"level": LEVEL, "each cell": width}
        return {"interval": noise, "interval_with_sampling": NOT_STATED}
    if isinstance(plan, EvaluationPlan):
        noise_only = evaluation_intervals(plan, catalogue, result)
        return {"interval": noise_only, "interval_with_sampling": NOT_STATED}
    if not isinstance(plan, QuestionPlan):
        return {"interval": NOT_STATED, "interval_with_sampling": NOT_STATED}
    found = intervals_of(plan, catalogue, result)
    return {
        "interval": {"level": LEVEL, **found.noise},
        "interval_with_sampling": {"level": LEVEL, **found.noise_and_sampling},
    }
