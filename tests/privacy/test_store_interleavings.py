"""No interleaving of reserve, commit, abandon and crash overdraws a pool: a state machine.

The machine keeps its own books in exact fractions, knows nothing of chains or databases, and
compares after every step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from privacy.errors import BudgetExceeded, LedgerConflict, UnknownReservation
from privacy.loss import Delta, Rho, rounded_up
from privacy.pools import PoolState
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
BUDGETS = {"firm": 1.0, "firm/risk": 0.7, "firm/advice": 0.6, "firm/risk/study": 0.3}
POOLS = st.sampled_from(sorted(BUDGETS))
REQUESTS = st.integers(0, 11).map(lambda number: f"plan{number // 2}#{number % 2}")
RHOS = st.sampled_from([0.0, 1e-17, 0.1, 0.25, 0.3, 0.7, 1.5])
WHO = st.integers(0, 1)


@dataclass(slots=True)
class Promise:
    """One line of the machine's own books."""

    pool: str
    rho: float
    status: str = "reserved"

    def weighs_on(self, pool: str) -> bool:
        return self.status != "abandoned" and f"{self.pool}/".startswith(f"{pool}/")


def in_memory() -> sa.Engine:
    return sa.create_engine("sqlite://", poolclass=sa.StaticPool)


class Interleavings(RuleBasedStateMachine):
    """Two ledgers stand for two processes on one database; either may crash at any time."""

    open_ledger: Callable[[sa.Engine], Ledger] = Ledger
    new_database: Callable[[], sa.Engine] = in_memory

    def __init__(self) -> None:
        super().__init__()
        self.engine = type(self).new_database()
        self.books: dict[str, Promise] = {}
        self.entries = 0
        self.steps = 0

    @initialize()
    def open_pools(self) -> None:
        self.ledgers = [type(self).open_ledger(self.engine) for _ in range(2)]
        for pool, budget in BUDGETS.items():
            self.ledgers[0].open_pool(pool, Rho(budget), DELTA, AT)
        self.entries = len(BUDGETS)

    def held(self, pool: str, *statuses: str) -> Fraction:
        lines = [line for line in self.books.values() if line.weighs_on(pool)]
        return sum((Fraction(line.rho) for line in lines if line.status in statuses), Fraction(0))

    def told(self, pool: str, status: str) -> float:
        return rounded_up(self.held(pool, status))

    @rule(who=WHO, pool=POOLS, rho=RHOS, request=REQUESTS)
    def reserve(self, who: int, pool: str, rho: float, request: str) -> None:
        known = self.books.get(request)
        try:
            self.ledgers[who].reserve(pool, Rho(rho), request, AT)
        except LedgerConflict:
            assert known is not None
            assert (known.pool, known.rho) != (pool, rho) or known.status == "abandoned"
            return
        except BudgetExceeded as refusal:
            self.refused(known, refusal)
            return
        if known is None:
            self.books[request] = Promise(pool=pool, rho=rho)
            self.entries += 1

    def refused(self, known: Promise | None, refusal: BudgetExceeded) -> None:
        """Only a new request is refused, and only when a pool's sums, rounded up, leave no room."""
        assert known is None
        spent, reserved = (self.told(refusal.pool, status) for status in ("committed", "reserved"))
        taken = Fraction(spent) + Fraction(reserved)
        assert taken + Fraction(refusal.requested) > Fraction(BUDGETS[refusal.pool])

    @rule(who=WHO, request=REQUESTS, status=st.sampled_from(["committed", "abandoned"]))
    def settle(self, who: int, request: str, status: str) -> None:
        known = self.books.get(request)
        ledger = self.ledgers[who]
        try:
            (ledger.commit if status == "committed" else ledger.abandon)(request, AT)
        except UnknownReservation:
            assert known is None
            return
        except LedgerConflict:
            assert known is not None
            assert known.status not in ("reserved", status)
            return
        assert known is not None
        self.entries += known.status != status
        known.status = status

    @rule(who=WHO)
    def crash_and_reopen(self, who: int) -> None:
        self.ledgers[who] = type(self).open_ledger(self.engine)

    @invariant()
    def no_pool_is_overdrawn(self) -> None:
        for pool, budget in BUDGETS.items():
            assert self.held(pool, "reserved", "committed") <= Fraction(budget)

    @invariant()
    def every_ledger_tells_what_the_books_say(self) -> None:
        for pool, budget in BUDGETS.items():
            told = self.ledgers[self.steps % 2].state(pool)
            assert told.budget == Rho(budget)
            assert told.spent.value == self.told(pool, "committed")
            assert told.reserved.value == self.told(pool, "reserved")
            taken = self.held(pool, "committed", "reserved")
            assert Fraction(told.remaining.value) <= Fraction(budget) - taken
        self.steps += 1

    def teardown(self) -> None:
        """The chain holds one entry for each change."""
        if self.entries:
            assert len(self.ledgers[0].entries()) == self.entries
            self.ledgers[0].verify()
        self.engine.dispose()


class RefundsOnRestart(Ledger):
    """The saboteur that takes an unfinished request for one that never was."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        for request, reservation in self._read().reservations.items():
            if reservation.status == "reserved":
                self.abandon(request, AT)


class SpendsTwice(Ledger):
    """The saboteur that charges a repeated request again."""

    def reserve(self, pool: str, rho: Rho, request: str, at: datetime) -> str:
        return super().reserve(pool, rho, f"{request}@{len(self.entries())}", at)


class ForgetsTheFirm(Ledger):
    """The saboteur that opens the firm's pool with more than it was given."""

    def open_pool(
        self, pool: str, budget: Rho, delta: Delta, at: datetime, **windows: Rho | None
    ) -> None:
        super().open_pool(pool, budget.times(9 if pool == "firm" else 1), delta, at, **windows)


class ForgetsWhatItRead(Ledger):
    """The saboteur that answers from the state it saw when it was opened."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._old = self._read()

    def state(self, pool: str, at: datetime | None = None) -> PoolState:
        return self._old.pool(pool) if pool in self._old.accounts else super().state(pool, at)


STEPS = settings(max_examples=50, stateful_step_count=20, deadline=None)


def test_no_interleaving_overdraws_a_pool() -> None:
    run_state_machine_as_test(Interleavings, settings=STEPS)


def test_no_interleaving_overdraws_a_pool_on_postgresql(cluster: str) -> None:
    def emptied() -> sa.Engine:
        engine = sa.create_engine(cluster)
        with engine.begin() as connection:
            connection.execute(sa.text("drop schema public cascade"))
            connection.execute(sa.text("create schema public"))
        return engine

    class OnPostgreSQL(Interleavings):
        new_database = emptied

    run_state_machine_as_test(OnPostgreSQL, settings=settings(STEPS, max_examples=10))


@pytest.mark.parametrize(
    "saboteur", [RefundsOnRestart, SpendsTwice, ForgetsTheFirm, ForgetsWhatItRead]
)
def test_a_saboteur_is_rejected_by_the_same_machine(saboteur: type[Ledger]) -> None:
    class Sabotaged(Interleavings):
        open_ledger = saboteur

    search = settings(
        STEPS,
        max_examples=300,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Sabotaged, settings=search)
