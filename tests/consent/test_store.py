from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.errors import (
    ClockSkew,
    InvalidClientId,
    InvalidRequest,
    InvalidRow,
    RequestReused,
    UnknownClient,
    UnknownLevel,
)
from consent.events import ChangeNotice, Kind, ObjectTo, Request, SetLevel, WithdrawObjection
from consent.levels import Level
from consent.purposes import Purpose
from consent.register import fold
from consent.store import Register
from federation.database import open_database

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
INSIGHT = Purpose(name="insight", title="Insight")
MODEL = Purpose(name="model", title="Model")


def second(number: int) -> datetime:
    return T0 + timedelta(seconds=number)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'consent.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def register(engine: sa.Engine) -> Register:
    register = Register(engine)
    register.load([("ann", "h1", 4), ("bob", "h1", 1), ("eve", "h2", 0)], T0)
    return register


def changed(register: Register, after: int) -> list[tuple[str, int, int]]:
    return [(change.client_id, change.level, change.seq) for change in register.changes(after)]


def test_a_new_register_is_empty(engine: sa.Engine) -> None:
    register = Register(engine)
    assert register.head() == 0
    assert register.changes(0) == []
    assert register.purposes() == ()


def test_loaded_clients_stand_at_their_levels(register: Register) -> None:
    assert [register.level(client) for client in ("ann", "bob", "eve")] == [4, 1, 0]
    assert register.head() == 3
    assert [change.seq for change in register.changes(0)] == [1, 2, 3]
    assert [event.kind for event in register.history("ann")] == [Kind.ENTERED]


def test_every_change_is_a_new_epoch(register: Register) -> None:
    assert register.set_level("bob", 3, second(1)) == 4
    assert register.set_level("bob", 2, second(2)) == 5
    assert register.head() == 5
    assert changed(register, 3) == [("bob", 2, 5)]
    assert register.changes(5) == []


def test_the_history_says_what_each_change_meant(register: Register) -> None:
    for level, turn in zip((3, 2, 0, 1), range(1, 5), strict=True):
        register.set_level("bob", level, second(turn))
    kinds = [Kind.ENTERED, Kind.RAISED, Kind.LOWERED, Kind.WITHDRAWN, Kind.GIVEN]
    assert [event.kind for event in register.history("bob")] == kinds
    assert [event.seq for event in register.history("bob")] == [2, 4, 5, 6, 7]


def test_a_withdrawal_is_in_force_when_it_is_acknowledged(
    register: Register, engine: sa.Engine
) -> None:
    epoch = register.set_level("ann", 0, second(1))
    elsewhere = Register(engine)
    assert elsewhere.level("ann") is Level.NONE
    assert changed(elsewhere, epoch - 1) == [("ann", 0, epoch)]


def test_a_raise_at_the_instant_of_a_withdrawal_is_recorded_and_stays_without_effect(
    register: Register,
) -> None:
    register.set_level("ann", 0, second(1))
    assert register.set_level("ann", 4, second(1)) == 5
    assert register.level("ann") is Level.NONE
    assert register.changes(4) == []
    assert len(register.history("ann")) == 3
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


def test_a_raise_that_comes_in_late_cannot_undo_a_withdrawal(register: Register) -> None:
    register.set_level("ann", 0, second(1000))
    with pytest.raises(ClockSkew):
        register.set_level("ann", 4, second(10))
    assert register.level("ann") is Level.NONE
    assert register.set_level("ann", 0, second(10)) == 5


def test_loading_again_cannot_undo_a_withdrawal(register: Register) -> None:
    register.set_level("ann", 0, second(1))
    assert register.load([("ann", "h1", 4), ("zoe", "h3", 2)], second(2)) == 5
    assert register.level("ann") is Level.NONE
    assert register.level("zoe") is Level.INVESTMENT_PREFERENCES


def test_loading_the_same_file_again_changes_nothing(register: Register) -> None:
    assert register.load([("ann", "h1", 4), ("bob", "h1", 1)], second(1)) == 3
    assert len(register.history("ann")) == 1


def test_an_unknown_client_has_no_level_and_cannot_get_one(register: Register) -> None:
    for ask in (register.level, register.standing, register.history):
        with pytest.raises(UnknownClient):
            ask("canary")
    with pytest.raises(UnknownClient):
        register.set_level("canary", 4, second(1))
    assert register.head() == 3


def test_an_unknown_level_is_refused(register: Register) -> None:
    with pytest.raises(UnknownLevel):
        register.set_level("ann", 5, second(1))
    assert register.level("ann") == 4


# Ends


def test_an_authorization_ends_at_its_date_and_the_end_is_written_down_later(
    register: Register,
) -> None:
    register.set_level("bob", 3, second(1), expires_at=second(60))
    assert register.level("bob") == register.level("bob", second(59)) == 3
    assert register.level("bob", second(60)) is Level.NONE
    assert register.changes(3)[0].expires_at == int(second(60).timestamp())
    assert register.expire(second(59)) == 4
    assert register.expire(second(60)) == 5
    assert register.expire(second(61)) == 5
    assert register.level("bob") is Level.NONE
    assert register.history("bob")[-1].kind is Kind.EXPIRED


# Several requests, and the same one again


def test_one_wrong_request_records_none_of_them(register: Register) -> None:
    requests: list[Request] = [
        SetLevel(client="ann", level=1),
        SetLevel(client="canary", level=1),
    ]
    with pytest.raises(UnknownClient):
        register.record(requests, second(1))
    assert (register.head(), register.level("ann")) == (3, 4)
    assert register.record([], second(1)) == []
    assert register.record(requests[:1], second(1)) == [4]


def test_a_request_that_is_sent_twice_is_recorded_once(register: Register) -> None:
    assert register.set_level("ann", 1, second(1), request_id="r1") == 4
    register.set_level("ann", 4, second(2))
    assert register.set_level("ann", 1, second(3), request_id="r1") == 4
    assert (register.head(), register.level("ann")) == (5, 4)


def test_a_request_may_be_sent_again_after_what_it_gave_has_ended(register: Register) -> None:
    for now in (second(1), second(90)):
        assert register.set_level("bob", 2, now, expires_at=second(60), request_id="r1") == 4


def test_a_request_that_is_twice_in_one_batch_is_recorded_once(register: Register) -> None:
    ann = SetLevel(client="ann", level=1)
    assert register.record([ann, ann], second(1), ids=["r1", "r1"]) == [4, 4]
    assert register.head() == 4


def test_an_id_that_comes_back_with_another_request_is_refused(register: Register) -> None:
    register.set_level("ann", 1, second(1), request_id="r1")
    for client, level in (("ann", 2), ("bob", 1)):
        with pytest.raises(RequestReused):
            register.set_level(client, level, second(2), request_id="r1")
    assert register.head() == 4


def test_an_id_for_each_request_or_for_none(register: Register) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        register.record([ChangeNotice(client="ann", notice="v2")], T0, ids=["r1", "r2"])
    with pytest.raises(InvalidRequest):
        register.set_level("ann", 1, second(1), request_id="r\n1")
    assert register.head() == 3


def test_a_purpose_keeps_its_number_for_good(register: Register) -> None:
    register.record([ObjectTo(client="ann", purpose=MODEL)], second(1))
    register.record([WithdrawObjection(client="ann", purpose=MODEL)], second(2))
    register.record([ObjectTo(client="bob", purpose=INSIGHT)], second(3))
    register.record([ObjectTo(client="bob", purpose=MODEL)], second(4))
    assert register.purposes() == ("model", "insight")
    assert {c.client_id: c.objections for c in register.changes(3)} == {
        "ann": frozenset(),
        "bob": {"insight", "model"},
    }


# Bad rows, bad hands, bad disks


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
    before = register.history("ann")
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert register.history("ann") == before
    assert register.head() == 3


@pytest.mark.parametrize(
    "loss",
    ["ALTER TABLE consent_standings RENAME COLUMN at TO lost", "DROP TABLE consent_standings"],
)
def test_a_change_that_fails_half_way_leaves_no_trace(
    register: Register, engine: sa.Engine, loss: str
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(loss))
    for change in (
        lambda: register.load([("canary", "h9", 4)], second(1)),
        lambda: register.record([ChangeNotice(client="ann", notice="canary")], second(1)),
    ):
        with pytest.raises(sa.exc.OperationalError) as caught:
            change()
        assert "canary" not in str(caught.value)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM consent_events")).scalar() == 3


def test_thirty_thousand_clients_are_one_load(engine: sa.Engine) -> None:
    register = Register(engine)
    rows = [(f"TW{n:06}", f"H{n // 2:06}", n % 5) for n in range(30_000)]
    assert register.load(rows, T0) == 30_000
    changes = register.changes(0)
    assert [(c.client_id, c.level) for c in changes] == [(c, level) for c, _, level in rows]
    assert [c.place for c in changes] == [n % 2 for n in range(30_000)]


def test_the_standings_are_the_fold_of_the_histories(register: Register) -> None:
    register.record([ObjectTo(client="ann", purpose=MODEL)], second(1))
    register.set_level("bob", 3, second(2), expires_at=second(9))
    events = [event for client in ("ann", "bob", "eve") for event in register.history(client)]
    assert fold(events) == {client: register.standing(client) for client in ("ann", "bob", "eve")}
