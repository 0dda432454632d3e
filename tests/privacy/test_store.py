import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from privacy.errors import (
    BudgetExceeded,
    InvalidBound,
    LedgerBroken,
    LedgerConflict,
    UnknownPool,
    UnknownReservation,
)
from privacy.ledger import fold
from privacy.loss import ZERO_RHO, Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    opened = Ledger(engine)
    opened.open_pool("firm", Rho(1.0), DELTA, AT)
    opened.open_pool("firm/risk", Rho(0.5), DELTA, AT)
    return opened


def overwrite(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_a_reservation_is_charged_to_every_pool_above_it(ledger: Ledger) -> None:
    assert ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT) == "plan#1"
    assert ledger.state("firm").reserved == ledger.state("firm/risk").reserved == Rho(0.25)
    ledger.commit("plan#1", AT)
    assert ledger.state("firm").spent == Rho(0.25)
    assert ledger.state("firm").reserved == ZERO_RHO
    assert ledger.state("firm/risk").remaining == Rho(0.25)


def test_a_refused_reservation_writes_nothing(ledger: Ledger) -> None:
    before = ledger.entries()
    with pytest.raises(BudgetExceeded) as caught:
        ledger.reserve("firm/risk", Rho(0.75), "plan#1", AT)
    assert caught.value.pool == "firm/risk"
    assert ledger.entries() == before
    with pytest.raises(UnknownReservation):
        ledger.commit("plan#1", AT)


def test_the_same_request_twice_spends_once(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
        ledger.commit("plan#1", AT)
    assert ledger.state("firm/risk").spent == Rho(0.25)
    assert len(ledger.entries()) == 4


def test_an_abandoned_reservation_is_free_again(ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.5), "plan#1", AT)
    ledger.abandon("plan#1", AT)
    assert ledger.state("firm").remaining == Rho(1.0)
    with pytest.raises(LedgerConflict):
        ledger.reserve("firm/risk", Rho(0.5), "plan#1", AT)
    ledger.reserve("firm/risk", Rho(0.5), "plan#2", AT)


def test_a_reservation_left_by_a_crash_counts_as_spent(engine: sa.Engine, ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.5), "plan#1", AT)
    reopened = Ledger(engine)
    assert reopened.state("firm/risk").remaining == ZERO_RHO
    with pytest.raises(BudgetExceeded):
        reopened.reserve("firm/risk", Rho(0.25), "plan#2", AT)
    reopened.commit("plan#1", AT)
    assert reopened.state("firm/risk").spent == Rho(0.5)


def test_two_open_ledgers_of_one_file_see_each_other(engine: sa.Engine, ledger: Ledger) -> None:
    other = Ledger(engine)
    ledger.reserve("firm", Rho(0.75), "plan#1", AT)
    with pytest.raises(BudgetExceeded):
        other.reserve("firm", Rho(0.5), "plan#2", AT)
    other.commit("plan#1", AT)
    assert ledger.state("firm") == other.state("firm")


def test_opening_a_pool_again_changes_nothing_and_never_its_budget(ledger: Ledger) -> None:
    before = ledger.entries()
    ledger.open_pool("firm", Rho(1.0), DELTA, AT)
    assert ledger.entries() == before
    with pytest.raises(LedgerConflict):
        ledger.open_pool("firm", Rho(2.0), DELTA, AT)


def test_a_pool_nobody_opened_has_no_state(ledger: Ledger) -> None:
    with pytest.raises(UnknownPool):
        ledger.state("firm/advice")
    with pytest.raises(UnknownPool):
        ledger.reserve("firm/advice", Rho(0.1), "plan#1", AT)


def test_a_time_without_a_zone_leaves_the_ledger_as_it_was(ledger: Ledger) -> None:
    with pytest.raises(InvalidBound):
        ledger.reserve("firm", Rho(0.1), "plan#1", AT.replace(tzinfo=None))
    ledger.reserve("firm", Rho(0.1), "plan#1", AT)
    assert ledger.state("firm").reserved == Rho(0.1)


def test_the_history_verifies_and_folds_to_the_states(ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    assert ledger.verify() == ledger.entries()[-1].digest
    assert fold(ledger.entries()) == {name: ledger.state(name) for name in ("firm", "firm/risk")}


@pytest.mark.parametrize(
    "statement",
    [
        """update privacy_ledger set entry = replace(entry, '0.25', '0.125') where "index" = 2""",
        """update privacy_ledger set entry = entry || ' ' where "index" = 2""",
        """update privacy_ledger set entry = '' where "index" = 2""",
        """update privacy_ledger set digest = 'f' where "index" = 2""",
        """update privacy_ledger set "index" = 20 where "index" = 2""",
        """delete from privacy_ledger where "index" = 2""",
    ],
)
def test_one_touched_row_is_named(engine: sa.Engine, ledger: Ledger, statement: str) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    ledger.commit("plan#1", AT)
    overwrite(engine, statement)
    for opened in (ledger, Ledger(engine)):
        with pytest.raises(LedgerBroken) as caught:
            opened.verify()
        assert caught.value.entry == 2


def test_a_broken_ledger_spends_nothing(engine: sa.Engine, ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    overwrite(engine, "update privacy_ledger set entry = replace(entry, '0.25', '0.125')")
    with pytest.raises(LedgerBroken):
        Ledger(engine).reserve("firm", Rho(0.1), "plan#2", AT)


@pytest.mark.parametrize(
    "statement",
    [
        'delete from privacy_ledger where "index" = 2',
        """update privacy_ledger set digest = 'f' where "index" = 2""",
    ],
)
def test_a_history_rewritten_under_a_running_process_is_noticed(
    engine: sa.Engine, ledger: Ledger, statement: str
) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    overwrite(engine, statement)
    for use in (ledger.verify, lambda: ledger.reserve("firm", Rho(0.1), "plan#2", AT)):
        with pytest.raises(LedgerBroken) as caught:
            use()
        assert caught.value.entry == 2


def test_the_file_is_in_write_ahead_mode(engine: sa.Engine, ledger: Ledger) -> None:
    assert ledger.entries()
    with engine.connect() as connection:
        assert connection.execute(sa.text("pragma journal_mode")).scalar() == "wal"


RACER = """
import sys
import sqlalchemy as sa
from dataclasses import replace
from datetime import UTC, datetime
from privacy.entries import Reserved, sealed, to_text
from privacy.errors import BudgetExceeded
from privacy.loss import Rho
from privacy.store import _ENTRIES, Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


class Hasty(Ledger):
    "The saboteur: believes what it looked up a moment ago, and asks no rule when it writes."

    def reserve(self, pool, rho, request, at):
        with self._exclusive() as connection:
            state = self._caught_up(connection)
            event = Reserved(pool=pool, rho=rho, request=request, at=at)
            entry = sealed(state.length, state.head, event)
            row = {"index": entry.index, "entry": to_text(entry), "digest": entry.digest}
            connection.execute(_ENTRIES.insert().values(row))
            self._state = replace(state, length=entry.index + 1, head=entry.digest)


url, kind, name = sys.argv[1:]
ledger = {"honest": Ledger, "hasty": Hasty}[kind](sa.create_engine(url))
for line in sys.stdin:
    pool = line.strip()
    fits = ledger.state(pool).remaining >= Rho(0.75)
    print("looked", flush=True)
    sys.stdin.readline()
    try:
        if not fits:
            raise BudgetExceeded(pool, 0.75, 0.0)
        ledger.reserve(pool, Rho(0.75), f"{pool}:{name}", AT)
        print("won", flush=True)
    except BudgetExceeded:
        print("refused", flush=True)
"""


def race(url: str, kind: str, pools: list[str]) -> list[int]:
    """Let two processes look at each pool, then let both reserve at once; count the winners."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, url, kind, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("left", "right")
    ]

    def tell(word: str) -> None:
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(word + "\n")
            racer.stdin.flush()

    def hear() -> list[str]:
        return [racer.stdout.readline().strip() for racer in racers if racer.stdout is not None]

    winners = []
    for pool in pools:
        tell(pool)
        assert hear() == ["looked", "looked"]
        tell("go")
        winners.append(hear().count("won"))
    for racer in racers:
        racer.communicate()
        assert racer.returncode == 0
    return winners


def exactly_one_wins(winners: list[int]) -> bool:
    return all(count == 1 for count in winners)


def test_of_two_processes_racing_for_the_last_budget_exactly_one_wins(
    engine: sa.Engine, ledger: Ledger
) -> None:
    pools = [f"pool {number}" for number in range(25)]
    for pool in pools:
        ledger.open_pool(pool, Rho(1.0), DELTA, AT)
    assert exactly_one_wins(race(str(engine.url), "honest", pools))
    assert all(ledger.state(pool).reserved == Rho(0.75) for pool in pools)
    ledger.verify()


def test_a_ledger_that_decides_on_an_old_read_lets_both_win(
    engine: sa.Engine, ledger: Ledger
) -> None:
    ledger.open_pool("last", Rho(1.0), DELTA, AT)
    assert not exactly_one_wins(race(str(engine.url), "hasty", ["last"]))
    with pytest.raises(LedgerBroken):
        ledger.verify()


def test_processes_that_open_a_new_file_at_once_all_find_one_ledger(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    opener = (
        "import sys, sqlalchemy as sa; from privacy.store import Ledger;"
        "from privacy.loss import Rho, Delta; from datetime import datetime, UTC;"
        "sys.stdin.readline();"
        f"Ledger(sa.create_engine({url!r})).open_pool("
        "'firm', Rho(1.0), Delta(1e-6), datetime(2026, 1, 1, tzinfo=UTC))"
    )
    openers = [
        subprocess.Popen([sys.executable, "-c", opener], stdin=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in openers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in openers:
        process.communicate()
    assert [process.returncode for process in openers] == [0, 0, 0]
    assert len(Ledger(sa.create_engine(url)).entries()) == 1
