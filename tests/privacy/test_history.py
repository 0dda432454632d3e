from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from privacy.entries import (
    GENESIS,
    Abandoned,
    Committed,
    Decided,
    Entry,
    Event,
    Opened,
    Opinion,
    Repaired,
    Reserved,
    sealed,
)
from privacy.errors import LedgerBroken
from privacy.history import History
from privacy.loss import Delta, Rho
from privacy.store import Ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DELTA = Delta(1e-6)


def chain(*events: Event) -> list[Entry]:
    entries: list[Entry] = []
    for event in events:
        previous = entries[-1].digest if entries else GENESIS
        entries.append(sealed(len(entries), previous, event))
    return entries


def past(count: int) -> list[Entry]:
    """Return a long and mixed past, the same at every call."""
    events: list[Event] = [Opened(pool="firm", budget=Rho(1.0), delta=DELTA, at=START)]
    for n in range(count):
        at, request = START + n * DAY, f"r{n}"
        events.append(Reserved(pool="firm/a", rho=Rho(0.001), request=request, at=at))
        match n * n % 7 % 3:
            case 0:
                events.append(Committed(request=request, at=at))
            case 1:
                events.append(Abandoned(request=request, at=at))
            case _:
                said = Opinion.APPROVE
                events.append(
                    Decided(request=request, officer="o", opinion=said, reason="yes", at=at)
                )
    return chain(*events)


def kind_of(entry: Entry) -> str:
    return type(entry.event).__name__.lower()


def test_places_are_those_that_reading_everything_finds() -> None:
    entries, history = past(40), History()
    history.add(entries)
    assert history.mark() == (len(entries), entries[-1].digest)
    for kind in ("", "reserved", "committed", "decided", "repaired"):
        all_of_it = [e.index for e in reversed(entries) if kind in ("", kind_of(e))]
        found: list[int] = []
        while part := history.newest(7, kind=kind, before=found[-1] if found else None):
            found += part
        assert found == all_of_it
    about = [e.index for e in entries if getattr(e.event, "request", "") == "r3"]
    assert history.of("r3") == about
    assert history.of("nobody's") == []
    said = [e.event.request for e in reversed(entries) if isinstance(e.event, Decided)]
    assert history.decided(5) == said[:5]
    assert history.officers(said[0]) == {"o"}
    assert history.officers("nobody's") == frozenset()


def test_adding_up_in_parts_or_twice_changes_nothing() -> None:
    entries, at_once, in_parts = past(30), History(), History()
    at_once.add(entries)
    for cut in (10, 25, 10, len(entries)):
        in_parts.add(entries[:cut])
    assert in_parts.mark() == at_once.mark()
    assert in_parts.course("firm") == at_once.course("firm")
    assert in_parts.newest(100, kind="abandoned") == at_once.newest(100, kind="abandoned")


def test_another_past_is_not_mixed_with_this_one() -> None:
    history, other = History(), chain(Opened(pool="x", budget=Rho(1.0), delta=DELTA, at=START))
    entries = past(5)
    history.add(entries[:4])
    with pytest.raises(LedgerBroken):
        history.add(entries[5:])
    with pytest.raises(LedgerBroken):
        history.add([sealed(4, other[0].digest, entries[4].event)])
    assert history.mark() == (4, entries[3].digest)


def test_a_course_gives_back_what_was_abandoned_and_takes_what_a_repair_charged() -> None:
    history = History()
    history.add(
        chain(
            Opened(pool="firm", budget=Rho(1.0), delta=DELTA, at=START),
            Reserved(pool="firm/a", rho=Rho(0.25), request="r1", at=START + DAY),
            Reserved(pool="firm/b", rho=Rho(0.5), request="r2", at=START + 2 * DAY),
            Abandoned(request="r2", at=START + 3 * DAY),
            Committed(request="r1", at=START + 4 * DAY),
            Repaired(
                reason="a torn disk",
                who="ann",
                at=START + 5 * DAY,
                known_length=9,
                sealed_away=0,
                evidence="0" * 64,
                charged=(("firm", Rho(0.75)),),
            ),
        )
    )
    course = history.course("firm")
    assert course.left == [1.0, 0.75, 0.25, 0.75, 0.25]
    assert course.used_before(START + 3 * DAY) == pytest.approx(0.75)
    assert course.used_before(START) == 0.0
    assert history.course("firm/b").used == [0.5, 0.0]
    assert history.course("never") == type(course)()
    assert all(a <= b for a, b in pairwise(course.times))


def test_a_ledger_keeps_its_history_up_to_its_head() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    ledger = Ledger(engine)
    assert ledger.history().mark() == (0, GENESIS)
    ledger.open_pool("firm", Rho(1.0), DELTA, START)
    ledger.reserve("firm", Rho(0.5), "r1", START)
    assert ledger.history().of("r1") == [1]
    Ledger(engine).commit("r1", START)
    assert ledger.history().of("r1") == [1, 2]
    assert ledger.history().mark() == (3, ledger.verify())
    assert [e.index for e in ledger.entries(ledger.history().of("r1"))] == [1, 2]
    assert ledger.entries([]) == ()


def test_a_history_that_was_rewritten_is_refused_and_not_shown() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    ledger = Ledger(engine)
    ledger.open_pool("firm", Rho(1.0), DELTA, START)
    ledger.reserve("firm", Rho(0.5), "r1", START)
    ledger.history()
    with engine.begin() as db:
        db.execute(sa.text('DELETE FROM privacy_ledger WHERE "index" = 1'))
    with pytest.raises(LedgerBroken):
        ledger.history()
