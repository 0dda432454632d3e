"""Households: places, pseudonyms, closure, and how many of their clients count."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Field
from consent.deltas import delta_of
from consent.epochs import EpochDelta, Snapshot, apply, pseudonyms
from consent.errors import EpochInvalid
from consent.events import ObjectForFamily, WithdrawFamilyObjection
from consent.households import unit_for
from consent.levels import Level
from consent.packed import pack
from consent.store import Register

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY, OTHER = b"k" * 32, b"o" * 32
FAMILY = ("ann", "bob", "eve")


def second(number: int) -> datetime:
    return T0 + timedelta(seconds=number)


@pytest.fixture
def register() -> Register:
    register = Register(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))
    register.load([(client, "h1", 4) for client in FAMILY] + [("kim", "h2", 4)], T0)
    return register


def delta(register: Register, key: bytes = KEY) -> EpochDelta:
    return delta_of(
        register.changes(0),
        purposes=register.purposes(),
        key=key,
        department="risk",
        base=0,
        epoch=register.head(),
        issued_at=0,
        expires_at=1000,
    )


def snapshot(register: Register) -> Snapshot:
    return apply(Snapshot.empty("risk"), delta(register))


def closed(register: Register, after: int = 0) -> dict[str, bool]:
    return {c.client_id: c.family_closed for c in register.changes(after)}


def field(level: int) -> Field:
    return Field(
        name="f",
        title="F",
        departments=("risk",),
        kind="flag",
        level=Level(level),
        purposes=("insight",),
    )


@pytest.mark.parametrize(
    ("levels", "unit"),
    [((), "client"), ((1, 2), "client"), ((3,), "household"), ((1, 4, 2), "household")],
)
def test_a_study_of_the_family_protects_the_household(levels: tuple[int, ...], unit: str) -> None:
    assert unit_for(field(level) for level in levels) == unit


def test_one_members_objection_reaches_every_member_and_nobody_else(register: Register) -> None:
    (epoch,) = register.record([ObjectForFamily(client="bob")], second(1))
    assert closed(register, epoch - 1) == dict.fromkeys(FAMILY, True)
    assert closed(register)["kim"] is False
    assert {c.seq for c in register.changes(epoch - 1)} == {epoch}


def test_the_household_opens_when_the_last_objection_is_withdrawn(register: Register) -> None:
    register.record([ObjectForFamily(client=client) for client in ("ann", "bob")], second(1))
    register.record([WithdrawFamilyObjection(client="ann")], second(2))
    assert closed(register)["ann"] is True
    register.record([WithdrawFamilyObjection(client="bob")], second(3))
    assert not any(closed(register).values())


def test_a_client_who_enters_a_closed_household_finds_it_closed(register: Register) -> None:
    register.record([ObjectForFamily(client="bob")], second(1))
    register.load([("new", "h1", 4), ("lee", "h2", 4)], second(2))
    assert closed(register)["new"] is True
    assert closed(register)["lee"] is False


def test_places_are_given_in_the_order_of_entering_and_kept(register: Register) -> None:
    register.set_level("ann", 0, second(1))
    register.load([("new", "h1", 4), ("ann", "h1", 4), ("lee", "h2", 4)], second(2))
    places = {c.client_id: c.place for c in register.changes(0)}
    assert places == {"ann": 0, "bob": 1, "eve": 2, "new": 3, "kim": 0, "lee": 1}


def test_departments_cannot_compare_households(register: Register) -> None:
    ours, theirs = delta(register).households, delta(register, OTHER).households
    split = [{h[at : at + 16] for at in range(0, len(h), 16)} for h in (ours, theirs)]
    assert [len(names) for names in split] == [2, 2]
    assert not split[0] & split[1]


def test_clients_of_one_household_have_one_number(register: Register) -> None:
    names = pseudonyms(KEY, ("bob", "kim", "ann", "eve", "stranger"))
    bob, kim, ann, eve, stranger = snapshot(register).households_of(names).tolist()
    assert bob == ann == eve != kim
    assert {bob, kim} == {0, 1}
    assert stranger == -1


def test_a_client_of_no_known_household_counts_in_none() -> None:
    plain = EpochDelta(
        department="risk",
        base=0,
        epoch=1,
        issued_at=0,
        expires_at=9,
        pseudonyms=b"\x07" * 16,
        levels=b"\x04",
    )
    households = apply(Snapshot.empty("risk"), plain).households_of([b"\x07" * 16])
    assert households.tolist() == [-1]


def test_a_register_that_gives_a_place_twice_is_caught() -> None:
    names = [bytes([number]) * 16 for number in (7, 8)]
    doubled = EpochDelta(
        department="risk",
        base=0,
        epoch=1,
        issued_at=0,
        expires_at=9,
        pseudonyms=b"".join(names),
        levels=b"\x04\x04",
        households=b"\x05" * 32,
        places=b"\x00\x00",
    )
    snapshot_ = apply(Snapshot.empty("risk"), doubled)
    assert snapshot_.households_of(names, most=2).tolist() == [0, 0]
    with pytest.raises(EpochInvalid, match="one place"):
        snapshot_.households_of(names, most=1)


Numbering = Callable[[Snapshot, list[bytes], int], npt.NDArray[np.int64]]


def no_household_counts_with_more(numbering: Numbering, register: Register) -> bool:
    """Let departments know different members, ask each, and add their answers up."""
    household = dict.fromkeys(FAMILY, "h1") | {"kim": "h2"}
    known = [("ann", "bob"), ("bob", "eve", "kim"), ("eve",), ("eve", "ann"), FAMILY]
    for most in (1, 2, 3):
        counted: dict[str, set[str]] = {"h1": set(), "h2": set()}
        for clients in known:
            numbers = numbering(snapshot(register), pseudonyms(KEY, clients), most)
            for client, number in zip(clients, numbers.tolist(), strict=True):
                if number >= 0:
                    counted[household[client]].add(client)
        if len(counted["h1"]) != most or len(counted["h2"]) != 1:
            return False
    return True


def test_over_all_departments_no_household_counts_with_more_than_its_bound(
    register: Register,
) -> None:
    assert no_household_counts_with_more(
        lambda snapshot, names, most: snapshot.households_of(names, most=most), register
    )


def test_the_bound_check_rejects_a_bound_that_each_department_keeps_by_itself(
    register: Register,
) -> None:
    def saboteur(snapshot: Snapshot, names: list[bytes], most: int) -> npt.NDArray[np.int64]:
        numbers = snapshot.households_of(names)
        seen: Counter[int] = Counter()
        for row, number in enumerate(numbers.tolist()):
            seen[number] += 1
            numbers[row] = number if seen[number] <= most else -1
        return numbers

    assert not no_household_counts_with_more(saboteur, register)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 4))
def test_the_first_clients_of_every_household_count(households: list[int], most: int) -> None:
    register = Register(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))
    register.load([(f"c{n}", f"h{h}", 1) for n, h in enumerate(households)], T0)
    names = pseudonyms(KEY, [f"c{n}" for n in range(len(households))])
    numbers = snapshot(register).households_of(pack(names), most=most).tolist()
    for row, household in enumerate(households):
        counts = households[:row].count(household) < most
        assert (numbers[row] >= 0) == counts
    pairs = {(h, n) for h, n in zip(households, numbers, strict=True) if n >= 0}
    assert len(pairs) == len(set(households)) == len({number for _, number in pairs})


def test_a_very_large_household_is_loaded_and_its_later_clients_do_not_count() -> None:
    register = Register(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))
    clients = [f"c{n}" for n in range(300)]
    register.load([(client, "h", 1) for client in clients], T0)
    numbers = snapshot(register).households_of(pseudonyms(KEY, clients), most=100)
    assert (numbers[:100] == 0).all()
    assert (numbers[100:] == -1).all()
