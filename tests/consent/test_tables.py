from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from consent import tables
from consent.events import Event, Kind
from consent.store import Register

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Log:
    """A log in the register's own database that can be made to fail."""

    def __init__(self) -> None:
        self.fails = False
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        with self.engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE log (seq INT, kind TEXT)"))

    def write(self, connection: sa.Connection, events: Sequence[Event]) -> None:
        rows = [{"seq": event.seq, "kind": event.kind.value} for event in events]
        connection.execute(sa.text("INSERT INTO log VALUES (:seq, :kind)"), rows)
        if self.fails:
            raise OSError(28, "no space")

    def entries(self) -> list[tuple[int, str]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text("SELECT * FROM log"))]


def test_what_belongs_to_events_is_written_with_them_or_neither_is() -> None:
    log = Log()
    register = Register(log.engine, within=log.write)
    register.load([("ann", "h", 1), ("bob", "h", 2)], T0)
    register.set_level("ann", 0, T0)
    written = [(1, Kind.ENTERED), (2, Kind.ENTERED), (3, Kind.WITHDRAWN)]
    assert log.entries() == written
    log.fails = True
    with pytest.raises(OSError, match="no space"):
        register.set_level("bob", 0, T0)
    with pytest.raises(OSError, match="no space"):
        register.load([("eve", "h", 1)], T0)
    assert (register.head(), register.level("bob")) == (3, 2)
    assert log.entries() == written


def test_postgresql_takes_every_table() -> None:
    dialect = postgresql.dialect()
    for table in tables.tables.sorted_tables:
        text = str(sa.schema.CreateTable(table, if_not_exists=True).compile(dialect=dialect))
        assert text.strip().startswith(f"CREATE TABLE IF NOT EXISTS {table.name}")
    assert set(tables.APPEND_ONLY) == {"sqlite", "postgresql"}
