from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import InvalidPseudonym
from consent.packed import all_differ, find, groups_of, halves_of, order_of, pack, rolled

# Short alphabets at both ends: names that share halves, begin with NULs or end with them.
NAMES = st.builds(
    lambda head, tail: head + bytes(6) + tail + bytes(8),
    st.sampled_from([b"\x00", b"\x01", b"\xff"]),
    st.sampled_from([b"\x00", b"\x01"]),
) | st.builds(
    lambda head, tail: head + bytes(14) + tail,
    st.sampled_from([b"\x00", b"\x01", b"\xff"]),
    st.sampled_from([b"\x00", b"\x01", b"\xff"]),
)


@given(st.lists(NAMES, max_size=30))
def test_the_order_is_that_of_the_bytes(names: list[bytes]) -> None:
    order = order_of(halves_of(b"".join(names)))
    assert [names[place] for place in order] == sorted(names)


@given(st.lists(NAMES, max_size=10))
def test_a_name_that_is_there_twice_is_seen(names: list[bytes]) -> None:
    halves = halves_of(b"".join(sorted(names)))
    assert all_differ(halves) == (len(set(names)) == len(names))


@given(st.sets(NAMES, max_size=12), st.lists(NAMES, max_size=20))
def test_every_name_is_found_where_it_is_or_belongs(known: set[bytes], wanted: list[bytes]) -> None:
    held, asked = sorted(known), sorted(wanted)
    position, found = find(halves_of(b"".join(held)), halves_of(b"".join(asked)))
    for name, place, there in zip(asked, position.tolist(), found.tolist(), strict=True):
        assert there == (name in known)
        assert held[:place] == [other for other in held if other < name]


Grouping = Callable[[list[bytes]], list[int]]


def tells_groups_apart(grouping: Grouping) -> bool:
    """Group names of which some share a first half, and some both."""
    a, b, c = bytes(16), bytes(8) + b"\x01" * 8, b"\x01" * 16
    groups = grouping([c, a, b, a, c])
    return groups[0] == groups[4] and groups[1] == groups[3] and len(set(groups)) == 3


def test_names_are_grouped_by_all_of_their_bytes() -> None:
    assert tells_groups_apart(lambda names: groups_of(halves_of(b"".join(names))).tolist())


def test_the_grouping_check_rejects_a_grouping_by_first_halves() -> None:
    assert not tells_groups_apart(lambda names: [name[0] for name in names])


@given(st.lists(NAMES, max_size=30))
def test_equal_names_get_equal_numbers_from_zero_on(names: list[bytes]) -> None:
    ordered = sorted(set(names))
    groups = groups_of(halves_of(b"".join(names))).tolist()
    assert groups == [ordered.index(name) for name in names]


@given(st.sets(NAMES, max_size=12), st.sets(NAMES, max_size=12), st.lists(NAMES, max_size=20))
def test_a_roll_knows_its_places_in_whatever_snapshot_it_is_asked_about(
    first: set[bytes], second: set[bytes], rows: list[bytes]
) -> None:
    roll = pack(rows)
    assert len(roll) == len(rows)
    arrays = [(sorted(held), halves_of(b"".join(sorted(held)))) for held in (first, second)]
    for held, known in [*arrays, *arrays, arrays[1]]:
        places = [held.index(name) if name in held else len(held) for name in rows]
        assert roll.places_in(known).tolist() == places


def test_a_roll_searches_once_for_one_set_of_clients() -> None:
    known = halves_of(bytes(16))
    roll = pack([bytes(16)])
    assert roll.places_in(known) is roll.places_in(known)
    assert roll.places_in(known) is not roll.places_in(known.copy())


def test_a_packed_roll_is_not_packed_again() -> None:
    roll = pack([bytes(16)])
    assert rolled(roll) is roll
    assert np.array_equal(rolled([bytes(16)]).ascending, roll.ascending)


def test_a_pseudonym_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidPseudonym):
        pack([b"canary" * 2, b"canary" * 3])


def test_a_roll_shows_no_client() -> None:
    assert repr(pack([b"canary-pseudonym"])) == "Roll()"
