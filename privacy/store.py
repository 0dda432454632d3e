"""The ledger in a database. Safe with several processes; the only I/O of this room.

Every change reads what is new, asks the rules of `ledger`, and appends at most one entry, all in
one transaction that excludes every other writer: BEGIN IMMEDIATE on SQLite (write-ahead log, synced
to disk at every commit), an advisory lock on PostgreSQL. The index is the primary key, so even
without the lock two writers could never both append the same place.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from privacy import ledger
from privacy.entries import Entry, Event, from_text, sealed, to_text
from privacy.errors import LedgerBroken
from privacy.ledger import EMPTY, LedgerState, PoolState, follow
from privacy.loss import Delta, Rho

_WAIT_MS = 30_000
_ADVISORY_LOCK = 0x6C6564676572  # "ledger"

_ENTRIES = sa.Table(
    "privacy_ledger",
    sa.MetaData(),
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)


class Ledger:
    """One firm's or one department's privacy ledger.

    The state that was read last is kept, so a change costs only the entries since. A history that
    is rewritten under a running process is noticed at its next call, and by `verify`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Open the ledger of a database, making its table if there is none.

        Args:
            engine: SQLite (a file, for several processes) or PostgreSQL.
        """
        self._engine = engine
        self._state = EMPTY
        if engine.dialect.name == "sqlite":
            _use_write_ahead_log(engine)
        with self._exclusive() as connection:
            connection.execute(CreateTable(_ENTRIES, if_not_exists=True))

    def open_pool(self, pool: str, budget: Rho, delta: Delta, at: datetime) -> None:
        """Give a pool its budget, for good. Opening it again on the same terms changes nothing.

        Args:
            pool: path such as "firm" or "firm/risk"; the pools above it must be open.
            budget: most that it may ever lose.
            delta: where its epsilon is shown.
            at: now, with a time zone.

        Raises:
            UnknownPool: a pool above it is not open.
            LedgerConflict: it is open with another budget or delta.
            InvalidBound: an empty part in the path, or a time without a zone.
            LedgerBroken: the history was rewritten.
        """
        self._append(lambda state: ledger.open_pool(state, pool, budget=budget, delta=delta, at=at))

    def reserve(self, pool: str, rho: Rho, request: str, at: datetime) -> str:
        """Promise rho to a request before any work, from a pool and every pool above it.

        Args:
            pool: path of an open pool.
            rho: loss of the whole plan.
            request: idempotency key: plan digest, "#", attempt. The same key spends once.
            at: now, with a time zone.

        Returns:
            The reservation's name, which is the request.

        Raises:
            BudgetExceeded: the pool, or one above it, has less left; nothing was written.
            UnknownPool: the pool, or one above it, is not open.
            LedgerConflict: the key is known with other terms, or was abandoned.
            InvalidBound: a time without a zone.
            LedgerBroken: the history was rewritten.
        """
        self._append(lambda state: ledger.reserve(state, pool, rho=rho, request=request, at=at))
        return request

    def commit(self, request: str, at: datetime) -> None:
        """Spend a reservation for good.

        Raises:
            UnknownReservation: it was never reserved.
            LedgerConflict: it was abandoned.
            LedgerBroken: the history was rewritten.
        """
        self._append(lambda state: ledger.commit(state, request, at=at))

    def abandon(self, request: str, at: datetime) -> None:
        """Free a reservation. Only for a request of which no masked vector was ever received.

        Raises:
            UnknownReservation: it was never reserved.
            LedgerConflict: it was committed.
            LedgerBroken: the history was rewritten.
        """
        self._append(lambda state: ledger.abandon(state, request, at=at))

    def state(self, pool: str) -> PoolState:
        """Return what a pool holds now.

        Raises:
            UnknownPool: it was never opened.
            LedgerBroken: the history was rewritten.
        """
        with self._engine.connect() as connection:
            self._state = self._caught_up(connection)
        return self._state.pool(pool)

    def entries(self) -> tuple[Entry, ...]:
        """Return the whole history, oldest first, as stored.

        Raises:
            LedgerBroken: an entry cannot be read.
        """
        with self._engine.connect() as connection:
            return tuple(_entry(row) for row in _rows(connection, 0))

    def verify(self) -> str:
        """Check the whole history from its first entry and return its head digest.

        Raises:
            LedgerBroken: names the first entry that is not the one that was written, or the last
                one that this process knew and that is gone.
        """
        known, entries = self._state, self.entries()
        state = follow(EMPTY, entries)
        _check_known(known, entries[known.length - 1 : known.length])
        self._state = state
        return state.head

    def _append(self, rule: Callable[[LedgerState], Event | None]) -> None:
        with self._exclusive() as connection:
            state = self._caught_up(connection)
            event = rule(state)
            if event is not None:
                entry = sealed(state.length, state.head, event)
                state = follow(state, [entry])
                connection.execute(
                    _ENTRIES.insert().values(
                        index=entry.index, entry=to_text(entry), digest=entry.digest
                    )
                )
        self._state = state

    def _caught_up(self, connection: sa.Connection) -> LedgerState:
        """Fold what was appended since, after checking that the last known entry still stands."""
        known = self._state
        if not known.length:
            return follow(known, map(_entry, _rows(connection, 0)))
        rows = _rows(connection, known.length - 1)
        _check_known(known, rows[:1])
        return follow(known, map(_entry, rows[1:]))

    @contextmanager
    def _exclusive(self) -> Iterator[sa.Connection]:
        """Hold the only write transaction; commit on leaving, roll back on any error."""
        if self._engine.dialect.name == "sqlite":
            with _immediate(self._engine) as connection:
                yield connection
        else:
            with self._engine.begin() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
                yield connection


@dataclass(frozen=True, slots=True)
class _Row:
    index: int
    entry: str
    digest: str


def _rows(connection: sa.Connection, start: int) -> list[_Row]:
    column = _ENTRIES.c
    found = connection.execute(
        sa.select(_ENTRIES).where(column["index"] >= start).order_by(column["index"])
    )
    return [_Row(*row) for row in found]


def _check_known(known: LedgerState, last: Sequence[_Row | Entry]) -> None:
    """Refuse a history in which the last known entry no longer stands in its place."""
    found = [(row.index, row.digest) for row in last]
    if known.length and found != [(known.length - 1, known.head)]:
        raise LedgerBroken(known.length - 1, "is gone or was replaced")


def _entry(row: _Row) -> Entry:
    return from_text(row.entry, row.digest, index=row.index)


def _use_write_ahead_log(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


@contextmanager
def _immediate(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Take SQLite's write lock at the start, not at the first write: a read before it may be old.

    The driver's own transactions begin late, so it is put in autocommit mode for this connection.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
