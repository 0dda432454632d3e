"""Opening a database: SQLite in its safest multi-process mode, or any that SQLAlchemy knows."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, MetaData, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

BUSY_TIMEOUT_MS = 10_000
_CREATING = 0x5AB0_0001
"""Names the PostgreSQL advisory lock of whoever creates tables."""
_MADE: WeakKeyDictionary[Engine, set[Table]] = WeakKeyDictionary()
_PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.01


def open_database(url: str) -> Engine:
    """Open a database by its SQLAlchemy URL.

    SQLite files get a write-ahead log, a busy timeout and full sync, so several processes may share
    one file and a committed row survives a power cut; the folder is created when it is missing.
    What is deleted there is overwritten. An error of the database never quotes a row.
    """
    parsed = make_url(url)
    engine = create_engine(parsed, hide_parameters=True)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def create_tables(
    engine: Engine, metadata: MetaData, tables: Sequence[Table] | None = None
) -> None:
    """Create the tables and indexes that are missing, while other processes may do the same.

    What this process has made once through an engine is not asked for again.

    Args:
        engine: of the database.
        metadata: whose tables they are.
        tables: some of them; all unless given.
    """
    made = _MADE.setdefault(engine, set())
    wanted = [t for t in metadata.sorted_tables if tables is None or t in tables]
    if made.issuperset(wanted):
        return
    with engine.begin() as db:
        if engine.dialect.name == "postgresql":  # there, IF NOT EXISTS alone can lose a race
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CREATING})
        for table in wanted:
            db.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                db.execute(CreateIndex(index, if_not_exists=True))
    made.update(wanted)


def write_ahead(execute: Callable[[str], object]) -> None:
    """Let other processes read while one writes; SQLite remembers it in the file.

    SQLite's own patience does not cover this switch: while another process makes it, the file is
    locked, and the statement fails at once. So it is tried again.

    Args:
        execute: of a cursor outside a transaction.

    Raises:
        sqlite3.OperationalError: the file was locked for ten seconds.
    """
    last = time.monotonic() + _PATIENCE_S
    while True:
        try:
            execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > last:
                raise
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    write_ahead(cursor.execute)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()
