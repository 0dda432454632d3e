"""Offline verification of an evidence export: recompute everything, believe nothing. Pure.

The chain is followed from its first entry, which also replays every rule of the ledger: no budget
is exceeded at any entry. Then totals, pools, plans, charges, approvals and labels are recomputed
from it (`verify_pools`, `verify_runs`), the registry is compared with the releases
(`verify_models`), and the transparency log is checked against pinned keys.

A coordinator that rewrites the whole file consistently is caught only by something kept elsewhere:
a ledger head (``head``) or the departments' cosignatures in the log (``roster``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from consent.transparency import verify_export
from federation.coordinator.export import EvidenceFile, read_evidence
from federation.coordinator.findings import Finding, Wrong
from federation.coordinator.verify_models import check_models
from federation.coordinator.verify_pools import PoolFigures, check_pools
from federation.coordinator.verify_runs import check_runs
from federation.roster import Roster
from federation.witness import log_key, witness_keys
from privacy.entries import GENESIS, Entry, Repaired, from_text
from privacy.errors import BudgetExceeded, LedgerBroken
from privacy.ledger import follow_read
from privacy.ledger_state import EMPTY, LedgerState

__all__ = ["Finding", "Report", "Wrong", "verify"]


class Unchecked(StrEnum):
    """What could not be checked, and why."""

    AFTER_BREAK = "totals, charges and labels: they rest on the ledger, and the ledger is broken"
    LOG_KEYS = "the transparency log's signatures: name the folder of the firm's roster"
    LOG_MISSING = "the transparency log: the file holds none"
    REPAIRED = "charges and approvals of runs before a repair of the ledger, where they were lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an export says, as far as it can be believed: see ``ok`` first. All of it is public.

    Attributes:
        entries: of the ledger. head: the digest of the last one.
        runs: how many. releases: how many of them released something.
        pools: recomputed, by both accountants.
        repairs: every repair of the ledger: who, why and when.
        cosignatures: of the log's newest checkpoint, by departments.
        findings: what is wrong.
        unchecked: what could not be checked.
    """

    entries: int
    head: str
    runs: int
    releases: int
    pools: tuple[PoolFigures, ...]
    repairs: tuple[str, ...]
    cosignatures: int
    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def ok(self) -> bool:
        """Nothing that was checked is wrong."""
        return not self.findings


@dataclass(slots=True)
class _Notes:
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)


def verify(data: bytes, *, head: str | None = None, roster: Roster | None = None) -> Report:
    """Check an export without a network. It raises nothing: what is wrong is a finding.

    Args:
        data: the file; not trusted.
        head: the digest of a ledger entry that was kept elsewhere.
        roster: opened with the firm's pinned root key; without it no signature can be checked.
    """
    file = read_evidence(data)
    notes = _Notes([_malformed(number) for number in file.malformed])
    if not file.header:
        notes.findings.append(Finding(Wrong.MALFORMED, "line 1", "is not the header of an export"))
    entries = _entries(file, notes)
    if len(entries) == len(file.entries):
        notes.findings += _broken_link(entries) or _other_end(entries, file)
    if head is not None and head not in {entry.digest for entry in entries}:
        text = "does not hold the entry whose digest was kept elsewhere: rewritten, or cut off"
        notes.findings.append(Finding(Wrong.HEAD, "ledger", text))
    state = None if notes.findings else _follow(entries, notes)
    pools: tuple[PoolFigures, ...] = ()
    if state is None:
        notes.unchecked.append(Unchecked.AFTER_BREAK)
    else:
        pools, wrong = check_pools(file, entries, state)
        notes.findings += wrong
    notes.findings += check_runs(file, entries, state)
    if not file.whole:
        text = "is not the line that counts the others: the file was cut off, or added to"
        notes.findings.append(Finding(Wrong.CUT, "last line", text))
    notes.findings += check_models(file)
    repairs = tuple(
        f"{event.at.isoformat()} {event.who}: {event.reason}"
        for event in (entry.event for entry in entries)
        if isinstance(event, Repaired)
    )
    if repairs:
        notes.unchecked.append(Unchecked.REPAIRED)
    return Report(
        entries=len(entries),
        head=entries[-1].digest if entries else GENESIS,
        runs=len(file.runs),
        releases=sum(run.get("state") == "released" for run in file.runs),
        pools=pools,
        repairs=repairs,
        cosignatures=_check_log(file, roster, notes),
        findings=tuple(notes.findings),
        unchecked=tuple(notes.unchecked),
    )


def _malformed(number: int) -> Finding:
    return Finding(Wrong.MALFORMED, f"line {number}", "is none of the format's")


def _entries(file: EvidenceFile, notes: _Notes) -> list[Entry]:
    found = []
    for place, (text, digest) in enumerate(file.entries):
        try:
            found.append(from_text(text, digest, index=place))
        except LedgerBroken as broken:
            notes.findings.append(Finding(Wrong.EDITED, f"entry {place}", broken.reason))
    return found


def _broken_link(entries: Sequence[Entry]) -> list[Finding]:
    """Say where the chain is broken first, if it is."""
    previous = GENESIS
    for place, entry in enumerate(entries):
        where = f"entry {place}"
        if entry.index != place and place in {later.index for later in entries[place:]}:
            return [Finding(Wrong.REORDERED, where, f"says that it is entry {entry.index}")]
        if entry.index > place:
            missing = f"{place} to {entry.index - 1}"
            return [Finding(Wrong.DROPPED, where, f"entries {missing} are missing before it")]
        if entry.index < place:
            return [Finding(Wrong.REORDERED, where, f"says that it is entry {entry.index}")]
        if entry.previous != previous:
            text = "does not continue the entry before it: one of the two was rewritten"
            return [Finding(Wrong.EDITED, where, text)]
        previous = entry.digest
    return []


def _other_end(entries: Sequence[Entry], file: EvidenceFile) -> list[Finding]:
    """Compare the end of the chain with what the header says of it."""
    told, head = file.header.get("entries"), file.header.get("head")
    if isinstance(told, int) and told > len(entries):
        text = f"the header counts {told} entries, and the last ones are missing"
        return [Finding(Wrong.DROPPED, f"entry {len(entries)}", text)]
    if (told, head) != (len(entries), entries[-1].digest if entries else GENESIS):
        return [Finding(Wrong.HEAD, "header", "names another last entry than the ledger has")]
    return []


def _follow(entries: Sequence[Entry], notes: _Notes) -> LedgerState | None:
    try:
        return follow_read(EMPTY, entries)
    except LedgerBroken as broken:
        spent = isinstance(broken.__cause__, BudgetExceeded)
        kind = Wrong.OVERSPENT if spent else Wrong.RULE
        notes.findings.append(Finding(kind, f"entry {broken.entry}", broken.reason))
        return None


def _check_log(file: EvidenceFile, roster: Roster | None, notes: _Notes) -> int:
    if not file.log:
        notes.unchecked.append(Unchecked.LOG_MISSING)
        return 0
    if roster is None:
        notes.unchecked.append(Unchecked.LOG_KEYS)
        return 0
    download = "".join(file.log).encode()
    witnesses = list(witness_keys(roster).values())
    report = verify_export(download, log=log_key(roster), witnesses=witnesses)
    notes.findings += [
        Finding(Wrong.LOG, "log" if one.at is None else f"log {one.at}", one.text)
        for one in report.findings
    ]
    return len(report.cosignatures)
