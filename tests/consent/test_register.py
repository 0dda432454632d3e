from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import UnknownClient
from consent.events import Event, Kind
from consent.levels import Level
from consent.register import SECOND, Change, Standing, advance, fold

CLIENTS = ("ann", "bob", "eve")
LEVELS = {0: Kind.WITHDRAWN, 1: Kind.GIVEN, 2: Kind.GIVEN, 3: Kind.RAISED, 4: Kind.RAISED}


def entered(client: str = "ann", level: int = 0, *, at: int = 0, seq: int = 1) -> Event:
    return Event(
        seq=seq,
        id=f"entered {client}",
        client=client,
        kind=Kind.ENTERED,
        at=at,
        level=Level(level),
        household="h",
        place=seq - 1,
    )


def event(
    kind: Kind,
    *,
    at: int,
    seq: int,
    level: int | None = None,
    expires_at: int | None = None,
    client: str = "ann",
) -> Event:
    return Event(
        seq=seq,
        id=f"event {seq}",
        client=client,
        kind=kind,
        at=at,
        level=None if level is None else Level(level),
        expires_at=expires_at,
        purpose="insight" if "objection" in kind or kind is Kind.OBJECTED else "",
        notice="v2" if kind is Kind.NOTICE_CHANGED else "",
    )


def set_to(level: int, *, at: int, seq: int, expires_at: int | None = None) -> Event:
    return event(LEVELS[level], at=at, seq=seq, level=level, expires_at=expires_at)


def standing_after(*events: Event) -> Standing:
    return fold([entered(), *events])["ann"]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Three clients enter, then anything happens to any of them at one of four instants."""
    events = [
        entered(client, draw(st.integers(0, 4)), seq=n) for n, client in enumerate(CLIENTS, 1)
    ]
    for seq in range(4, 4 + draw(st.integers(0, 12))):
        kind = draw(st.sampled_from([k for k in Kind if k is not Kind.ENTERED]))
        levels = {Kind.WITHDRAWN: 0, Kind.EXPIRED: 0}
        level = levels.get(kind, draw(st.integers(1, 4))) if kind in SETS_LEVEL else None
        ends = draw(st.none() | st.integers(1, 3)) if level else None
        at, client = draw(st.integers(0, 3)) * SECOND, draw(st.sampled_from(CLIENTS))
        events.append(event(kind, at=at, seq=seq, level=level, expires_at=ends, client=client))
    return events


SETS_LEVEL = {Kind.GIVEN, Kind.RAISED, Kind.LOWERED, Kind.WITHDRAWN, Kind.EXPIRED}


def test_a_client_enters_with_a_level_a_household_and_a_place() -> None:
    standing = fold([entered("bob", 2, at=5, seq=1)])["bob"]
    assert (standing.level, standing.at, standing.seq) == (2, 5, 1)
    assert (standing.household, standing.place) == ("h", 0)
    assert standing.expires_at is standing.family_objected_at is None
    assert (standing.objections, standing.notice) == ({}, "")


def test_nothing_happens_to_a_client_who_never_entered() -> None:
    with pytest.raises(UnknownClient):
        fold([set_to(4, at=1, seq=1)])


def test_entering_again_changes_nothing() -> None:
    assert standing_after(entered(level=4, at=9, seq=7)).level is Level.NONE


def test_the_last_event_decides() -> None:
    events = [set_to(1, at=10, seq=2), set_to(4, at=20, seq=3), set_to(2, at=30, seq=4)]
    standing = standing_after(*events)
    assert (standing.level, standing.at, standing.seq) == (2, 30, 4)


Advance = Callable[[Standing | None, Event], Standing]
CLOSING = {
    Kind.WITHDRAWN: Kind.RAISED,
    Kind.OBJECTED: Kind.OBJECTION_WITHDRAWN,
    Kind.FAMILY_OBJECTED: Kind.FAMILY_OBJECTION_WITHDRAWN,
}


def is_closed(standing: Standing) -> dict[Kind, bool]:
    return {
        Kind.WITHDRAWN: standing.level is Level.NONE,
        Kind.OBJECTED: "insight" in standing.objections,
        Kind.FAMILY_OBJECTED: standing.family_objected_at is not None,
    }


def closing_wins_ties(step: Advance) -> bool:
    """Try both orders of every pair of a closing and an opening event at one instant."""
    for closing, opening in CLOSING.items():
        for kinds in permutations([closing, opening]):
            standing = step(None, entered(level=1))
            for seq, kind in enumerate(kinds, start=2):
                level = {Kind.WITHDRAWN: 0, Kind.RAISED: 4}.get(kind)
                standing = step(standing, event(kind, at=10, seq=seq, level=level))
            if not is_closed(standing)[closing]:
                return False
    return True


def test_withdrawal_and_objection_win_a_tie_whichever_was_recorded_first() -> None:
    assert closing_wins_ties(advance)


def test_the_tie_check_rejects_a_register_where_the_last_event_always_wins() -> None:
    def saboteur(standing: Standing | None, event: Event) -> Standing:
        if standing is None or event.kind not in CLOSING.values():
            return advance(standing, event)
        later = Event(
            seq=event.seq,
            id=event.id,
            client=event.client,
            kind=event.kind,
            at=event.at + 1,
            level=event.level,
            purpose=event.purpose,
        )
        return advance(standing, later)

    assert not closing_wins_ties(saboteur)


@pytest.mark.parametrize(("closing", "opening"), CLOSING.items())
def test_what_was_closed_is_opened_by_a_later_request(closing: Kind, opening: Kind) -> None:
    level = 0 if closing is Kind.WITHDRAWN else None
    closed = event(closing, at=10, seq=2, level=level)
    opened = event(opening, at=11, seq=3, level=None if level is None else 3)
    assert is_closed(standing_after(closed))[closing]
    assert not is_closed(standing_after(closed, opened))[closing]


def test_the_sequence_decides_when_a_clock_runs_backwards() -> None:
    assert standing_after(set_to(4, at=20, seq=2), set_to(1, at=10, seq=3)).level == 1


def test_an_objection_leaves_the_level_and_the_other_purposes_alone() -> None:
    standing = standing_after(set_to(3, at=5, seq=2), event(Kind.OBJECTED, at=10, seq=3))
    assert (standing.level, standing.at, standing.seq) == (3, 5, 3)
    assert standing.objections == {"insight": 10}


def test_a_withdrawn_objection_that_never_was_changes_nothing() -> None:
    before = standing_after(set_to(3, at=5, seq=2))
    assert advance(before, event(Kind.OBJECTION_WITHDRAWN, at=6, seq=3)) is before
    assert advance(before, event(Kind.FAMILY_OBJECTION_WITHDRAWN, at=6, seq=3)) is before


def test_the_notice_shown_last_is_kept() -> None:
    assert standing_after(event(Kind.NOTICE_CHANGED, at=5, seq=2)).notice == "v2"


# Ends


def ends_by_itself(level_at: Callable[[Standing, int], Level]) -> bool:
    """Ask for a level one second before its end, at its end, and long after."""
    standing = standing_after(set_to(4, at=5 * SECOND, seq=2, expires_at=20))
    return [int(level_at(standing, now)) for now in (19, 20, 10**9)] == [4, 0, 0]


def test_an_expired_authorization_opens_nothing_though_nobody_wrote_it_down() -> None:
    assert ends_by_itself(Standing.level_at)


def test_the_end_check_rejects_a_level_that_waits_for_the_sweep() -> None:
    assert not ends_by_itself(lambda standing, _now: standing.level)


def test_the_end_is_written_down_only_after_it() -> None:
    given_ = set_to(4, at=5 * SECOND, seq=2, expires_at=20)
    early = event(Kind.EXPIRED, at=20 * SECOND - 1, seq=3, level=0)
    late = event(Kind.EXPIRED, at=20 * SECOND, seq=4, level=0)
    assert standing_after(given_, early).level == 4
    assert standing_after(given_, early, late).level is Level.NONE
    assert standing_after(given_, late).expires_at is None


def test_a_renewed_authorization_is_not_ended_by_the_old_date() -> None:
    given_ = set_to(4, at=5 * SECOND, seq=2, expires_at=20)
    renewed = set_to(4, at=10 * SECOND, seq=3, expires_at=90)
    late = event(Kind.EXPIRED, at=20 * SECOND, seq=4, level=0)
    assert standing_after(given_, renewed, late).level_at(89) == 4


def test_a_raise_without_an_end_has_none() -> None:
    standing = standing_after(set_to(2, at=1, seq=2, expires_at=20), set_to(3, at=2, seq=3))
    assert standing.level_at(10**9) == 3


# Order and replays


@given(histories(), st.data())
def test_the_order_of_arrival_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    assert fold(data.draw(st.permutations(events))) == fold(events)


@given(histories(), st.data())
def test_replayed_events_change_nothing(events: list[Event], data: st.DataObject) -> None:
    replayed = data.draw(st.lists(st.sampled_from(events), max_size=5))
    assert fold([*events, *replayed]) == fold(events)


@given(histories(), st.data())
def test_an_event_that_comes_again_under_a_new_number_changes_nothing(
    events: list[Event], data: st.DataObject
) -> None:
    old = data.draw(st.sampled_from(events))
    again = Event(
        seq=len(events) + 1,
        id=old.id,
        client=old.client,
        kind=old.kind,
        at=old.at,
        level=old.level,
        expires_at=old.expires_at,
        purpose=old.purpose,
        notice=old.notice,
        household=old.household,
        place=old.place,
    )
    assert fold([*events, again]) == fold(events)


@given(histories())
def test_a_replay_returns_the_very_standing(events: list[Event]) -> None:
    standings = fold(events)
    for one in events:
        assert advance(standings[one.client], one) is standings[one.client] or (
            one.seq > standings[one.client].seq
        )


@given(histories())
def test_one_clients_events_move_nobody_else(events: list[Event]) -> None:
    alone = fold(event for event in events if event.client == "ann")
    assert alone["ann"] == fold(events)["ann"]


def test_an_id_is_not_in_a_repr() -> None:
    ann = Event(seq=1, id="i", client="canary", kind=Kind.ENTERED, at=0, household="canary")
    change = Change(
        client_id="canary",
        household_id="canary",
        place=0,
        level=Level(1),
        expires_at=None,
        objections=frozenset(),
        family_closed=False,
        seq=1,
    )
    assert "canary" not in repr(ann) + repr(advance(None, ann)) + repr(change)
