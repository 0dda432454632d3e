"""The ledger in a database, safe with several processes and hosts.

Every change reads what is new, asks the rules of `ledger`, and appends at most one entry with its
head, all in one transaction that excludes every other writer. Nothing is decided on what was read
before it, so a process that was paused for an hour decides as well as any other, and no lease or
fencing token is needed: whoever holds the lock holds the newest entries.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from privacy import ledger
from privacy.entries import Decided, Entry, Event, Opinion, Repaired
from privacy.errors import LedgerBroken, LedgerConflict
from privacy.head_file import keep_head_file, read_head_file
from privacy.heads import Head, head_of, read_head
from privacy.history import History
from privacy.ledger_history import caught_up, check, check_known, read, sound, whole, written
from privacy.ledger_state import EMPTY, TOLERANCE, LedgerState
from privacy.ledger_tables import (
    digest_at,
    exclusive,
    kept_head,
    prepare,
    put_aside,
    rows,
    snapshot,
)
from privacy.loss import Delta, Rho
from privacy.pools import PoolState
from privacy.repairs import repaired


class Ledger:
    """One firm's or one department's privacy ledger.

    The state that was read last is kept, so a change costs only the entries since. A history that
    is rewritten or cut under a running process is noticed at its next call if that reached the last
    entry it knew, otherwise by `verify`; then every call is refused until it is restored or
    repaired, and opened again.

    Every method that takes `at` takes now, with a time zone. All raise LedgerBroken if the history
    is not the one that was written; those that write raise ClockWentBack if `at` is more than a
    minute before what the ledger has seen, and InvalidBound for a time without a zone.
    """

    def __init__(self, engine: sa.Engine, *, head: Path | None = None) -> None:
        """Open the ledger of a database, making its tables if there are none.

        Args:
            engine: SQLite (a file, for several processes) or PostgreSQL.
            head: where to keep the ledger's head besides: a file that is not restored together with
                the database. None if there is no such place; then an old copy of the whole database
                passes for the newest.
        """
        self._engine = engine
        self._head = head
        self._state, self._history = EMPTY, History()
        prepare(engine)

    def open_pool(
        self,
        pool: str,
        budget: Rho,
        delta: Delta,
        at: datetime,
        *,
        year: Rho | None = None,
        month: Rho | None = None,
    ) -> None:
        """Give a pool its budgets. Opening it again on the same terms changes nothing.

        Args:
            pool: path such as "firm" or "firm/risk"; the pools above it must be open.
            budget: most that it may ever lose.
            delta: where its epsilon is shown.
            at: now.
            year: most in a calendar month and the eleven before it.
            month: most in a calendar month, in UTC.

        Raises:
            UnknownPool: a pool above it is not open.
            LedgerConflict: it is open on other terms, or would be a second root.
            InvalidBound: an empty part in the path.
        """
        self._append(
            lambda state: ledger.open_pool(
                state, pool, budget=budget, delta=delta, at=at, year=year, month=month
            )
        )

    def change(
        self,
        pool: str,
        budget: Rho,
        delta: Delta,
        at: datetime,
        *,
        year: Rho | None = None,
        month: Rho | None = None,
        reason: str,
        who: str,
    ) -> None:
        """Give an open pool other budgets, on the same terms as in `open_pool`.

        Args:
            pool: its path.
            budget: most that it may ever lose, spent or not.
            delta: where its epsilon is shown.
            at: now.
            year: most in a calendar month and the eleven before it; None for no such limit.
            month: most in a calendar month; None for no such limit.
            reason: why, in words that stay in the ledger.
            who: who answers for it.

        Raises:
            BudgetBelowSpent: a window has spent or reserved more than its new budget.
            UnknownPool: it is not open.
            InvalidBound: no reason, or nobody who gives it.
        """
        self._append(
            lambda state: ledger.change(
                state,
                pool,
                budget=budget,
                delta=delta,
                at=at,
                year=year,
                month=month,
                reason=reason,
                who=who,
            )
        )

    def reserve(self, pool: str, rho: Rho, request: str, at: datetime) -> str:
        """Promise rho to a request before any work, from a pool and every pool above it.

        Args:
            pool: path of an open pool.
            rho: loss of the whole plan.
            request: idempotency key: plan digest, "#", attempt. The same key spends once.
            at: now; the charge belongs to its calendar month, in UTC.

        Returns:
            The reservation's name, which is the request.

        Raises:
            BudgetExceeded: a window of the pool, or of one above it, has less left.
            UnknownPool: the pool, or one above it, is not open.
            LedgerConflict: the key is known with other terms, or was abandoned.
        """
        self._append(lambda state: ledger.reserve(state, pool, rho=rho, request=request, at=at))
        return request

    def commit(self, request: str, at: datetime) -> None:
        """Spend a reservation for good.

        Raises:
            UnknownReservation: it was never reserved.
            LedgerConflict: it was abandoned.
        """
        self._append(lambda state: ledger.commit(state, request, at=at))

    def abandon(self, request: str, at: datetime) -> None:
        """Free a reservation. Only for a request of which no masked vector was ever received.

        Raises:
            UnknownReservation: it was never reserved.
            LedgerConflict: it was committed.
        """
        self._append(lambda state: ledger.abandon(state, request, at=at))

    def decide(
        self, request: str, officer: str, opinion: Opinion, reason: str, at: datetime
    ) -> None:
        """Keep an officer's opinion on a request. No rule is in it: each call is one more entry.

        Raises:
            InvalidBound: a word is blank.
        """
        self._append(
            lambda state: ledger.decide(
                state, request, officer=officer, opinion=opinion, reason=reason, at=at
            )
        )

    def decisions(self, request: str) -> tuple[Decided, ...]:
        """Return every opinion on a request, oldest first."""
        return self._read().decisions.get(request, ())

    def state(self, pool: str, at: datetime | None = None) -> PoolState:
        """Return what a pool holds, its windows side by side; see ``states``."""
        return self.states((pool,), at)[0]

    def states(self, pools: Iterable[str], at: datetime | None = None) -> list[PoolState]:
        """Return what each of these pools (paths) holds, all in one reading of the ledger.

        ``at``: when; by default now, and never before the last entry. UnknownPool: of one of them.
        """
        state, when = self._read(), at or datetime.now(UTC)
        return [state.pool(pool, when) for pool in pools]

    def entries(self, places: Sequence[int] | None = None) -> tuple[Entry, ...]:
        """Return the whole history, or some places of it, oldest first, each entry checked."""
        with snapshot(self._engine) as connection:
            return tuple(read(rows(connection, places=places)))

    def history(self) -> History:
        """Return where everything stands, added up to the newest entry."""
        with snapshot(self._engine) as connection:
            self._state = self._newest(connection)
            self._history.add(read(rows(connection, self._history.length)))
        return self._history

    def verify(self) -> str:
        """Check the whole history and the kept heads; return the head digest.

        Whoever keeps that digest elsewhere can tell later whether the history was rewritten.
        """
        with snapshot(self._engine) as connection:
            if (known := self._state).length:
                check_known(known, digest_at(connection, known.length - 1))
            self._state = whole(connection, self._elsewhere, self._history)
        return self._state.head

    def repair(self, reason: str, who: str, at: datetime) -> Repaired:
        """Go on after a break, by an explicit act. Open every other process's ledger again then.

        What a broken ledger still tells is kept: the entries before the break stay, the rows after
        it are put aside unchanged, and an entry says why, by whom, how many rows, their SHA-256 and
        what each pool is charged from now on: the most that the entries, the rows that can still
        be read and the kept heads tell. Every promise that stood open counts as spent.

        A clock that ran ahead is repaired like a break: the ledger's time starts again from `at`,
        and what was dated later counts in its month.

        Args:
            reason: why, in words that stay in the ledger.
            who: who answers for it.
            at: now.

        Returns:
            The entry's event.

        Raises:
            LedgerConflict: the ledger is whole, and its time is not ahead of `at`.
            InvalidBound: no reason, or nobody who gives it.
        """
        elsewhere = self._elsewhere
        with exclusive(self._engine) as connection:
            state, lost = sound(connection)
            try:
                check(connection, state, elsewhere)
            except LedgerBroken:
                broken = True
            else:
                broken = state.latest is not None and at < state.latest - TOLERANCE
            if not (lost or broken):
                raise LedgerConflict("the ledger", "is whole: there is nothing to repair")
            heads = [head for head in (read_head(kept_head(connection)), elsewhere) if head]
            event = repaired(state, lost=lost, heads=heads, reason=reason, who=who, at=at)
            put_aside(connection, lost, repair=state.length)
            state = written(connection, state, event)
        self._history = History()
        self._keep(state, over=None if elsewhere is None else elsewhere.length)
        return event

    def _append(self, rule: Callable[[LedgerState], Event | None]) -> None:
        with exclusive(self._engine) as connection:
            state = self._state = self._newest(connection)
            event = rule(state)
            if event is None:
                return
            state = written(connection, state, event)
        self._keep(state)

    def _keep(self, state: LedgerState, *, over: int | None = None) -> None:
        self._state = state
        if self._head is not None:
            keep_head_file(self._head, head_of(state), over=over)

    def _read(self) -> LedgerState:
        with snapshot(self._engine) as connection:
            self._state = self._newest(connection)
        return self._state

    def _newest(self, connection: sa.Connection) -> LedgerState:
        known = self._state
        if known.length:
            return caught_up(connection, known)
        return whole(connection, self._elsewhere, self._history)

    @property
    def _elsewhere(self) -> Head | None:
        return None if self._head is None else read_head_file(self._head)
