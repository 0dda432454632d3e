"""A ledger that was cut, edited or put back: named, served no more, and repaired by an act only."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from privacy.entries import GENESIS, Abandoned, Opinion, sealed, to_text
from privacy.errors import (
    BudgetExceeded,
    ClockWentBack,
    InvalidBound,
    LedgerBroken,
    LedgerConflict,
    UnknownPool,
)
from privacy.loss import ZERO_RHO, Delta, Rho
from privacy.repairs import Row, evidence_of
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
WHY = "the disk of the coordinator was replaced"


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    """Return a ledger of ten entries: spent, given back, promised."""
    opened = Ledger(engine)
    for pool in ("firm", "firm/risk", "firm/advice"):
        opened.open_pool(pool, Rho(1.0), DELTA, AT)
    opened.reserve("firm/risk", Rho(0.25), "spent", AT)
    opened.commit("spent", AT)
    opened.reserve("firm/advice", Rho(0.5), "given back", AT)
    opened.abandon("given back", AT)
    opened.reserve("firm/advice", Rho(0.125), "promised", AT)
    opened.reserve("firm/risk", Rho(0.0625), "last", AT)
    opened.commit("last", AT)
    return opened


TRUTH = {"firm": Rho(0.4375), "firm/risk": Rho(0.3125), "firm/advice": Rho(0.125)}


def harm(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def stored(engine: sa.Engine, table: str = "privacy_ledger") -> list[Row]:
    query = sa.text(f'select "index", entry, digest from {table} order by "index"')  # noqa: S608
    with engine.connect() as connection:
        return [Row(*row) for row in connection.execute(query)]


HARM: dict[str, tuple[int, tuple[str, ...]]] = {
    "the last entry cut off": (9, ('delete from privacy_ledger where "index" = 9',)),
    "four entries cut off": (6, ('delete from privacy_ledger where "index" >= 6',)),
    "all entries gone": (0, ("delete from privacy_ledger",)),
    "the table gone": (0, ("drop table privacy_ledger",)),
    "the head gone": (9, ("delete from privacy_ledger_head",)),
    "the head unreadable": (9, ("update privacy_ledger_head set head = 'x'",)),
    "one entry gone": (4, ('delete from privacy_ledger where "index" = 4',)),
    "one entry edited": (8, ("update privacy_ledger set entry = replace(entry, '0.06', '0.03')",)),
    "one entry unreadable": (3, ("update privacy_ledger set entry = '' where \"index\" = 3",)),
    "the first entry edited": (
        0,
        ("update privacy_ledger set entry = replace(entry, '1', '9') where \"index\" = 0",),
    ),
    "two entries swapped": (
        5,
        (
            'update privacy_ledger set "index" = 99 where "index" = 5',
            'update privacy_ledger set "index" = 5 where "index" = 6',
            'update privacy_ledger set "index" = 6 where "index" = 99',
        ),
    ),
}
harmed = pytest.mark.parametrize(("entry", "statements"), HARM.values(), ids=HARM)

CALLS: dict[str, Callable[[Ledger], object]] = {
    "state": lambda ledger: ledger.state("firm", AT),
    "decisions": lambda ledger: ledger.decisions("spent"),
    "verify": lambda ledger: ledger.verify(),
    "open": lambda ledger: ledger.open_pool("firm/new", Rho(1.0), DELTA, AT),
    "change": lambda ledger: ledger.change("firm", Rho(2.0), DELTA, AT, reason=WHY, who="ann"),
    "reserve": lambda ledger: ledger.reserve("firm", Rho(0.001), "new", AT),
    "commit": lambda ledger: ledger.commit("promised", AT),
    "abandon": lambda ledger: ledger.abandon("promised", AT),
    "decide": lambda ledger: ledger.decide("spent", "ann", Opinion.APPROVE, WHY, AT),
}


@harmed
def test_a_harmed_ledger_is_named_and_serves_nothing(
    engine: sa.Engine, ledger: Ledger, entry: int, statements: tuple[str, ...]
) -> None:
    ledger.verify()
    harm(engine, *statements)
    before = stored(engine) if "drop table" not in statements[0] else []
    for call in CALLS.values():
        with pytest.raises(LedgerBroken) as caught:
            call(Ledger(engine))
        assert caught.value.entry == entry
    assert stored(engine) == before


@harmed
def test_a_repair_keeps_the_evidence_and_forgets_no_loss(
    engine: sa.Engine, ledger: Ledger, entry: int, statements: tuple[str, ...]
) -> None:
    whole = stored(engine)
    ledger.verify()
    harm(engine, *statements)
    reopened = Ledger(engine)
    found = stored(engine)
    event = reopened.repair(WHY, "ann", AT)
    kept = [row for row in found if row in whole[: min(entry, len(whole))]]
    if event.sealed_away == 0:
        kept = found
    lost = found[len(kept) :]
    assert stored(engine)[: len(kept)] == kept
    assert stored(engine, "privacy_ledger_put_aside") == lost
    assert (event.sealed_away, event.evidence) == (len(lost), evidence_of(lost))
    assert (event.reason, event.who) == (WHY, "ann")
    assert event.known_length == (len(whole) if "head" not in statements[0] else len(found))
    charged = dict(event.charged)
    assert all(charged[pool] >= rho for pool, rho in TRUTH.items())
    for opened in (reopened, Ledger(engine)):
        opened.verify()
        assert opened.entries()[-1].event == event


def open_again(ledger: Ledger) -> None:
    for pool in TRUTH:
        ledger.open_pool(pool, Rho(1.0), DELTA, AT)


@harmed
def test_after_a_repair_the_rest_of_the_budget_can_be_spent_and_no_more(
    engine: sa.Engine, ledger: Ledger, entry: int, statements: tuple[str, ...]
) -> None:
    assert entry < len(ledger.entries())
    harm(engine, *statements)
    reopened = Ledger(engine)
    reopened.repair(WHY, "ann", AT)
    open_again(reopened)
    state = reopened.state("firm", AT)
    assert state.reserved == ZERO_RHO
    assert state.spent >= TRUTH["firm"]
    assert state.month.spent == state.spent
    reopened.reserve("firm", state.remaining, "rest", AT)
    with pytest.raises(BudgetExceeded):
        reopened.reserve("firm", Rho(1e-9), "more", AT)


def test_a_promise_that_stood_open_is_spent_by_a_repair(engine: sa.Engine, ledger: Ledger) -> None:
    assert ledger.state("firm").reserved == Rho(0.125)
    harm(engine, 'delete from privacy_ledger where "index" >= 8')
    reopened = Ledger(engine)
    reopened.repair(WHY, "ann", AT)
    reopened.commit("promised", AT)
    with pytest.raises(LedgerConflict):
        reopened.abandon("promised", AT)
    assert reopened.state("firm", AT).spent == TRUTH["firm"]


def test_a_forged_release_of_budget_is_refused_and_not_honored_by_a_repair(
    engine: sa.Engine, ledger: Ledger
) -> None:
    head = ledger.entries()[-1]
    forged = sealed(10, head.digest, Abandoned(request="promised", at=AT))
    row = {"i": 10, "e": to_text(forged), "d": forged.digest}
    with engine.begin() as connection:
        connection.execute(sa.text("insert into privacy_ledger values (:i, :e, :d)"), row)
    with pytest.raises(LedgerBroken, match="was not written by a ledger") as caught:
        ledger.state("firm")
    assert caught.value.entry == 10
    ledger.repair(WHY, "ann", AT)
    assert ledger.state("firm", AT).spent >= TRUTH["firm"]


def test_a_process_that_knew_the_old_history_must_open_it_again(
    engine: sa.Engine, ledger: Ledger
) -> None:
    ledger.verify()
    harm(engine, 'delete from privacy_ledger where "index" >= 8')
    Ledger(engine).repair(WHY, "ann", AT)
    with pytest.raises(LedgerBroken):
        ledger.reserve("firm", Rho(0.001), "new", AT)
    Ledger(engine).reserve("firm", Rho(0.001), "new", AT)


def test_a_whole_ledger_is_not_repaired(engine: sa.Engine, ledger: Ledger) -> None:
    before = stored(engine)
    with pytest.raises(LedgerConflict, match="nothing to repair"):
        ledger.repair(WHY, "ann", AT)
    assert stored(engine) == before


def test_a_repair_says_why_and_who(engine: sa.Engine, ledger: Ledger) -> None:
    assert ledger.entries()
    harm(engine, 'delete from privacy_ledger where "index" = 9')
    for reason, who in (("", "ann"), (WHY, " ")):
        with pytest.raises(InvalidBound):
            Ledger(engine).repair(reason, who, AT)
    assert len(stored(engine)) == 9


def test_a_second_break_is_repaired_on_top_of_the_first(engine: sa.Engine, ledger: Ledger) -> None:
    assert ledger.entries()
    for cut in (9, 4, 4):
        harm(engine, f'delete from privacy_ledger where "index" >= {cut}')  # noqa: S608 - a number
        Ledger(engine).repair(WHY, "ann", AT)
    reopened = Ledger(engine)
    assert len(reopened.entries()) == 5
    assert reopened.state("firm", AT).spent >= TRUTH["firm"]


def test_a_clock_that_ran_ahead_is_set_back_by_a_repair_and_mints_no_month(
    ledger: Ledger,
) -> None:
    ahead = AT + timedelta(days=3650)
    ledger.change("firm", Rho(1.0), DELTA, AT, month=Rho(0.5), reason=WHY, who="ann")
    ledger.reserve("firm", Rho(0.5), "in ten years", ahead)
    for call in (CALLS["reserve"], CALLS["commit"]):
        with pytest.raises(ClockWentBack):
            call(ledger)
    event = ledger.repair("the clock ran ahead", "ann", AT)
    assert (event.sealed_away, event.known_length) == (0, 12)
    with pytest.raises(BudgetExceeded) as caught:
        ledger.reserve("firm", Rho(0.01), "now", AT)
    assert caught.value.window == "this month"


def test_a_pool_that_was_lost_starts_with_what_is_known_to_be_spent(
    engine: sa.Engine, ledger: Ledger
) -> None:
    assert ledger.entries()
    harm(engine, "delete from privacy_ledger")
    reopened = Ledger(engine)
    event = reopened.repair(WHY, "ann", AT)
    assert [entry.previous for entry in reopened.entries()] == [GENESIS]
    assert dict(event.charged) == TRUTH
    with pytest.raises(UnknownPool):
        reopened.state("firm")
    open_again(reopened)
    assert {pool: reopened.state(pool, AT).spent for pool in TRUTH} == TRUTH
