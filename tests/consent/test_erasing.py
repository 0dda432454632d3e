"""Erasure: the register's events stay, and nothing in it says any more whose they were."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent import tables
from consent.deltas import delta_of
from consent.epochs import Snapshot, apply, levels_of, pseudonym
from consent.errors import UnknownClient
from consent.events import Kind, ObjectForFamily, WithdrawFamilyObjection
from consent.marks import mark_of
from consent.store import Register
from federation.database import open_database

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY, MARKS = b"k" * 32, b"m" * 32
ROWS = [("canary-ann", "canary-h1", 4), ("bob", "canary-h1", 3), ("eve", "h2", 4)]
ANN, BOB, EVE = (client for client, _, _ in ROWS)


def second(number: int) -> datetime:
    return T0 + timedelta(seconds=number)


def nothing(_connection: sa.Connection) -> None:
    """Destroy nothing else."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'consent.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def register(engine: sa.Engine) -> Register:
    register = Register(engine, key=MARKS)
    register.load(ROWS, T0)
    register.set_level(ANN, 3, second(1))
    return register


def told(snapshot: Snapshot, register: Register) -> Snapshot:
    """Bring a node up to date as the coordinator does."""
    head = register.head()
    base = 0 if snapshot.epoch < register.erased() else snapshot.epoch
    delta = delta_of(
        register.changes(base),
        purposes=register.purposes(),
        key=KEY,
        department="risk",
        base=base,
        epoch=head,
        issued_at=0,
        expires_at=head + 1,
    )
    return apply(snapshot, delta)


def files(engine: sa.Engine) -> bytes:
    """Return every byte the database has on disk."""
    home = Path(str(engine.url.database))
    return b"".join(path.read_bytes() for path in home.parent.iterdir())


def tied(engine: sa.Engine, client: str) -> set[int]:
    """Return the events that whoever holds the whole database can tie to a client."""
    with engine.connect() as db:
        refs = sa.select(tables.standings.c.ref).where(tables.standings.c.client_id == client)
        return set(db.scalars(sa.select(tables.events.c.seq).where(tables.events.c.ref.in_(refs))))


def test_the_events_of_an_erased_client_stay_and_are_nobodys(
    register: Register, engine: sa.Engine
) -> None:
    assert tied(engine, ANN) == {1, 4}
    assert register.erase(ANN, second(2), destroy=nothing) == 5
    assert tied(engine, ANN) == set()
    with engine.connect() as db:
        events = tables.events_where(db)
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert [event.client for event in events] == ["", BOB, EVE, "", ""]
    assert [event.household for event in events] == ["", "canary-h1", "h2", "", ""]
    assert events[-1].kind is Kind.WITHDRAWN


def test_no_file_holds_an_erased_id(register: Register, engine: sa.Engine) -> None:
    assert ANN.encode() in files(engine)
    register.erase(ANN, second(2), destroy=nothing)
    assert ANN.encode() not in files(engine)
    register.erase(BOB, second(3), destroy=nothing)
    assert b"canary-h1" not in files(engine)
    with sqlite3.connect(str(engine.url.database)) as raw:
        assert raw.execute("SELECT client_id FROM consent_standings").fetchall() == [(EVE,)]


def test_the_check_finds_a_client_whose_row_was_only_emptied(
    register: Register, engine: sa.Engine
) -> None:
    """The saboteur: level 0 in place of a deletion, as before references were."""
    register.set_level(ANN, 0, second(2))
    assert tied(engine, ANN) == {1, 4, 5}
    assert ANN.encode() in files(engine)


def test_an_erased_client_is_unknown_and_gets_no_level(register: Register) -> None:
    register.erase(ANN, second(2), destroy=nothing)
    for ask in (register.level, register.standing, register.history):
        with pytest.raises(UnknownClient):
            ask(ANN)
    for change in (
        lambda: register.set_level(ANN, 4, second(3)),
        lambda: register.erase(ANN, second(3), destroy=nothing),
        lambda: register.erase("nobody", second(3), destroy=nothing),
    ):
        with pytest.raises(UnknownClient):
            change()
    assert register.head() == 5


def test_an_old_file_cannot_bring_an_erased_client_back(register: Register) -> None:
    register.erase(ANN, second(2), destroy=nothing)
    register.load(ROWS, second(3))
    assert register.level(ANN) == 0
    assert [event.seq for event in register.history(ANN)] == [6]
    register.set_level(ANN, 2, second(4))
    assert register.level(ANN) == 2


def test_a_node_drops_all_it_held_of_an_erased_client_with_the_next_epoch(
    register: Register,
) -> None:
    name = pseudonym(KEY, ANN)
    before = told(Snapshot.empty("risk"), register)
    assert levels_of(before, [name]).tolist() == [3]
    register.erase(ANN, second(2), destroy=nothing)
    after = told(before, register)
    assert (after.epoch, levels_of(after, [name]).tolist()) == (5, [0])
    assert after.pseudonyms.shape == (2, 2)
    others = [pseudonym(KEY, client) for client in (BOB, EVE)]
    assert levels_of(after, others).tolist() == [3, 4]
    register.set_level(EVE, 1, second(3))
    assert levels_of(told(after, register), others).tolist() == [3, 1]


def test_a_delta_that_only_adds_would_leave_the_pseudonym_at_the_node(register: Register) -> None:
    """The saboteur: without the whole snapshot the node keeps what it was told."""
    before = told(Snapshot.empty("risk"), register)
    register.erase(ANN, second(2), destroy=nothing)
    delta = delta_of(
        register.changes(before.epoch),
        purposes=(),
        key=KEY,
        department="risk",
        base=before.epoch,
        epoch=register.head(),
        issued_at=0,
        expires_at=9,
    )
    assert levels_of(apply(before, delta), [pseudonym(KEY, ANN)]).tolist() == [3]


def test_an_erasure_opens_nobodys_family_fields(register: Register) -> None:
    register.record([ObjectForFamily(client=ANN)], second(2))
    register.erase(ANN, second(3), destroy=nothing)
    assert {c.client_id: c.family_closed for c in register.changes(0)} == {BOB: True, EVE: False}
    register.load([("zoe", "canary-h1", 4)], second(4))
    assert all(c.family_closed for c in register.changes(0) if c.client_id in (BOB, "zoe"))
    register.record([ObjectForFamily(client=BOB)], second(5))
    register.record([WithdrawFamilyObjection(client=BOB)], second(6))
    assert not any(c.family_closed for c in register.changes(0))


def test_a_new_member_never_gets_a_place_that_is_taken(register: Register) -> None:
    register.erase(ANN, second(2), destroy=nothing)
    register.load([("zoe", "canary-h1", 4), ("kim", "canary-h1", 4)], second(3))
    places = [c.place for c in register.changes(0) if c.household_id == "canary-h1"]
    assert sorted(places) == [1, 2, 3]


def place_after(register: Register, *, days: int) -> int:
    """Erase a household's last clients one after another, enter one; return the place it got."""
    for number, client in enumerate((BOB, ANN), start=2):
        register.erase(client, second(number), destroy=nothing)
    register.load([("zoe", "canary-h1", 4)], second(3) + timedelta(days=days))
    return next(c.place for c in register.changes(0) if c.client_id == "zoe")


def test_a_place_that_an_erasure_left_is_given_to_nobody_for_a_day(register: Register) -> None:
    assert place_after(register, days=0) == 2


def test_a_household_that_comes_back_later_counts_again(
    register: Register, engine: sa.Engine
) -> None:
    assert place_after(register, days=1) == 0
    with engine.connect() as db:
        assert db.execute(sa.select(tables.held_places)).all() == []


def test_what_belongs_to_an_erasure_is_destroyed_with_it_or_nothing_is(register: Register) -> None:
    def fail(_connection: sa.Connection) -> None:
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        register.erase(ANN, second(2), destroy=fail)
    assert (register.head(), register.erased(), register.level(ANN)) == (4, 0, 3)


def test_an_erased_client_is_remembered_only_under_the_key(engine: sa.Engine) -> None:
    register = Register(engine, key=MARKS)
    register.load(ROWS, T0)
    register.erase(ANN, second(1), destroy=nothing)
    with engine.connect() as db:
        marks = set(db.scalars(sa.select(tables.erased.c.mark)))
    assert len(marks) == 1
    assert marks == {mark_of(MARKS, ANN)}
    assert marks != {mark_of(b"", ANN)}
