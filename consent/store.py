"""The register on disk: append-only events and, in the same transaction, everyone's standing.

Several processes may use one database: every write first takes the lock of a one-row table that
hands out sequence numbers, so numbers become visible in order and a reader misses none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from consent.clients import checked_client_id
from consent.errors import InvalidClientId, InvalidRow, UnknownClient, UnknownLevel
from consent.levels import Level, level_of
from consent.register import LevelSet, Standing, advance

_ID = sa.String(256)
_tables = sa.MetaData()
_head = sa.Table(
    "consent_head",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
_events = sa.Table(
    "consent_events",
    _tables,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("client_id", _ID, nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
_standings = sa.Table(
    "consent_standings",
    _tables,
    sa.Column("client_id", _ID, primary_key=True),
    sa.Column("household_id", _ID, nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("changed_seq", sa.BigInteger, nullable=False),
)
_indexes = (
    sa.Index("consent_events_of_client", _events.c.client_id, _events.c.seq),
    sa.Index("consent_standings_changed", _standings.c.changed_seq),
)
_APPEND_ONLY = (
    "CREATE TRIGGER IF NOT EXISTS consent_events_no_{verb} BEFORE {verb} ON consent_events "
    "BEGIN SELECT RAISE(ABORT, 'consent events are append-only'); END"
)
_WAIT_MS = 30_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One client's level in force (the id is sensitive, hidden), and the event that set it."""

    client_id: str = field(repr=False)
    level: Level
    seq: int


class Register:
    """The consent register in a database that several processes share (SQLite or PostgreSQL).

    Errors and logs never hold a client's id: the engine is told to hide statements' parameters.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Create what is missing in the database. Calling it again, anywhere, changes nothing."""
        self._engine = engine
        engine.hide_parameters = True  # a statement's parameters are ids; keep them out of errors
        if engine.dialect.name == "sqlite":
            _use_write_ahead_log(engine)
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                _wait_and_sync(connection)
            for table in _tables.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
            for index in _indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
            if engine.dialect.name == "sqlite":
                for verb in ("UPDATE", "DELETE"):
                    connection.exec_driver_sql(_APPEND_ONLY.format(verb=verb))
        try:
            with engine.begin() as connection:
                if connection.execute(sa.select(_head.c.seq)).first() is None:
                    connection.execute(_head.insert().values(id=1, seq=0))
        except IntegrityError:
            pass  # another process was first

    def load(self, rows: Iterable[tuple[str, str, int]], at: datetime) -> int:
        """Enter clients the register does not know yet, all or none, and return the new epoch.

        A client who is known keeps the standing: loading a file again cannot undo a withdrawal.

        Args:
            rows: (normalized client id, household id, level) of each client, each once (sensitive).
            at: when these levels were given, with a time zone.

        Raises:
            InvalidClientId, InvalidRow: a row cannot stand in the register; nothing was loaded.
        """
        checked = _checked(rows)
        with self._engine.begin() as connection:
            seq = _lock(connection)
            known = set(connection.execute(sa.select(_standings.c.client_id)).scalars())
            new = [
                {
                    "client_id": client_id,
                    "household_id": household_id,
                    "level": level,
                    "at": _microseconds(at),
                    "seq": seq + number,
                }
                for number, (client_id, household_id, level) in enumerate(
                    ((c, h, level) for c, (h, level) in checked.items() if c not in known), start=1
                )
            ]
            if not new:
                return seq
            connection.execute(_events.insert(), new)
            connection.execute(_standings.insert().values(changed_seq=sa.bindparam("seq")), new)
            return _advance_head(connection, seq + len(new))

    def set_level(self, client_id: str, level: int, at: datetime) -> int:
        """Record that a client set the level (0 withdraws) and return the new epoch.

        When this returns, the change is on disk and in force, with one exception: a raise at the
        very instant of the client's withdrawal is recorded, and the withdrawal stays in force.

        Args:
            client_id: the normalized id (sensitive).
            level: 0 to 4.
            at: when the client asked, with a time zone.

        Raises:
            InvalidClientId, UnknownClient, UnknownLevel: nothing was recorded.
        """
        new_level = level_of(level)
        checked_client_id(client_id)
        is_client = _standings.c.client_id == client_id
        with self._engine.begin() as connection:
            seq = _lock(connection) + 1
            row = connection.execute(sa.select(_standings).where(is_client)).first()
            if row is None:
                raise UnknownClient
            event = LevelSet(client=client_id, level=new_level, at=_microseconds(at), seq=seq)
            before = Standing(level=Level(row.level), at=row.at, seq=row.changed_seq)
            after = advance(before, event)
            connection.execute(
                _events.insert().values(
                    seq=seq, client_id=client_id, level=event.level, at=event.at
                )
            )
            connection.execute(
                _standings.update()
                .where(is_client)
                .values(level=after.level, at=after.at, changed_seq=after.seq)
            )
            return _advance_head(connection, seq)

    def level(self, client_id: str) -> Level:
        """Return the level in force of a client; raise InvalidClientId or UnknownClient."""
        query = sa.select(_standings.c.level).where(
            _standings.c.client_id == checked_client_id(client_id)
        )
        with self._engine.connect() as connection:
            level = connection.execute(query).scalar_one_or_none()
        if level is None:
            raise UnknownClient
        return Level(level)

    def head(self) -> int:
        """Return the newest epoch: the sequence number of the last event, 0 before the first."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(_head.c.seq)).scalar_one())

    def changes(self, after: int) -> list[Change]:
        """Return the level in force of every client whose level was set after epoch ``after``.

        In the order of the events. To build a delta read ``head()`` first, then this: what happens
        in between is then in the delta and again in the next one, never in neither.
        """
        query = (
            sa.select(_standings.c.client_id, _standings.c.level, _standings.c.changed_seq)
            .where(_standings.c.changed_seq > after)
            .order_by(_standings.c.changed_seq)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Change(client_id=c, level=Level(level), seq=seq) for c, level, seq in rows]


def _lock(connection: sa.Connection) -> int:
    """Wait for the writers' lock, held until the transaction ends, and return the head.

    It must be the transaction's first statement: SQLite takes the lock at the first write, and a
    read before it might be old by then.
    """
    if connection.dialect.name == "sqlite":
        _wait_and_sync(connection)
    statement = _head.update().values(seq=_head.c.seq).returning(_head.c.seq)
    return int(connection.execute(statement).scalar_one())


def _advance_head(connection: sa.Connection, seq: int) -> int:
    connection.execute(_head.update().values(seq=seq))
    return seq


def _checked(rows: Iterable[tuple[str, str, int]]) -> dict[str, tuple[str, Level]]:
    checked: dict[str, tuple[str, Level]] = {}
    for number, (client_id, household_id, level) in enumerate(rows, start=1):
        try:
            checked_client_id(client_id)
            checked_client_id(household_id)
            standing = level_of(level)
        except InvalidClientId as error:
            raise InvalidClientId(error.reason, row=number) from None
        except UnknownLevel:
            raise InvalidRow(number, "has a level that is not 0 to 4") from None
        if client_id in checked:
            raise InvalidRow(number, "repeats a client of an earlier row") from None
        checked[client_id] = (household_id, standing)
    return checked


def _microseconds(at: datetime) -> int:
    """Count from the Unix epoch. TypeError for a naive ``at``, whose zone would be a guess."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _use_write_ahead_log(engine: sa.Engine) -> None:
    """Let other processes read while one writes; SQLite remembers it in the file."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _wait_and_sync(connection)
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _wait_and_sync(connection: sa.Connection) -> None:
    """Make this SQLite connection queue behind other writers and sync every commit to disk."""
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
    connection.exec_driver_sql("PRAGMA synchronous = FULL")
