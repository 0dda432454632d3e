"""One label recomputed from its plan, its figures and the ledger, and compared word by word."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from consent.catalogue import Catalogue
from consent.log_entries import Released, read_entry
from consent.log_errors import EntryInvalid
from federation.coordinator.evaluation_result import evaluation_result
from federation.coordinator.evidence_log import json_digest
from federation.coordinator.findings import Finding, Wrong
from federation.coordinator.labels import Facts, label
from federation.coordinator.policy import Policy
from federation.coordinator.question_result import retold
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan
from federation.question_plan import QuestionPlan
from privacy.entries import Decided
from privacy.loss import Delta

Json = Mapping[str, Any]

LOWER_CLAIMS_TOO_LITTLE = (
    "rho",
    "epsilon",
    "delta",
    "contribution_bound",
    "interval",
    "interval_with_sampling",
)
"""Keys whose numbers must not be below the recomputed ones."""
_SAME = 1e-9


def check_label(
    run: Json,
    plan: AnyPlan,
    *,
    catalogue: Catalogue | None,
    policy: Policy | None,
    opinions: Sequence[Decided],
    log: Mapping[int, bytes],
) -> Iterator[Finding]:
    """Recompute the label of a run that released something.

    Args:
        run: as the export has it, of the right form.
        plan: its plan.
        catalogue: the one that the plan names, if the export has it.
        policy: in force when it was released.
        opinions: the officers' on it.
        log: the transparency log's entries by index.
    """
    where, stated, result = f"run {run['id']}", run["label"], run["result"]
    if stated is None or result is None or run["ended_at"] is None:
        yield Finding(Wrong.LABEL, where, "is released without figures, label or time")
        return
    if catalogue is None or policy is None:
        yield Finding(Wrong.LABEL, where, "its catalogue or its policy is not in the file")
        return
    try:
        facts = Facts(
            run=run["id"],
            delta=Delta(policy.delta),
            epoch=int(stated["consent_epoch"]),
            released_at=run["ended_at"],
            library=str(stated["library"]),
            opinions=opinions,
            result=result,
        )
        true = label(plan, catalogue, facts)
        told = _recomputed(plan, catalogue, result)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        yield Finding(Wrong.LABEL, where, "its figures are not those of its plan")
        return
    true |= {"plan": run["digest"], "log_index": stated.get("log_index")}
    yield from _compare(where, stated, true)
    if not all(_alike(result.get(key), value) for key, value in told.items()):
        yield Finding(Wrong.LABEL, where, "tells other figures than its released sums give")
    if result.get("threshold", policy.least_count) != policy.least_count:
        yield Finding(Wrong.LABEL, where, "leaves out other cells than the policy in force said")
    if facts.epoch < run["epoch"]:
        yield Finding(Wrong.LABEL, where, "its consent is older than when it was asked")
    yield from _check_log(run, stated, result, log)


def _recomputed(plan: AnyPlan, catalogue: Catalogue, result: Json) -> Json:
    """Tell again what follows from the sums that a result says were released."""
    match plan:
        case QuestionPlan():
            return retold(plan, catalogue, result)
        case EvaluationPlan():
            return evaluation_result(plan, catalogue, result["counts"])
        case _:
            return {}


def _compare(where: str, stated: Json, true: Json) -> Iterator[Finding]:
    less = [k for k in LOWER_CLAIMS_TOO_LITTLE if k in stated and _below(stated[k], true[k])]
    if less:
        yield Finding(Wrong.UNDERSTATED, where, f"states less than there is: {', '.join(less)}")
    other = sorted(
        key
        for key in {*stated, *true} - set(less)
        if key not in stated or key not in true or not _alike(stated[key], true[key])
    )
    if other:
        yield Finding(Wrong.LABEL, where, f"states otherwise: {', '.join(other)}")


def _below(stated: object, true: object) -> bool:
    """Say whether any number in what is stated is below the one in its place."""
    if isinstance(true, Mapping) and isinstance(stated, Mapping):
        return any(key in stated and _below(stated[key], value) for key, value in true.items())
    if isinstance(true, list) and isinstance(stated, list):
        return any(_below(s, t) for s, t in zip(stated, true, strict=False))
    if isinstance(true, int | float) and isinstance(stated, int | float):
        return stated < true - abs(true) * _SAME
    return False


def _alike(stated: object, true: object) -> bool:
    if isinstance(true, Mapping) and isinstance(stated, Mapping):
        return set(stated) == set(true) and all(_alike(stated[k], v) for k, v in true.items())
    if isinstance(true, list) and isinstance(stated, list):
        return len(stated) == len(true) and all(map(_alike, stated, true))
    if isinstance(true, float) and isinstance(stated, int | float):
        return math.isclose(stated, true, rel_tol=_SAME)
    return stated == true


def _check_log(
    run: Json, stated: Json, result: Json, log: Mapping[int, bytes]
) -> Iterator[Finding]:
    """Compare a release with its entry in the log, if the log in the file reaches that far."""
    index, where = stated.get("log_index"), f"run {run['id']}"
    if not isinstance(index, int):
        return
    if not log:
        yield Finding(Wrong.LOG, where, "names its place in a log that is not in the file")
        return
    if index > max(log):
        return  # released after the log's newest checkpoint
    try:
        entry = read_entry(log[index])
    except (KeyError, EntryInvalid):
        yield Finding(Wrong.LOG, where, f"the log's entry {index} cannot be read")
        return
    claimed = {k: v for k, v in stated.items() if k != "log_index"}
    told = (run["id"], run["digest"], json_digest(result), json_digest(claimed))
    if not isinstance(entry, Released) or told != (
        entry.run,
        entry.plan,
        entry.result,
        entry.label,
    ):
        yield Finding(Wrong.LOG, where, f"the log's entry {index} tells of another release")
