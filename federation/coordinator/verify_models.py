"""The registry against what was released: each training one version, none without a run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import rfc8785

from federation.coordinator.export import EvidenceFile
from federation.coordinator.findings import Finding, Wrong

Json = Mapping[str, Any]

_SHAPE: Mapping[str, type] = {
    "name": str,
    "version": int,
    "run": str,
    "plan": str,
    "file": str,
    "sha256": str,
    "code": str,
    "created_at": int,
}
_TOLD = ("name", "version", "sha256", "code")
"""What a training's own result, whose digest is in the log, says of its version."""


def check_models(file: EvidenceFile) -> list[Finding]:
    """Compare every version with its run, and every released training with its version."""
    whole = [one for one in file.models if _well_formed(one)]
    findings = [
        Finding(Wrong.MALFORMED, "model", "a version lacks something, or has it in another form")
        for _ in range(len(file.models) - len(whole))
    ]
    runs = {str(run.get("id")): run for run in file.runs}
    findings += [finding for one in whole for finding in _check(one, runs)]
    findings += _numbered(whole)
    named = {one["run"] for one in whole}
    findings += [
        Finding(Wrong.MODEL, f"run {name}", "released a model that the registry does not have")
        for name, run in runs.items()
        if _kind(run) == "training" and run.get("state") == "released" and name not in named
    ]
    known = {(one["run"], one["sha256"], one["plan"]) for one in whole}
    findings += [
        Finding(Wrong.MODEL, f"run {name}", "evaluates a model that the registry does not have")
        for name, run in runs.items()
        if _kind(run) == "evaluation" and _evaluated(run) not in known
    ]
    return findings


def _evaluated(run: Json) -> tuple[object, ...]:
    """Say which model an evaluation's plan names: run, weights, and the digest of its training."""
    plan = run["plan"]
    return (
        plan.get("run"),
        plan.get("sha256"),
        sha256(rfc8785.dumps(plan.get("training"))).hexdigest(),
    )


def _well_formed(one: Json) -> bool:
    return set(one) == set(_SHAPE) and all(isinstance(one[k], t) for k, t in _SHAPE.items())


def _check(one: Json, runs: Mapping[str, Json]) -> Iterator[Finding]:
    where, run = f"model {one['name']} {one['version']}", runs.get(one["run"])
    if run is None or _kind(run) != "training" or run.get("digest") != one["plan"]:
        yield Finding(Wrong.MODEL, where, "its run is not in the file, or trained something else")
        return
    if run.get("state") != "released":
        return  # it ended after its version was made and before it was released
    result = run.get("result")
    told = result if isinstance(result, Mapping) else {}
    if other := [key for key in _TOLD if told.get(key) != one[key]]:
        text = f"its run released something else: {', '.join(other)}"
        yield Finding(Wrong.MODEL, where, text)


def _numbered(versions: Sequence[Json]) -> Iterator[Finding]:
    """Say which names do not count their versions from 1, each once."""
    counted = Counter(one["name"] for one in versions)
    for name, number in counted.items():
        if {one["version"] for one in versions if one["name"] == name} != set(range(1, number + 1)):
            text = "its versions do not count up from 1: one is missing, or is there twice"
            yield Finding(Wrong.MODEL, f"model {name}", text)


def _kind(run: Json) -> object:
    plan = run.get("plan")
    return plan.get("kind") if isinstance(plan, Mapping) else None
