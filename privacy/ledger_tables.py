"""The ledger's rows in a database: reading, appending and putting aside, inside transactions.

On SQLite a writer takes the write lock before it reads (BEGIN IMMEDIATE; write-ahead log, synced to
disk at every commit); on PostgreSQL it takes an advisory lock that ends with its transaction, and
its commits wait for the disk. Both read what is newest. The index is the primary key, so even
without the lock two writers could never both append the same place.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.schema import CreateTable

from privacy.entries import Entry, to_text
from privacy.repairs import Row

_WAIT_MS = 30_000
_ADVISORY_LOCK = 0x6C6564676572  # "ledger"
_AT_ONCE = 1000
_PREPARED = "privacy ledger"

_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # there, the row's own number
_METADATA = sa.MetaData()
ENTRIES = sa.Table(
    "privacy_ledger",
    _METADATA,
    sa.Column("index", _INDEX, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)
HEAD = sa.Table(
    "privacy_ledger_head",
    _METADATA,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("head", sa.Text, nullable=False),
)
PUT_ASIDE = sa.Table(
    "privacy_ledger_put_aside",
    _METADATA,
    sa.Column("repair", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
"""Rows that did not fit, with the index of the entry that repaired the ledger after them."""


def prepare(engine: sa.Engine) -> None:
    """Make the tables if there are none."""
    with exclusive(engine) as connection:
        for table in _METADATA.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))


@contextmanager
def exclusive(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Hold the only write transaction; commit on leaving, roll back on any error."""
    if engine.dialect.name == "sqlite":
        with _sqlite(engine) as connection, _begun(connection, "BEGIN IMMEDIATE"):
            yield connection
        return
    with _postgresql(engine, "READ COMMITTED") as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
        yield connection


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Read entries and head as they stood at one moment."""
    if engine.dialect.name == "sqlite":
        with _sqlite(engine) as connection, _begun(connection, "BEGIN"):
            yield connection
        return
    with _postgresql(engine, "REPEATABLE READ") as connection:
        yield connection


def rows(
    connection: sa.Connection, start: int = 0, *, places: Sequence[int] | None = None
) -> Iterator[Row]:
    """Return the stored entries from an index on, or those at some places of them, in order."""
    place = ENTRIES.c["index"]
    query = sa.select(ENTRIES).where(place >= start).order_by(place)
    if places is not None:
        query = query.where(place.in_(places))
    elif not start:
        query = query.execution_options(yield_per=_AT_ONCE)
    return (Row(*row) for row in connection.execute(query))


def digest_at(connection: sa.Connection, index: int) -> str | None:
    """Return the digest that is stored at an index, None if there is no such row."""
    query = sa.select(ENTRIES.c.digest).where(ENTRIES.c["index"] == index)
    return connection.scalar(query)


def kept_head(connection: sa.Connection) -> str | None:
    """Return the head that was kept with the last entry, None if there is none."""
    return connection.scalar(sa.select(HEAD.c.head))


def append(connection: sa.Connection, entry: Entry, head: str) -> None:
    """Write an entry and the head that belongs to it."""
    row = {"index": entry.index, "entry": to_text(entry), "digest": entry.digest}
    connection.execute(ENTRIES.insert().values(row))
    if not connection.execute(HEAD.update().values(head=head)).rowcount:
        connection.execute(HEAD.insert().values(one=1, head=head))


def put_aside(connection: sa.Connection, lost: Iterable[Row], *, repair: int) -> None:
    """Move rows that do not fit out of the ledger, unchanged, under the repair's index."""
    for row in lost:
        connection.execute(PUT_ASIDE.insert().values(repair=repair, **asdict(row)))
        connection.execute(ENTRIES.delete().where(ENTRIES.c["index"] == row.index))


@contextmanager
def _postgresql(engine: sa.Engine, level: IsolationLevel) -> Iterator[sa.Connection]:
    """Begin where each statement sees what was committed before it, or all see one moment."""
    connection = engine.connect().execution_options(isolation_level=level)
    with connection, connection.begin():
        yield connection


@contextmanager
def _sqlite(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Connect without the driver's own transactions, which begin at the first write: too late."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.info.get(_PREPARED):
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
            connection.exec_driver_sql("PRAGMA synchronous = FULL")
            connection.info[_PREPARED] = True
        yield connection


@contextmanager
def _begun(connection: sa.Connection, statement: str) -> Iterator[None]:
    connection.exec_driver_sql(statement)
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
