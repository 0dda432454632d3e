"""Opening a database: SQLite in its safest multi-process mode, or any that SQLAlchemy knows."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, MetaData, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from privacy.write_ahead import write_ahead

BUSY_TIMEOUT_MS = 10_000
_CREATING = 0x5AB0_0001
"""Names the PostgreSQL advisory lock of whoever creates tables."""


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

    Args:
        engine: of the database.
        metadata: whose tables they are.
        tables: some of them; all unless given.
    """
    wanted = [t for t in metadata.sorted_tables if tables is None or t in tables]
    with engine.begin() as db:
        if engine.dialect.name == "postgresql":  # there, IF NOT EXISTS alone can lose a race
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CREATING})
        for table in wanted:
            db.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                db.execute(CreateIndex(index, if_not_exists=True))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    write_ahead(cursor.execute)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()
