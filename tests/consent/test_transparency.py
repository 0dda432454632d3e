"""Every way to tamper with a download is found and named; an honest one is not."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.checkpoints import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    cosign,
    public_key,
    sign_checkpoint,
)
from consent.log_entries import Approved, ConsentChanged, encode
from consent.log_export import export_log, read_export
from consent.log_store import Log, TreeHead
from consent.transparency import MOST_FINDINGS, Report, Wrong, verify_export

ORIGIN = "infosandbox/demo"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
LOG = public_key(ORIGIN, LOG_KEY, ED25519)
WITNESS_KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number, name in enumerate(("advisory", "research", "risk"), start=2)
}
WITNESSES = [public_key(f"{ORIGIN}/{name}", key, COSIGNATURE) for name, key in WITNESS_KEYS.items()]
SIZES = (4, 9, 20)


def entry(number: int) -> bytes:
    if number % 5 == 0:
        approval = Approved(at=number, plan="a" * 64, decision="approved", approver="b" * 64)
        return encode(approval)
    return encode(ConsentChanged(at=number, epoch=number, change=f"{number:064x}"))


ENTRIES = [entry(number) for number in range(SIZES[-1])]


def sign(head: TreeHead) -> str:
    return sign_checkpoint(Checkpoint(origin=ORIGIN, size=head.size, root=head.root), LOG_KEY)


def signed_log(entries: list[bytes], sizes: tuple[int, ...] = SIZES) -> list[str]:
    """Return the checkpoints an honest log publishes at these sizes, cosigned by everyone."""
    log = Log(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))
    notes = []
    for size in sizes:
        log.append(entries[log.head().size : size])
        note, head = log.publish(sign), log.head()
        tree = Checkpoint(origin=ORIGIN, size=head.size, root=head.root)
        lines = (cosign(tree, f"{ORIGIN}/{n}", key, at=size) for n, key in WITNESS_KEYS.items())
        notes.append(note + "".join(f"{line}\n" for line in lines))
    return notes


NOTES = signed_log(ENTRIES)
DOWNLOAD = b"".join(export_log(NOTES, ENTRIES))


def verified(data: bytes, *kept: str) -> Report:
    return verify_export(data, log=LOG, witnesses=WITNESSES, quorum=3, kept=kept)


def found(report: Report) -> list[tuple[Wrong, int | None]]:
    return [(each.wrong, each.at) for each in report.findings]


def renumbered(entries: list[bytes]) -> bytes:
    """Return the honest download with other entry lines, numbered as they stand."""
    head = DOWNLOAD[: DOWNLOAD.index(b'{"entry"')]
    lines = (b'{"entry": %s, "index": %d}\n' % (e, n) for n, e in enumerate(entries))
    return head + b"".join(lines)


def replaced(numbers: dict[int, list[bytes]]) -> bytes:
    """Return the honest download with some entry lines replaced by others."""
    lines = DOWNLOAD.splitlines(keepends=True)
    start = len(lines) - len(ENTRIES)
    for number, others in numbers.items():
        lines[start + number] = b"".join(others)
    return b"".join(lines)


def line(index: int, data: bytes) -> bytes:
    return b'{"entry": %s, "index": %d}\n' % (data, index)


# Honest downloads


def test_an_honest_download_is_whole() -> None:
    report = verified(DOWNLOAD, NOTES[0], NOTES[2])
    assert report.ok
    assert (report.size, report.checkpoints) == (20, 3)
    assert report.kinds == {"approval": 4, "consent": 16}
    assert [each.witness for each in report.cosignatures] == [each.name for each in WITNESSES]


def test_a_download_is_read_back() -> None:
    download = read_export(DOWNLOAD)
    assert download.notes == tuple(NOTES)
    assert download.entries == tuple(enumerate(ENTRIES))
    assert not download.malformed


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_every_honest_history_is_whole(steps: list[int]) -> None:
    sizes = tuple(sorted({sum(steps[: n + 1]) for n in range(len(steps))}))
    notes = signed_log(ENTRIES, sizes)
    report = verified(b"".join(export_log(notes, ENTRIES[: sizes[-1]])), *notes)
    assert report.ok
    assert report.size == sizes[-1]


def test_the_empty_log_is_whole() -> None:
    assert verified(b"".join(export_log(signed_log([], (0,)), []))).ok


# Tampered entries


def test_an_edited_entry_is_named() -> None:
    assert found(verified(replaced({7: [line(7, entry(99))]}))) == [(Wrong.EDITED, 7)]


def test_a_dropped_entry_is_named() -> None:
    assert found(verified(replaced({7: []}))) == [(Wrong.DROPPED, 7)]
    assert found(verified(replaced({19: []}))) == [(Wrong.DROPPED, 19)]


def test_a_dropped_entry_is_named_even_if_the_others_are_renumbered() -> None:
    data = renumbered([*ENTRIES[:7], *ENTRIES[8:]])
    assert found(verified(data)) == [(Wrong.DROPPED, 7)]


def test_a_reordered_entry_is_named() -> None:
    swapped = {7: [line(8, ENTRIES[8])], 8: [line(7, ENTRIES[7])]}
    assert found(verified(replaced(swapped))) == [(Wrong.REORDERED, 7)]
    later = [*ENTRIES[:7], *ENTRIES[8:], ENTRIES[7]]
    assert (Wrong.REORDERED, 7) in found(verified(renumbered(later)))


def test_an_entry_under_another_number_is_named() -> None:
    swapped = {7: [line(8, ENTRIES[7])], 8: [line(7, ENTRIES[8])]}
    assert found(verified(replaced(swapped))) == [(Wrong.REORDERED, 7), (Wrong.REORDERED, 8)]


def test_an_added_entry_is_named() -> None:
    more = {7: [line(7, ENTRIES[7]), line(20, entry(99))]}
    assert found(verified(replaced(more))) == [(Wrong.ADDED, 20)]
    twice = {7: [line(7, ENTRIES[7]), line(7, ENTRIES[7])]}
    assert found(verified(replaced(twice))) == [(Wrong.ADDED, 7)]


def test_several_changes_are_each_named() -> None:
    report = verified(replaced({2: [], 7: [line(7, entry(99))], 15: []}))
    assert set(found(report)) == {(Wrong.DROPPED, 2), (Wrong.EDITED, 7), (Wrong.DROPPED, 15)}


def test_an_edit_with_its_leaf_hash_is_placed_between_checkpoints() -> None:
    edited = [*ENTRIES[:12], entry(99), *ENTRIES[13:]]
    report = verified(b"".join(export_log(NOTES, edited)))
    assert found(report) == [(Wrong.REWRITTEN, 9)]


def test_edited_leaf_hashes_do_not_hide_whole_entries() -> None:
    lines = [each for each in DOWNLOAD.splitlines(keepends=True) if b"leaves" not in each]
    assert found(verified(b"".join(lines))) == [(Wrong.MALFORMED, None)]


def test_a_signed_entry_of_no_kind_is_named() -> None:
    entries = [*ENTRIES[:3], b'{"gossip":1}']
    report = verified(b"".join(export_log(signed_log(entries, (4,)), entries)))
    assert found(report) == [(Wrong.UNREADABLE, 3)]


# Tampered histories


def rewritten(number: int) -> list[bytes]:
    return [*ENTRIES[:number], entry(99), *ENTRIES[number + 1 :]]


def test_a_fork_is_named_by_the_logs_own_checkpoints() -> None:
    """The log signed size 9 with the old entry 7, and size 20 with another."""
    forked = [NOTES[0], NOTES[1], signed_log(rewritten(7))[2]]
    assert found(verified(b"".join(export_log(forked, rewritten(7))))) == [(Wrong.FORK, 9)]


def test_a_fork_is_named_by_a_checkpoint_kept_elsewhere() -> None:
    data = b"".join(export_log(signed_log(rewritten(7)), rewritten(7)))
    assert verified(data).ok
    assert found(verified(data, NOTES[1])) == [(Wrong.FORK, 9)]


def test_a_rewritten_history_lacks_its_cosignatures() -> None:
    bare = [note.rpartition("\n\n")[0] + "\n\n" for note in signed_log(rewritten(7))]
    notes = [
        text + signed.rpartition("\n\n")[2].splitlines()[0] + "\n"
        for text, signed in zip(bare, signed_log(rewritten(7)), strict=True)
    ]
    report = verified(b"".join(export_log(notes, rewritten(7))))
    assert found(report) == [(Wrong.COSIGNATURES, 20)]


def test_a_rollback_is_named_by_a_checkpoint_kept_elsewhere() -> None:
    data = b"".join(export_log(NOTES[:2], ENTRIES[:9]))
    assert verified(data).ok
    assert found(verified(data, NOTES[2])) == [(Wrong.ROLLBACK, 20)]


def test_a_rollback_is_named_by_the_order_of_checkpoints() -> None:
    data = b"".join(export_log([NOTES[0], NOTES[2], NOTES[1]], ENTRIES))
    assert found(verified(data)) == [(Wrong.ROLLBACK, 9)]


def test_a_false_checkpoint_is_named() -> None:
    false = NOTES[1].replace("\n9\n", "\n8\n")
    report = verified(b"".join(export_log([NOTES[0], false, NOTES[2]], ENTRIES)))
    assert found(report) == [(Wrong.CHECKPOINT, None)]
    assert "number 2" in report.findings[0].text


def test_a_log_without_a_checkpoint_is_not_believed() -> None:
    report = verified(b"".join(export_log([], ENTRIES)))
    assert found(report) == [(Wrong.CHECKPOINT, None), (Wrong.COSIGNATURES, 0)]
    assert report.size == 0


def test_another_logs_download_is_not_believed() -> None:
    other = public_key("infosandbox/other", LOG_KEY, ED25519)
    assert not verify_export(DOWNLOAD, log=other).ok


# Whatever comes


def test_a_malformed_line_is_named() -> None:
    data = DOWNLOAD.replace(b'{"leaves"', b'{"leafs"', 1)
    assert (Wrong.MALFORMED, 5) in found(verified(data))
    assert (Wrong.MALFORMED, 1) in found(verified(DOWNLOAD[1:]))


@given(st.binary(max_size=300) | st.just(b"") | st.just(b"[" * 50_000))
def test_whatever_is_no_download_is_not_believed(data: bytes) -> None:
    assert not verified(data).ok


@given(st.integers(0, len(DOWNLOAD) - 1), st.integers(0, 7))
def test_no_flipped_bit_changes_what_is_believed(place: int, bit: int) -> None:
    """One in the name of a witness under an older checkpoint makes a stranger of it, no more."""
    flipped = bytearray(DOWNLOAD)
    flipped[place] ^= 1 << bit
    report, honest = verified(bytes(flipped)), verified(DOWNLOAD)
    if report.ok:
        assert report == honest
        assert read_export(bytes(flipped)).entries == tuple(enumerate(ENTRIES))
        assert place < DOWNLOAD.index(b'{"leaves"')


CUTS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "any line dropped": lambda lines: lines[1:],
    "any line twice": lambda lines: [lines[0], *lines],
    "its neighbors swapped": lambda lines: [*lines[1:2], *lines[:1], *lines[2:]],
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_no_entry_line_can_be_moved_unnoticed(
    cut: Callable[[list[bytes]], list[bytes]],
) -> None:
    lines = DOWNLOAD.splitlines(keepends=True)
    start = len(lines) - len(ENTRIES)
    for place in range(start, len(lines) - 1):
        data = b"".join([*lines[:place], *cut(lines[place:])])
        assert not verified(data).ok


def test_a_report_is_short_whatever_the_download() -> None:
    data = replaced({number: [] for number in range(20)}) + b"?\n" * 500
    assert len(verified(data).findings) == MOST_FINDINGS
