"""Evidence in which the registry and the releases do not tell of the same models is named."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from federation.coordinator.findings import Wrong
from federation.coordinator.verify import verify

Lines = list[dict[str, Any]]


def models_in(lines: Lines) -> Lines:
    return [line for line in lines if "model" in line]


def joined(lines: Lines) -> bytes:
    """Write the file anew, its last line counting the others."""
    lines[-1] = {"lines": len(lines) - 1}
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def drop(lines: Lines) -> None:
    lines.remove(models_in(lines)[0])


def change(key: str, value: object) -> Callable[[Lines], None]:
    def changed(lines: Lines) -> None:
        models_in(lines)[0]["model"][key] = value

    return changed


def double(lines: Lines) -> None:
    lines.insert(1, json.loads(json.dumps(models_in(lines)[0])))


def test_the_registry_of_honest_evidence_is_in_it(evidence: bytes) -> None:
    (line,) = models_in([json.loads(line) for line in evidence.splitlines()])
    assert (line["model"]["name"], line["model"]["version"]) == ("defaulted", 1)


@pytest.mark.parametrize(
    "tamper",
    [
        drop,
        double,
        change("sha256", "1" * 64),
        change("code", "another"),
        change("name", "churn"),
        change("version", 2),
        change("plan", "2" * 64),
        change("run", "0" * 16),
    ],
)
def test_a_registry_that_was_tampered_with_is_named(
    evidence: bytes, tamper: Callable[[Lines], None]
) -> None:
    lines = [json.loads(line) for line in evidence.splitlines()]
    tamper(lines)
    report = verify(joined(lines))
    assert {finding.wrong for finding in report.findings} == {Wrong.MODEL}


def test_a_version_in_another_form_is_malformed(evidence: bytes) -> None:
    lines = [json.loads(line) for line in evidence.splitlines()]
    change("version", "1")(lines)
    report = verify(joined(lines))
    assert Wrong.MALFORMED in {finding.wrong for finding in report.findings}
