"""Several processes on one database: exactly one gets what is left."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from federation.database import open_database
from privacy.errors import LedgerBroken
from privacy.loss import Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    opened = Ledger(engine)
    opened.open_pool("firm", Rho(99.0), DELTA, AT)
    return opened


RACER = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from federation.database import open_database
from privacy.entries import Reserved, sealed
from privacy.errors import BudgetExceeded
from privacy.heads import Head, head_text
from privacy.ledger_tables import append, exclusive
from privacy.loss import Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


class Hasty(Ledger):
    "The saboteur: believes what it looked up a moment ago, and asks no rule when it writes."

    def reserve(self, pool, rho, request, at):
        with exclusive(self._engine) as connection:
            state = self._newest(connection)
            event = Reserved(pool=pool, rho=rho, request=request, at=at)
            entry = sealed(state.length, state.head, event)
            head = Head(length=entry.index + 1, digest=entry.digest, charged={})
            append(connection, entry, head_text(head))
            self._state = replace(state, length=head.length, head=entry.digest)


url, kind, name = sys.argv[1:]
ledger = {"honest": Ledger, "hasty": Hasty}[kind](open_database(url))
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
    url: str, ledger: Ledger
) -> None:
    pools = [f"firm/pool {number}" for number in range(25)]
    for pool in pools:
        ledger.open_pool(pool, Rho(1.0), DELTA, AT)
    assert exactly_one_wins(race(url, "honest", pools))
    assert all(ledger.state(pool).reserved == Rho(0.75) for pool in pools)
    ledger.verify()


def test_a_ledger_that_decides_on_an_old_read_lets_both_win(url: str, ledger: Ledger) -> None:
    ledger.open_pool("firm/last", Rho(1.0), DELTA, AT)
    assert not exactly_one_wins(race(url, "hasty", ["firm/last"]))
    with pytest.raises(LedgerBroken):
        ledger.verify()


def test_processes_that_open_a_new_database_at_once_all_find_one_ledger(url: str) -> None:
    opener = (
        "import sys; from federation.database import open_database;"
        "from privacy.store import Ledger;"
        "from privacy.loss import Rho, Delta; from datetime import datetime, UTC;"
        "sys.stdin.readline();"
        f"Ledger(open_database({url!r})).open_pool("
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
    assert len(Ledger(open_database(url)).entries()) == 1
