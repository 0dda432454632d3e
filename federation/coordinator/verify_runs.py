"""Runs recomputed: is the plan the one that was charged and approved, is the label the true one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785
from pydantic import ValidationError

from consent.catalogue import Catalogue
from consent.log_export import read_export
from federation.coordinator.approvals import approved, counted
from federation.coordinator.cache import question_name_of, run_name
from federation.coordinator.export import EvidenceFile
from federation.coordinator.findings import Finding, Wrong
from federation.coordinator.policy import Policy, pool_of
from federation.coordinator.verify_labels import check_label
from federation.coordinator.verify_pools import read_policy
from federation.errors import PlanInvalid
from federation.plans import AnyPlan, read_plan
from privacy.entries import Committed, Decided, Entry, Repaired, Reserved
from privacy.ledger_state import LedgerState, Status

Json = Mapping[str, Any]

_SHAPE: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "asker": str,
    "plan": dict,
    "digest": str,
    "question": str,
    "attempt": int,
    "epoch": int,
    "policy": str,
    "state": str,
    "accepted_at": int,
    "ended_at": (int, type(None)),
    "result": (dict, type(None)),
    "label": (dict, type(None)),
    "refusal": (dict, type(None)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """What the rest of the export says about runs. state: None if the ledger is broken."""

    state: LedgerState | None
    policies: Sequence[tuple[int, Policy]]
    catalogues: Mapping[str, Catalogue]
    consents: Mapping[str, Sequence[Decided]]
    """The opinions that were in when a request was charged."""
    repaired_at: int
    """Of the last repair; entries about runs from before it may be lost. 0 if there was none."""
    log: Mapping[int, bytes]
    """The transparency log's entries by index."""


def check_runs(
    file: EvidenceFile, entries: Sequence[Entry], state: LedgerState | None
) -> list[Finding]:
    """Check every run by itself, and that no run is missing; charges only if the ledger holds."""
    books = _Books(
        state=state,
        policies=[
            (one["since"], policy)
            for one in file.policies
            if (policy := read_policy(one["policy"])) is not None
        ],
        catalogues={c.digest(): c for c in map(_catalogue, file.catalogues) if c is not None},
        consents=_consents(entries),
        repaired_at=max(
            (int(e.event.at.timestamp()) for e in entries if isinstance(e.event, Repaired)),
            default=0,
        ),
        log=dict(read_export("".join(file.log).encode()).entries),
    )
    findings = [finding for run in file.runs for finding in _check(run, books)]
    names = Counter(str(run.get("id")) for run in file.runs)
    findings += [
        Finding(Wrong.MALFORMED, f"run {name}", "is there more than once")
        for name, times in names.items()
        if times > 1
    ]
    charged = {e.event.request for e in entries if isinstance(e.event, Committed)}
    findings += [
        Finding(Wrong.DROPPED_RUN, f"run {name}", "was charged and is not in the file")
        for name in sorted(charged - set(names))
    ]
    return findings


def _consents(entries: Sequence[Entry]) -> dict[str, tuple[Decided, ...]]:
    said: dict[str, tuple[Decided, ...]] = {}
    found = {}
    for entry in entries:
        match entry.event:
            case Decided() as decided:
                said[decided.request] = (*said.get(decided.request, ()), decided)
            case Reserved() as reserved:
                found[reserved.request] = said.get(reserved.request, ())
            case _:
                pass
    return found


def _catalogue(line: Json) -> Catalogue | None:
    try:
        return Catalogue.model_validate_json(rfc8785.dumps(line["catalogue"]))
    except (ValidationError, ValueError):
        return None


def _check(run: Json, books: _Books) -> Iterator[Finding]:
    where = f"run {run.get('id')}"
    if any(not isinstance(run.get(key), kind) for key, kind in _SHAPE.items()):
        yield Finding(Wrong.MALFORMED, where, "lacks something, or has it in another form")
        return
    name, question = _names(run)
    if name != run["digest"]:
        yield Finding(Wrong.PLAN, where, "its plan has another SHA-256 than it states")
    if question != run["question"] or run_name(question, run["attempt"]) != run["id"]:
        text = "its plan, epoch and attempt give another name than the ledger was charged under"
        yield Finding(Wrong.PLAN, where, text)
    try:
        plan = read_plan(dict(run["plan"]))
    except PlanInvalid:
        yield Finding(Wrong.PLAN, where, "its plan is none")
        return
    if books.state is not None:
        yield from _check_charge(run, plan, books, books.state)
        if run["state"] == "released":
            opinions = counted(books.state.decisions.get(run["id"], ()), asker=run["asker"])
            policy = _policy_at(books, run["ended_at"] or 0)
            catalogue = books.catalogues.get(plan.catalogue)
            yield from check_label(
                run, plan, catalogue=catalogue, policy=policy, opinions=opinions, log=books.log
            )


def _names(run: Json) -> tuple[str, str]:
    """Recompute the plan's digest and the question's name from what stands in the file."""
    plan = rfc8785.dumps(run["plan"])
    asked = {**run["plan"], "reason": "-"}
    return sha256(plan).hexdigest(), question_name_of(asked, run["epoch"], run["policy"])


def _check_charge(run: Json, plan: AnyPlan, books: _Books, state: LedgerState) -> Iterator[Finding]:
    where, lost = f"run {run['id']}", run["accepted_at"] <= books.repaired_at
    promise = state.reservations.get(run["id"])
    if promise is None:
        if not lost and run["state"] in {"accepted", "running", "released"}:
            yield Finding(Wrong.CHARGE, where, f"is {run['state']} and nothing was reserved for it")
        return
    if (promise.pool, promise.rho.value) != (pool_of(plan.purpose), plan.rho):
        text = f"its plan costs rho {plan.rho}, {promise.rho.value} was charged to {promise.pool}"
        yield Finding(Wrong.CHARGE, where, text)
    if run["state"] == "released" and promise.status is not Status.COMMITTED:
        yield Finding(Wrong.CHARGE, where, f"is released and its charge is {promise.status}")
    policy = _policy_at(books, run["accepted_at"])
    if policy is not None and plan.rho > policy.rho(policy.automatic_epsilon).value:
        consents = counted(books.consents.get(run["id"], ()), asker=run["asker"])
        if not (lost or approved(consents)):
            text = "is above the automatic limit and was charged before two officers agreed"
            yield Finding(Wrong.APPROVAL, where, text)


def _policy_at(books: _Books, at: int) -> Policy | None:
    """Return the policy in force at a time: the last that held then, or the first there is."""
    held = [policy for since, policy in books.policies if since <= at]
    return held[-1] if held else next((policy for _, policy in books.policies), None)
