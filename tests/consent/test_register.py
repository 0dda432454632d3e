from collections.abc import Callable
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consent.levels import Level
from consent.register import LevelSet, Standing, advance, fold

LEVELS = st.sampled_from(Level)
CLIENTS = st.sampled_from(["ann", "bob", "eve"])


def set_to(level: int, *, at: int, seq: int, client: str = "ann") -> LevelSet:
    return LevelSet(client=client, level=Level(level), at=at, seq=seq)


@st.composite
def histories(draw: st.DrawFn) -> list[LevelSet]:
    drawn = draw(st.lists(st.tuples(CLIENTS, LEVELS, st.integers(0, 3)), max_size=12))
    return [LevelSet(client=c, level=le, at=at, seq=n) for n, (c, le, at) in enumerate(drawn, 1)]


def test_the_last_event_decides() -> None:
    events = [set_to(1, at=10, seq=1), set_to(4, at=20, seq=2), set_to(2, at=30, seq=3)]
    assert fold(events)["ann"] == Standing(level=Level(2), at=30, seq=3)


Advance = Callable[[Standing | None, LevelSet], Standing]


def withdrawal_wins_ties(step: Advance) -> bool:
    """Try both orders of a raise and a withdrawal at one instant."""
    for first, second in permutations((0, 4)):
        standing = step(step(None, set_to(first, at=10, seq=1)), set_to(second, at=10, seq=2))
        if standing.level is not Level.NONE:
            return False
    return True


def test_withdrawal_wins_a_tie_whichever_was_recorded_first() -> None:
    assert withdrawal_wins_ties(advance)


def test_the_tie_check_rejects_a_register_where_the_last_event_always_wins() -> None:
    def saboteur(_before: Standing | None, event: LevelSet) -> Standing:
        return Standing(level=event.level, at=event.at, seq=event.seq)

    assert not withdrawal_wins_ties(saboteur)


def test_a_later_raise_ends_a_withdrawal() -> None:
    events = [set_to(0, at=10, seq=1), set_to(3, at=10, seq=2), set_to(4, at=11, seq=3)]
    assert fold(events)["ann"].level is Level.FULL_FAMILY_FINANCES


def test_the_sequence_decides_when_a_clock_runs_backwards() -> None:
    events = [set_to(4, at=20, seq=1), set_to(1, at=10, seq=2)]
    assert fold(events)["ann"].level is Level.BASIC_ASSETS


@given(histories(), st.data())
def test_the_order_of_arrival_changes_nothing(events: list[LevelSet], data: st.DataObject) -> None:
    assert fold(data.draw(st.permutations(events))) == fold(events)


@given(histories(), st.data())
def test_replayed_events_change_nothing(events: list[LevelSet], data: st.DataObject) -> None:
    replayed = data.draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    assert fold([*events, *replayed]) == fold(events)


def test_an_id_is_not_in_an_events_repr() -> None:
    assert "canary" not in repr(set_to(1, at=1, seq=1, client="canary"))


class OneClient(RuleBasedStateMachine):
    """One client's standing, step by step, against the plainest model: the list of all events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[LevelSet] = []
        self.standing: Standing | None = None
        self.now = 0

    @rule(level=LEVELS, later=st.integers(0, 1))
    def event(self, level: Level, later: int) -> None:
        self.now += later
        self.events.append(set_to(level, at=self.now, seq=len(self.events) + 1))
        self.standing = advance(self.standing, self.events[-1])

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        before = self.standing
        effective = before.seq if before else 0
        event = data.draw(st.sampled_from(self.events))
        self.standing = advance(before, event)
        assert self.standing == before or event.seq > effective

    @invariant()
    def the_level_is_the_models(self) -> None:
        assert (self.standing.level if self.standing else None) == self.model()

    def model(self) -> Level | None:
        """At each instant: none if it was withdrawn then, else the last level set then."""
        if not self.events:
            return None
        last = [event.level for event in self.events if event.at == self.events[-1].at]
        return Level.NONE if Level.NONE in last else last[-1]


TestOneClient = OneClient.TestCase
