import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from consent.epochs import EpochDelta, Snapshot, apply, levels_of, pseudonym, pseudonyms
from consent.errors import InvalidClientId, InvalidRow, UnknownClient, UnknownLevel
from consent.levels import Level
from consent.register import LevelSet, fold
from consent.store import Change, Register

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY = b"k" * 32


def second(number: int) -> datetime:
    return T0 + timedelta(seconds=number)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'consent.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def register(engine: sa.Engine) -> Register:
    register = Register(engine)
    register.load([("ann", "h1", 4), ("bob", "h1", 1), ("eve", "h2", 0)], T0)
    return register


def events_in(engine: sa.Engine) -> list[LevelSet]:
    query = "SELECT client_id, level, at, seq FROM consent_events"
    with engine.connect() as connection:
        rows = connection.execute(sa.text(query)).all()
    return [LevelSet(client=c, level=Level(level), at=at, seq=seq) for c, level, at, seq in rows]


def test_a_new_register_is_empty(engine: sa.Engine) -> None:
    register = Register(engine)
    assert register.head() == 0
    assert register.changes(0) == []


def test_loaded_clients_stand_at_their_levels(register: Register) -> None:
    assert [register.level(client) for client in ("ann", "bob", "eve")] == [4, 1, 0]
    assert register.head() == 3
    assert [change.seq for change in register.changes(0)] == [1, 2, 3]


def test_every_change_is_a_new_epoch(register: Register) -> None:
    assert register.set_level("bob", 3, second(1)) == 4
    assert register.set_level("bob", 2, second(2)) == 5
    assert register.head() == 5
    assert register.changes(3) == [Change(client_id="bob", level=Level(2), seq=5)]
    assert register.changes(5) == []


def test_a_withdrawal_is_in_force_when_it_is_acknowledged(
    register: Register, engine: sa.Engine
) -> None:
    epoch = register.set_level("ann", 0, second(1))
    elsewhere = Register(engine)
    assert elsewhere.level("ann") is Level.NONE
    assert elsewhere.changes(epoch - 1) == [Change(client_id="ann", level=Level.NONE, seq=epoch)]


def test_a_raise_at_the_instant_of_a_withdrawal_is_recorded_and_stays_without_effect(
    register: Register, engine: sa.Engine
) -> None:
    register.set_level("ann", 0, second(1))
    assert register.set_level("ann", 4, second(1)) == 5
    assert register.level("ann") is Level.NONE
    assert register.changes(4) == []
    assert len(events_in(engine)) == 5
    register.set_level("ann", 4, second(1) + timedelta(microseconds=1))
    assert register.level("ann") is Level.FULL_FAMILY_FINANCES


def test_time_zones_do_not_hide_a_tie(register: Register) -> None:
    register.set_level("ann", 0, second(1))
    register.set_level("ann", 4, second(1).astimezone())
    assert register.level("ann") is Level.NONE


def test_a_time_without_a_zone_is_refused_and_nothing_is_recorded(register: Register) -> None:
    with pytest.raises(TypeError):
        register.set_level("ann", 0, second(1).replace(tzinfo=None))
    assert register.head() == 3


def test_loading_again_cannot_undo_a_withdrawal(register: Register) -> None:
    register.set_level("ann", 0, second(1))
    assert register.load([("ann", "h1", 4), ("zoe", "h3", 2)], second(2)) == 5
    assert register.level("ann") is Level.NONE
    assert register.level("zoe") is Level.INVESTMENT_PREFERENCES


def test_loading_the_same_file_again_changes_nothing(register: Register, engine: sa.Engine) -> None:
    assert register.load([("ann", "h1", 4), ("bob", "h1", 1)], second(1)) == 3
    assert len(events_in(engine)) == 3


def test_an_unknown_client_has_no_level_and_cannot_get_one(register: Register) -> None:
    with pytest.raises(UnknownClient):
        register.level("canary")
    with pytest.raises(UnknownClient):
        register.set_level("canary", 4, second(1))
    assert register.head() == 3


def test_an_unknown_level_is_refused(register: Register) -> None:
    with pytest.raises(UnknownLevel):
        register.set_level("ann", 5, second(1))
    assert register.level("ann") == 4


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        ((" canary", "h", 1), InvalidClientId, "the client id in row 2"),
        (("", "h", 1), InvalidClientId, "the client id in row 2 is empty"),
        (("zoe", "can\nary", 1), InvalidClientId, "row 2"),
        (("canary", "h", 7), InvalidRow, "row 2 of the register has a level that is not 0 to 4"),
        (("new", "h", 1), InvalidRow, "row 2 of the register repeats a client"),
    ],
)
def test_one_bad_row_loads_nothing(
    register: Register, row: tuple[str, str, int], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        register.load([("new", "h9", 1), row], second(1))
    assert "canary" not in f"{caught.value} {vars(caught.value)}"
    assert register.head() == 3
    with pytest.raises(UnknownClient):
        register.level("new")


@pytest.mark.parametrize(
    "statement", ["UPDATE consent_events SET level = 4", "DELETE FROM consent_events"]
)
def test_events_can_only_be_appended(register: Register, engine: sa.Engine, statement: str) -> None:
    before = events_in(engine)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert events_in(engine) == before
    assert register.head() == 3


def test_a_change_that_fails_half_way_leaves_no_trace(
    register: Register, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE consent_standings RENAME COLUMN at TO lost"))
    with pytest.raises(sa.exc.OperationalError) as caught:
        register.load([("canary", "h9", 4)], second(1))
    assert "canary" not in str(caught.value)
    assert register.head() == 3
    assert len(events_in(engine)) == 3


def test_a_change_does_not_show_its_client() -> None:
    assert "canary" not in repr(Change(client_id="canary", level=Level(1), seq=1))


def test_thirty_thousand_clients_are_one_load(engine: sa.Engine) -> None:
    register = Register(engine)
    rows = [(f"TW{n:06}", f"H{n // 2:06}", n % 5) for n in range(30_000)]
    assert register.load(rows, T0) == 30_000
    changes = register.changes(0)
    assert [(c.client_id, c.level) for c in changes] == [(c, level) for c, _, level in rows]


# Several processes on one file


def write_often(url: str, client: str, times: int) -> None:
    register = Register(sa.create_engine(url))
    for number in range(times):
        register.set_level(client, number % 5, T0 + timedelta(seconds=number + 1))


def follow(url: str, last: int, answers: "multiprocessing.Queue[dict[str, int]]") -> None:
    """Read deltas as a node would until the last epoch, and hand back what it ended with."""
    register = Register(sa.create_engine(url))
    snapshot = Snapshot.empty("risk")
    while snapshot.epoch < last:
        head = register.head()
        changes = register.changes(snapshot.epoch)
        delta = EpochDelta(
            department="risk",
            base=snapshot.epoch,
            epoch=head,
            issued_at=0,
            expires_at=head + 1,
            pseudonyms=b"".join(pseudonyms(KEY, [change.client_id for change in changes])),
            levels=bytes(change.level for change in changes),
        )
        snapshot = apply(snapshot, delta)
    clients = ["ann", "bob", "eve"]
    levels = levels_of(snapshot, [pseudonym(KEY, client) for client in clients])
    answers.put(dict(zip(clients, levels.tolist(), strict=True)))


def test_writers_and_readers_in_several_processes_lose_nothing(
    register: Register, engine: sa.Engine
) -> None:
    spawn = multiprocessing.get_context("spawn")
    url = engine.url.render_as_string()
    answers = spawn.Queue()
    workers = [
        *(
            spawn.Process(target=write_often, args=(url, c, n))
            for c, n in (("ann", 32), ("bob", 43))
        ),
        spawn.Process(target=follow, args=(url, 3 + 32 + 43, answers)),
    ]
    for worker in workers:
        worker.start()
    seen = answers.get(timeout=60)
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert seen == {"ann": 31 % 5, "bob": 42 % 5, "eve": 0}
    assert register.head() == 78
    assert sorted(event.seq for event in events_in(engine)) == list(range(1, 79))


def open_register(url: str) -> None:
    Register(sa.create_engine(url))


def test_two_processes_may_create_the_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=open_register, args=(url,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert Register(sa.create_engine(url)).head() == 0


# The store against the pure fold


class StoredRegister(RuleBasedStateMachine):
    """Whatever is loaded and set, the standings are the fold of the events, and deltas catch up."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        self.register = Register(self.engine)
        self.now = 0
        self.events: list[LevelSet] = []
        self.epoch = 0
        self.held: dict[str, Level] = {}

    def record(self, client: str, level: int) -> None:
        at = int(second(self.now).timestamp()) * 1_000_000
        seq = len(self.events) + 1
        self.events.append(LevelSet(client=client, level=Level(level), at=at, seq=seq))

    @rule(target=clients, rows=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 4)))
    def load(self, rows: dict[str, int]) -> object:
        known = {event.client for event in self.events}
        for client, level in rows.items():
            if client not in known:
                self.record(client, level)
        loaded = self.register.load(
            ((c, "h", level) for c, level in rows.items()), second(self.now)
        )
        assert loaded == len(self.events)
        return multiple(*rows)

    @rule(client=clients, level=st.integers(0, 4), later=st.integers(0, 1))
    def set_level(self, client: str, level: int, later: int) -> None:
        self.now += later
        self.record(client, level)
        assert self.register.set_level(client, level, second(self.now)) == len(self.events)

    @rule()
    def pull(self) -> None:
        self.held |= {
            change.client_id: change.level for change in self.register.changes(self.epoch)
        }
        self.epoch = self.register.head()
        assert self.held == {client: s.level for client, s in fold(self.events).items()}

    @invariant()
    def the_standings_are_the_fold(self) -> None:
        standings = fold(self.events)
        assert {c.client_id: (c.level, c.seq) for c in self.register.changes(0)} == {
            client: (standing.level, standing.seq) for client, standing in standings.items()
        }

    @invariant()
    def the_events_are_what_happened(self) -> None:
        assert events_in(self.engine) == self.events

    def teardown(self) -> None:
        self.engine.dispose()


TestStoredRegister = StoredRegister.TestCase
TestStoredRegister.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
