"""Offline verification of a downloaded log: what it holds, and what is wrong with it. Pure.

The keys to check a download with never come from it; an auditor pins them from the firm's roster.

What each finding rests on: the leaf hashes are believed once they give the root that the log
signed; then entries are edited, dropped, added or reordered against them. Two signed trees of which
one does not continue the other are a fork; a smaller tree than one kept elsewhere is a rollback.

A log that signs a whole new history and hides the old checkpoints is caught only by a checkpoint
kept elsewhere or by the cosignatures it cannot get: give ``kept`` and ``quorum``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from consent.checkpoints import Checkpoint, Cosignature, NoteKey, Opened, open_checkpoint
from consent.log_entries import read_entry
from consent.log_errors import CheckpointInvalid, EntryInvalid
from consent.log_export import Download, read_export
from consent.merkle import EMPTY_ROOT, frontier_root, grow, leaf_hash

MOST_FINDINGS = 100


class Wrong(StrEnum):
    """What can be wrong with a log."""

    MALFORMED = "malformed"
    """A line is none of the format's; the other checks leave it out."""
    CHECKPOINT = "checkpoint"
    """A checkpoint is not signed by the log, a cosignature is false, or there is none at all."""
    COSIGNATURES = "cosignatures"
    """Fewer witnesses than asked for have cosigned the newest checkpoint."""
    FORK = "fork"
    """The log signed two trees that do not continue each other."""
    ROLLBACK = "rollback"
    """The log once showed more entries than it does now."""
    REWRITTEN = "rewritten"
    """The leaf hashes were changed too: one can only say from where on."""
    EDITED = "edited"
    DROPPED = "dropped"
    ADDED = "added"
    REORDERED = "reordered"
    UNREADABLE = "unreadable"
    """Bytes that are no entry, whether or not the log signed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, at an entry's index, a tree's size, a line's number, or None."""

    wrong: Wrong
    at: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a download says, as far as it can be believed: see ``ok`` first. All of it is public.

    size, root: of the newest checkpoint. checkpoints: how many there are. kinds: how many entries
    of each kind. cosignatures: of the newest checkpoint. findings: the first MOST_FINDINGS.
    """

    size: int
    root: bytes
    checkpoints: int
    kinds: Mapping[str, int]
    cosignatures: tuple[Cosignature, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.findings


def verify_export(
    data: bytes,
    *,
    log: NoteKey,
    witnesses: Sequence[NoteKey] = (),
    quorum: int = 0,
    kept: Sequence[str] = (),
) -> Report:
    """Check a downloaded log without a network. It raises nothing: what is wrong is a finding.

    Args:
        data: the download; not trusted.
        log: the log's pinned key.
        witnesses: the pinned keys of the witnesses.
        quorum: how many of them must have cosigned the newest checkpoint.
        kept: checkpoints of this log from elsewhere: an older download, a department, a receipt.
    """
    download = read_export(data)
    findings = [_finding(Wrong.MALFORMED, n, f"line {n}") for n in download.malformed]
    published = _opened(download.notes, log, witnesses, findings)
    elsewhere = [each.checkpoint for each in _opened(kept, log, (), findings)]
    trees = [each.checkpoint for each in published]
    findings += _order(trees, elsewhere)
    empty = Checkpoint(origin=log.name, size=0, root=EMPTY_ROOT)
    newest = max(
        published,
        key=lambda each: each.checkpoint.size,
        default=Opened(checkpoint=empty, cosignatures=()),
    )
    size = newest.checkpoint.size
    if len(newest.cosignatures) < quorum:
        heard = f"{len(newest.cosignatures)} witnesses have cosigned, {quorum} are needed"
        findings.append(_finding(Wrong.COSIGNATURES, size, heard))
    if published:
        findings += _against_trees(download, newest.checkpoint, [*trees, *elsewhere])
    kinds, unreadable = _read_entries(download)
    return Report(
        size=size,
        root=newest.checkpoint.root,
        checkpoints=len(published),
        kinds=kinds,
        cosignatures=newest.cosignatures,
        findings=tuple([*findings, *unreadable][:MOST_FINDINGS]),
    )


def _finding(wrong: Wrong, at: int | None, text: str) -> Finding:
    return Finding(wrong=wrong, at=at, text=f"{wrong}: {text}")


def _opened(
    notes: Sequence[str], log: NoteKey, witnesses: Sequence[NoteKey], findings: list[Finding]
) -> list[Opened]:
    found = []
    for number, note in enumerate(notes, start=1):
        try:
            found.append(open_checkpoint(note, log, witnesses))
        except CheckpointInvalid as error:
            findings.append(_finding(Wrong.CHECKPOINT, None, f"number {number}: {error.reason}"))
    return found


def _order(trees: Sequence[Checkpoint], elsewhere: Sequence[Checkpoint]) -> Iterable[Finding]:
    if not trees:
        yield _finding(Wrong.CHECKPOINT, None, "there is none that can be believed")
    for old, new in pairwise(trees):
        if new.size < old.size:
            text = f"size {new.size} was published after size {old.size}"
            yield _finding(Wrong.ROLLBACK, new.size, text)
    largest = max((tree.size for tree in trees), default=0)
    for tree in elsewhere:
        if tree.size > largest:
            text = f"the log showed {tree.size} entries before and shows {largest} now"
            yield _finding(Wrong.ROLLBACK, tree.size, text)


def _against_trees(
    download: Download, newest: Checkpoint, signed: Sequence[Checkpoint]
) -> Iterable[Finding]:
    """Find leaf hashes that give the newest root, and hold trees and entries against them."""
    hashes = [leaf_hash(entry) for _, entry in download.entries]
    sizes = sorted({tree.size for tree in signed})
    for leaves in (download.leaves, hashes):
        roots = _roots(leaves, sizes)
        if roots.get(newest.size) == newest.root:
            break
    else:
        start = max((t.size for t in signed if roots.get(t.size) == t.root), default=0)
        text = f"the entries from {start} on do not give the root that was signed"
        yield _finding(Wrong.REWRITTEN, start, text)
        return
    if leaves is not download.leaves:
        yield _finding(Wrong.MALFORMED, None, "the leaf hashes are not those of the entries")
    for tree in signed:
        if tree.size in roots and roots[tree.size] != tree.root:
            text = f"the log signed two different trees of {tree.size} entries"
            yield _finding(Wrong.FORK, tree.size, text)
    yield from _against_leaves(download, hashes, leaves[: newest.size])


def _roots(leaves: Sequence[bytes], sizes: Sequence[int]) -> dict[int, bytes]:
    """Return the root at each of the ascending sizes that there are leaves for."""
    found: dict[int, bytes] = {}
    size, frontier = 0, list[bytes]()
    for each in sizes:
        if each <= len(leaves):
            _, frontier = grow(size, frontier, leaves[size:each])
            size, found[each] = each, frontier_root(frontier)
    return found


def _against_leaves(
    download: Download, hashes: Sequence[bytes], leaves: Sequence[bytes]
) -> Iterable[Finding]:
    """Compare the entries with leaf hashes that are believed."""
    if list(hashes) == list(leaves) and all(
        stated == place for place, (stated, _) in enumerate(download.entries)
    ):
        return
    signed, shown = Counter(leaves), Counter(hashes)
    stated = [index for index, _ in download.entries]
    strange = {i for i, found in zip(stated, hashes, strict=True) if found not in signed}
    lost = {index for index, leaf in enumerate(leaves) if leaf not in shown}
    for index in sorted(lost):
        wrong = Wrong.EDITED if index in strange else Wrong.DROPPED
        yield _finding(wrong, index, f"entry {index}")
    for index in sorted(strange - lost):
        yield _finding(Wrong.ADDED, index, f"an entry numbered {index} was never signed")
    yield from _moved(hashes, stated, leaves, renumbered=not lost and not strange)


def _moved(
    hashes: Sequence[bytes], stated: Sequence[int], leaves: Sequence[bytes], *, renumbered: bool
) -> Iterable[Finding]:
    """Report entries that stand before an earlier one, twice, or under another number."""
    places: dict[bytes, list[int]] = {}
    for index in range(len(leaves) - 1, -1, -1):
        places.setdefault(leaves[index], []).append(index)
    last = -1
    for index, found in zip(stated, hashes, strict=True):
        if found not in places:
            continue
        if not places[found]:
            yield _finding(Wrong.ADDED, index, f"the entry numbered {index} stands there twice")
            continue
        place = places[found].pop()
        if place < last or (renumbered and place != index):
            yield _finding(Wrong.REORDERED, place, f"entry {place}")
        last = max(last, place)


def _read_entries(download: Download) -> tuple[dict[str, int], list[Finding]]:
    kinds: Counter[str] = Counter()
    findings = []
    for index, entry in download.entries:
        try:
            kinds[read_entry(entry).kind] += 1
        except EntryInvalid as error:
            findings.append(_finding(Wrong.UNREADABLE, index, f"entry {index}: {error.reason}"))
    return dict(sorted(kinds.items())), findings
