import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from consent import log_store
from consent.log_errors import EntryInvalid, LogBroken, NotInLog
from consent.log_store import Log, TreeHead
from consent.merkle import EMPTY_ROOT, leaf_hash, node_hash, verify_consistency, verify_inclusion
from federation.database import open_database

ENTRIES = [f"entry {number}".encode() for number in range(23)]


def engine() -> sa.Engine:
    return sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)


def log_of(entries: list[bytes]) -> Log:
    log = Log(engine())
    log.append(entries)
    return log


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.db'}"


def on_disk(url: str) -> Log:
    return Log(open_database(url))


# Appending


def test_a_new_log_is_the_empty_tree() -> None:
    log = Log(engine())
    assert log.head() == TreeHead(size=0, root=EMPTY_ROOT)
    assert log.root(0) == EMPTY_ROOT
    assert log.append([]) == 0
    assert log.verify() == log.head()


def test_entries_keep_their_order_and_get_consecutive_indexes() -> None:
    log = Log(engine())
    assert log.append(ENTRIES[:5]) == 0
    assert log.append(ENTRIES[5:6]) == 5
    assert log.append(ENTRIES[6:]) == 6
    assert log.entries(0, len(ENTRIES)) == ENTRIES
    assert log.entries(4, 7) == ENTRIES[4:7]


def test_a_log_of_two_entries_has_the_root_of_the_definition() -> None:
    root = node_hash(leaf_hash(ENTRIES[0]), leaf_hash(ENTRIES[1]))
    assert log_of(ENTRIES[:2]).head() == TreeHead(size=2, root=root)


def test_the_log_survives_its_process(url: str) -> None:
    on_disk(url).append(ENTRIES)
    again = on_disk(url)
    assert again.entries(0, len(ENTRIES)) == ENTRIES
    assert again.verify() == log_of(ENTRIES).head()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), max_size=8))
def test_how_entries_are_batched_changes_nothing(batches: list[int]) -> None:
    log, entries = Log(engine()), [f"{number}".encode() for number in range(sum(batches))]
    start = 0
    for batch in batches:
        log.append(entries[start : start + batch])
        start += batch
    assert log.verify() == log_of(entries).head()


def test_an_append_is_undone_with_the_callers_transaction(url: str) -> None:
    log = on_disk(url)
    log.append(ENTRIES[:3])
    before = log.head()
    with open_database(url).connect() as connection:
        assert log.append_within(connection, ENTRIES[3:]) == 3
        connection.rollback()
    assert log.head() == before
    assert log.append(ENTRIES[3:]) == 3


@pytest.mark.parametrize("entry", [b"", b"x" * 65_537], ids=["empty", "too long"])
def test_an_entry_of_a_wrong_size_stops_the_whole_batch(entry: bytes) -> None:
    log = Log(engine())
    with pytest.raises(EntryInvalid):
        log.append([b"good", entry])
    assert log.head().size == 0


APPENDER = """
import sys
from consent.log_store import Log
from federation.database import open_database

log = Log(open_database(sys.argv[1]))
for number in range(20):
    log.append([f"{sys.argv[2]} {number} {part}".encode() for part in "abc"])
"""


def test_several_processes_append_to_one_log(url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", APPENDER, url, name]) for name in ("x", "y", "z")
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    log = on_disk(url)
    entries = log.entries(0, log.verify().size)
    assert len(entries) == len(set(entries)) == 180
    for name in ("x", "y", "z"):
        mine = [entry for entry in entries if entry.decode().startswith(name)]
        assert mine == [f"{name} {n} {part}".encode() for n in range(20) for part in "abc"]
    first_of_batches = [entry for entry in entries if entry.endswith(b"a")]
    assert entries[::3] == first_of_batches


@pytest.mark.parametrize("verb", ["UPDATE log_entries SET entry = 'x'", "DELETE FROM log_entries"])
def test_the_database_itself_refuses_a_rewrite(verb: str, url: str) -> None:
    log = on_disk(url)
    log.append(ENTRIES)
    with pytest.raises(sa.exc.DBAPIError), open_database(url).begin() as connection:
        connection.exec_driver_sql(verb)
    assert log.verify().size == len(ENTRIES)


# Proofs


@settings(max_examples=30)
@given(st.data())
def test_every_proof_verifies_at_every_size(data: st.DataObject) -> None:
    log = log_of(ENTRIES)
    size = data.draw(st.integers(1, len(ENTRIES)))
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    root = log.root(size)
    assert root == log_of(ENTRIES[:size]).head().root
    leaf = leaf_hash(ENTRIES[index])
    verify_inclusion(leaf, index, size, log.inclusion_proof(index, size), root)
    verify_consistency(first, size, log.consistency_proof(first, size), log.root(first), root)


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: log.entries(0, 24),
        lambda log: log.entries(-1, 3),
        lambda log: log.entries(3, 2),
        lambda log: log.root(24),
        lambda log: log.inclusion_proof(23, 23),
        lambda log: log.inclusion_proof(0, 24),
        lambda log: log.consistency_proof(4, 3),
        lambda log: log.consistency_proof(3, 32),
    ],
)
def test_nothing_is_proved_beyond_the_log(ask: Callable[[Log], object]) -> None:
    with pytest.raises(NotInLog):
        ask(log_of(ENTRIES))


# Damage


DAMAGE = {
    "an edited entry": "UPDATE log_entries SET entry = CAST('edited' AS BLOB) WHERE \"index\" = 7",
    "a lost entry": 'DELETE FROM log_entries WHERE "index" = 7',
    "an edited hash": 'UPDATE log_entries SET known = zeroblob(length(known)) WHERE "index" = 7',
    "a lost hash": "UPDATE log_entries SET known = x'' WHERE \"index\" = 7",
    "an edited head": "UPDATE log_head SET frontier = zeroblob(length(frontier))",
    "a cut head": "UPDATE log_head SET frontier = x''",
    "a head of another size": "UPDATE log_head SET size = 21",
}


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
def test_verification_finds_damage(statement: str, url: str) -> None:
    log = on_disk(url)
    log.append(ENTRIES)
    assert log.verify().size == len(ENTRIES)
    with open_database(url).begin() as connection:
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(f"DROP TRIGGER log_entries_no_{verb}")
        connection.exec_driver_sql(statement)
    with pytest.raises(LogBroken):
        log.verify()


def test_no_proof_is_made_of_lost_hashes(url: str) -> None:
    log = on_disk(url)
    log.append(ENTRIES)
    with open_database(url).begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER log_entries_no_UPDATE")
        connection.exec_driver_sql(DAMAGE["a lost hash"])
    with pytest.raises(LogBroken):
        log.inclusion_proof(6, 8)


def test_nothing_is_appended_to_a_broken_head(url: str) -> None:
    log = on_disk(url)
    log.append(ENTRIES)
    with open_database(url).begin() as connection:
        connection.exec_driver_sql(DAMAGE["a cut head"])
    with pytest.raises(LogBroken):
        log.append([b"more"])


# Checkpoints


def note_of(head: TreeHead) -> str:
    return f"{head.size} {head.root.hex()}\n"


def test_a_tree_is_signed_once() -> None:
    log = Log(engine())
    signed: list[TreeHead] = []

    def sign(head: TreeHead) -> str:
        signed.append(head)
        return note_of(head)

    for batch in (ENTRIES[:3], [], ENTRIES[3:]):
        log.append(batch)
        assert log.publish(sign) == note_of(log.head())
    assert [head.size for head in signed] == [3, 23]
    assert log.checkpoints() == [note_of(head) for head in signed]
    assert all(a.size < b.size for a, b in pairwise(signed))
    assert log.checkpoints(newest=1) == [note_of(log.head())]


def test_a_tree_whose_signing_fails_has_no_checkpoint() -> None:
    log = log_of(ENTRIES)

    def fail(_head: TreeHead) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        log.publish(fail)
    assert log.checkpoints() == []


def test_cosignatures_follow_their_checkpoint() -> None:
    log = log_of(ENTRIES[:3])
    old = log.publish(note_of)
    log.append(ENTRIES[3:])
    new = log.publish(note_of)
    log.keep_cosignature(3, "risk", "— risk 1")
    log.keep_cosignature(23, "risk", "— risk 2")
    log.keep_cosignature(23, "advisory", "— advisory 1")
    log.keep_cosignature(23, "risk", "— risk 3")
    both = new + "— advisory 1\n— risk 3\n"
    assert log.checkpoints() == [old + "— risk 1\n", both]
    assert log.checkpoints(newest=1) == [both]


def test_the_tables_are_postgresqls_too() -> None:
    for table in log_store._TABLES.sorted_tables:
        assert "BYTEA" in str(CreateTable(table).compile(dialect=postgresql.dialect())) or (
            table.name in ("log_checkpoints", "log_cosignatures")
        )
