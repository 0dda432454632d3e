"""The evidence in one file: what an auditor takes away to check every number on a laptop.

Lines of JSON. A header; every policy and catalogue with when it came to hold; the totals; every
ledger entry, as the text its digest covers; every run with its plan, what it released, its label;
every version in the model registry; the transparency log's own lines; how many lines there were.
All of it is public. Reading it believes nothing: :mod:`federation.coordinator.verify` does the
checking.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import rfc8785

from federation.coordinator.desk import Desk
from federation.coordinator.documents import Documents
from federation.coordinator.evidence_log import published_log
from federation.coordinator.runs import Run
from privacy.entries import Committed, Entry, to_text
from privacy.ledger import follow_read
from privacy.ledger_state import EMPTY, LedgerState
from privacy.mechanisms import epsilon_of

FORMAT = "infosandbox/evidence/v1"

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class EvidenceFile:
    """What the lines of an export say. Nothing in it has been checked.

    Attributes:
        header: the first line.
        policies: each with ``since``, oldest first.
        catalogues: the same.
        totals: by pool, as the exporter folded them.
        entries: text and digest of each ledger entry.
        runs: in the order of the file.
        models: the registry's versions, the same.
        log: the lines of the transparency log's download.
        malformed: numbers, from 1, of the lines that are none of these.
        whole: whether the file ends where it says that it ends.
    """

    header: Json = field(default_factory=dict)
    policies: list[Json] = field(default_factory=list)
    catalogues: list[Json] = field(default_factory=list)
    totals: Json = field(default_factory=dict)
    entries: list[tuple[str, str]] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    models: list[Json] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)
    whole: bool = False


def export(desk: Desk, *, now: datetime) -> Iterator[bytes]:
    """Yield the evidence line by line; the last line counts the others, so a cut file is seen.

    The runs are read before the ledger, and whoever committed in between is added after it: so
    every charge in the file has its run, while the desk goes on working. The registry is read last:
    a training becomes a version before it is released.

    Args:
        desk: whose stores are read; nothing is written but, if there is none yet, a checkpoint.
        now: with a time zone; stands in the header.

    Raises:
        LedgerBroken: an entry is not the one that was written.
    """
    lines = 0
    for line in _lines(desk, now):
        lines += 1
        yield line
    yield _line({"lines": lines})


def _lines(desk: Desk, now: datetime) -> Iterator[bytes]:
    runs = {run.id: run for run in desk.runs.latest(limit=None)}
    entries = desk.ledger.entries()
    for entry in entries:
        if isinstance(entry.event, Committed) and entry.event.request not in runs:
            runs[entry.event.request] = desk.runs.get(entry.event.request)
    versions = desk.registry.all()
    state = follow_read(EMPTY, entries)
    yield _line(
        {
            "format": FORMAT,
            "exported_at": now.isoformat(),
            "entries": state.length,
            "head": state.head,
            "runs": len(runs),
        }
    )
    for document in Documents(desk.engine).all():
        yield _line({document.kind: document.body, "since": document.since})
    yield _line({"totals": totals(state, now)})
    for entry in entries:
        yield _line(_plain_entry(entry))
    for run in sorted(runs.values(), key=lambda run: (run.accepted_at, run.id)):
        yield _line({"run": _plain_run(run)})
    for version in versions:
        yield _line({"model": asdict(version)})
    for line in published_log(desk.evidence):
        yield _line({"log": line.decode()})


def totals(state: LedgerState, now: datetime) -> dict[str, dict[str, float | None]]:
    """Return every pool's sums at a time: ρ rounded up, ε by OpenDP at the pool's δ. Public."""
    return {name: _sums(state, name, now) for name in sorted(state.accounts)}


def _sums(state: LedgerState, name: str, now: datetime) -> dict[str, float | None]:
    held = state.pool(name, now)
    sums: dict[str, float | None] = {"delta": held.delta.value}
    for window, part in (("", held.lifetime), ("year_", held.year), ("month_", held.month)):
        used = part.spent + part.reserved
        sums |= {
            f"{window}budget_rho": None if part.budget is None else part.budget.value,
            f"{window}spent_rho": part.spent.value,
            f"{window}reserved_rho": part.reserved.value,
            f"{window}epsilon": epsilon_of(used, held.delta).value,
        }
    return sums | {"remaining_rho": held.remaining.value}


def read_evidence(data: bytes) -> EvidenceFile:
    """Read an export, whatever it is."""
    found = EvidenceFile()
    for number, line in enumerate(data.splitlines(), start=1):
        parsed = _parsed(line)
        found.whole = parsed == {"lines": number - 1}
        if parsed.keys() != {"lines"} and not _take(parsed, found, first=number == 1):
            found.malformed.append(number)
    return found


def _take(line: Json, found: EvidenceFile, *, first: bool) -> bool:
    """Put one line where it belongs; False if it belongs nowhere."""
    match line:
        case {"format": str()} if first and line["format"] == FORMAT:
            found.header = line
        case {"policy": dict(), "since": int()} if len(line) == 2:  # noqa: PLR2004 - both keys
            found.policies.append(line)
        case {"catalogue": dict(), "since": int()} if len(line) == 2:  # noqa: PLR2004 - both keys
            found.catalogues.append(line)
        case {"totals": dict() as sums} if len(line) == 1 and not found.totals:
            found.totals = sums
        case {"entry": str() as text, "digest": str() as digest} if len(line) == 2:  # noqa: PLR2004 - both keys
            found.entries.append((text, digest))
        case {"run": dict() as run} if len(line) == 1:
            found.runs.append(run)
        case {"model": dict() as version} if len(line) == 1:
            found.models.append(version)
        case {"log": str() as text} if len(line) == 1:
            found.log.append(text)
        case _:
            return False
    return True


def _parsed(line: bytes) -> Json:
    """Return a line's object; none if it is none, or holds what has no canonical form, as NaN."""
    try:
        found = json.loads(line)
        rfc8785.dumps(found)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _line(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _plain_entry(entry: Entry) -> Json:
    return {"entry": to_text(entry), "digest": entry.digest}


def _plain_run(run: Run) -> Json:
    return {
        "id": run.id,
        "asker": run.asker,
        "plan": json.loads(run.plan),
        "digest": run.digest,
        "question": run.question,
        "attempt": run.attempt,
        "epoch": run.epoch,
        "policy": run.policy,
        "state": run.state.value,
        "accepted_at": run.accepted_at,
        "ended_at": run.ended_at,
        "result": run.result,
        "label": run.label,
        "refusal": run.refusal,
    }
