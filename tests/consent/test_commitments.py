"""Commitments hide and bind; and an erased client cannot be found again by guessing."""

import hmac
import sqlite3
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import tables
from consent.commitments import Fact, check_opening, commit
from consent.log_entries import ConsentChanged, encode, read_entry
from consent.log_errors import CommitmentInvalid
from consent.log_store import Log
from consent.salt_store import Salt, Salts
from federation.database import open_database

SALT = bytes(range(32))
FACTS: dict[str, Fact] = {"client": "TW003696", "change": "raised", "level": 3}
VALUES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=9)
ANY_FACTS = st.dictionaries(st.text(max_size=9), VALUES, max_size=4)


def test_a_commitment_is_an_hmac_of_canonical_json() -> None:
    opened = b'{"change":"raised","client":"TW003696","level":3}'
    message = b"infosandbox/log-commitment/v1\x00" + opened
    assert commit(SALT, FACTS) == hmac.new(SALT, message, "sha256").hexdigest()


def test_the_order_of_facts_does_not_matter() -> None:
    assert commit(SALT, dict(reversed(FACTS.items()))) == commit(SALT, FACTS)


@given(st.binary(min_size=32, max_size=32), ANY_FACTS, ANY_FACTS)
def test_a_commitment_opens_to_its_own_facts_only(
    salt: bytes, facts: dict[str, Fact], others: dict[str, Fact]
) -> None:
    commitment = commit(salt, facts)
    check_opening(commitment, salt, facts)
    if [*map(repr, sorted(others.items()))] != [*map(repr, sorted(facts.items()))]:
        with pytest.raises(CommitmentInvalid):
            check_opening(commitment, salt, others)


@given(st.integers(0, 255))
def test_a_flipped_bit_of_the_salt_opens_nothing(bit: int) -> None:
    flipped = bytearray(SALT)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CommitmentInvalid):
        check_opening(commit(SALT, FACTS), bytes(flipped), FACTS)


@pytest.mark.parametrize("salt", [b"", b"x" * 31, b"x" * 33])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(CommitmentInvalid):
        commit(salt, FACTS)


@pytest.mark.parametrize("value", [2**53 + 1, "\ud800"])
def test_a_fact_without_canonical_json_is_refused(value: Fact) -> None:
    with pytest.raises(CommitmentInvalid) as caught:
        commit(SALT, {"client": value})
    assert repr(value) not in str(caught.value)


# Erasure


IDS = [f"TW{number:06d}" for number in range(60)]
CHANGES = ["given", "raised", "lowered", "withdrawn"]


def facts_of(client: str, change: str, level: int) -> dict[str, Fact]:
    return {"client": client, "change": change, "level": level}


class World:
    """A consent service's database: a log of changes and the salts beside it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.engine = open_database(f"sqlite:///{file}")
        self.log, self.salts = Log(self.engine), Salts(self.engine)

    def change(self, client: str, change: str, level: int, salt: bytes) -> int:
        """Log one change in one transaction with its salt."""
        commitment = commit(salt, facts_of(client, change, level))
        entry = ConsentChanged(at=1, epoch=1, change=commitment)
        with self.engine.begin() as connection:
            index = self.log.append_within(connection, [encode(entry)])
            kept = Salt(index=index, epoch=1, client_id=client, salt=salt)
            self.salts.keep_within(connection, [kept])
        return index

    def erase(self, client: str) -> int:
        """Erase a client's salts as the register does."""
        self.engine.hide_parameters = True
        with self.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            erased = self.salts.erase_within(connection, client)
        tables.empty_write_ahead_log(self.engine)
        return erased


def guessed(world: World, index: int, salts: list[bytes]) -> set[str]:
    """Try every client, change and level under every salt at hand; return whom the entry fits."""
    entry = read_entry(world.log.entries(index, index + 1)[0])
    assert isinstance(entry, ConsentChanged)
    tries = product(salts, IDS, CHANGES, range(5))
    return {c for salt, c, w, k in tries if commit(salt, facts_of(c, w, k)) == entry.change}


def salts_at_hand(world: World) -> list[bytes]:
    """Return every salt a thief of the database finds, and the ones anyone would try."""
    kept = [each.salt for client in IDS[:4] for each in world.salts.of(client)]
    return [*kept, bytes(32), b"\xff" * 32]


def test_an_erased_client_cannot_be_found_by_guessing(tmp_path: Path) -> None:
    world = World(tmp_path / "log.db")
    for number, client in enumerate(IDS[:4]):
        world.change(client, "raised", 3, bytes([number]) * 31 + b"s")
    assert guessed(world, 2, salts_at_hand(world)) == {IDS[2]}
    before = world.log.head()
    assert world.erase(IDS[2]) == 1
    assert guessed(world, 2, salts_at_hand(world)) == set()
    assert guessed(world, 1, salts_at_hand(world)) == {IDS[1]}
    assert world.log.verify() == before


def test_guessing_finds_an_erased_client_where_a_salt_is_shared(tmp_path: Path) -> None:
    """The saboteur: two entries under one salt; erasing one client leaves it with the other."""
    world = World(tmp_path / "log.db")
    for client in IDS[:4]:
        world.change(client, "raised", 3, SALT)
    world.erase(IDS[2])
    assert guessed(world, 2, salts_at_hand(world)) == {IDS[2]}


def test_no_file_holds_an_erased_salt(tmp_path: Path) -> None:
    world = World(tmp_path / "log.db")
    salt, other = b"canary salt of the erased client", b"canary salt of another client..."
    world.change(IDS[0], "given", 1, salt)
    world.change(IDS[1], "given", 1, other)
    assert any(salt in file.read_bytes() for file in tmp_path.iterdir())
    world.erase(IDS[0])
    assert not any(salt in file.read_bytes() for file in tmp_path.iterdir())
    assert any(other in file.read_bytes() for file in tmp_path.iterdir())
    with sqlite3.connect(world.file) as raw:
        assert raw.execute("SELECT count(*) FROM log_salts").fetchone() == (1,)


def test_a_client_has_its_own_salts_in_the_order_of_the_log(tmp_path: Path) -> None:
    world = World(tmp_path / "log.db")
    for number, client in enumerate([IDS[0], IDS[1], IDS[0]]):
        world.change(client, "raised", number, bytes([number]) * 32)
    assert [(each.index, each.salt[0]) for each in world.salts.of(IDS[0])] == [(0, 0), (2, 2)]
    assert world.salts.of("TW999999") == []
    assert world.erase("TW999999") == 0


def test_a_salt_of_a_wrong_length_undoes_its_entry(tmp_path: Path) -> None:
    world = World(tmp_path / "log.db")
    short = Salt(index=0, epoch=1, client_id=IDS[0], salt=b"short")

    def log_both() -> None:
        with world.engine.begin() as connection:
            world.log.append_within(connection, [b"entry"])
            world.salts.keep_within(connection, [short])

    with pytest.raises(CommitmentInvalid):
        log_both()
    assert world.log.head().size == 0


def test_salts_and_clients_stay_out_of_a_repr() -> None:
    assert "canary" not in repr(Salt(index=0, epoch=1, client_id="canary", salt=b"canary"))
