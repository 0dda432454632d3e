"""The register's tables: append-only events, and everyone's standing as the events leave it.

SQLite and PostgreSQL. Every write first takes the lock of a one-row table that hands out sequence
numbers, so numbers become visible in order and a reader misses none.

An event names its client by a random reference that stands in one other place only, the client's
row of standings. Deleting that row leaves the events whole and nobody's (`consent.erasing`).
"""

import json
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from consent.events import Event, Kind
from consent.levels import Level
from consent.register import Standing

_ID = sa.String(256)
_REF = sa.String(32)
_TEXT = sa.String(200)
tables = sa.MetaData()
head = sa.Table(
    "consent_head",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("erased", sa.BigInteger, nullable=False),
)
events = sa.Table(
    "consent_events",
    tables,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(128), nullable=False, unique=True),
    sa.Column("ref", _REF, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("level", sa.SmallInteger),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("purpose", _TEXT, nullable=False),
    sa.Column("notice", _TEXT, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
)
standings = sa.Table(
    "consent_standings",
    tables,
    sa.Column("client_id", _ID, primary_key=True),
    sa.Column("ref", _REF, nullable=False, unique=True),
    sa.Column("household_id", _ID, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("objections", sa.Text, nullable=False),
    sa.Column("family_objected_at", sa.BigInteger),
    sa.Column("notice", _TEXT, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("family_closed", sa.Boolean, nullable=False),
    sa.Column("changed_seq", sa.BigInteger, nullable=False),
)
purposes = sa.Table(
    "consent_purposes",
    tables,
    sa.Column("bit", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", _TEXT, nullable=False, unique=True),
)
erased = sa.Table("consent_erased", tables, sa.Column("mark", sa.String(64), primary_key=True))
held_places = sa.Table(
    "consent_held_places",
    tables,
    sa.Column("mark", sa.String(64), primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)
"""Of a household that lost a client to an erasure: the first place that is free, for a while."""
_indexes = (
    sa.Index("consent_events_of_client", events.c.ref, events.c.seq),
    sa.Index("consent_standings_changed", standings.c.changed_seq),
    sa.Index("consent_standings_of_household", standings.c.household_id),
    sa.Index("consent_standings_ends", standings.c.expires_at),
)
_WAIT_MS = 30_000

APPEND_ONLY = {
    "sqlite": tuple(
        f"CREATE TRIGGER IF NOT EXISTS consent_events_no_{verb} BEFORE {verb} ON consent_events "
        "BEGIN SELECT RAISE(ABORT, 'consent events are append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        (
            "CREATE OR REPLACE FUNCTION consent_events_stay() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'consent events are append-only'; END $$"
        ),
        (
            "CREATE OR REPLACE TRIGGER consent_events_append_only "
            "BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION consent_events_stay()"
        ),
    ),
}
"""By dialect: what makes the database itself refuse to change an event."""


def create(engine: sa.Engine) -> None:
    """Create what is missing in the database. Calling it again, anywhere, changes nothing."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            _wait_and_sync(connection)
        else:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(6017421)")
        for table in tables.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        for index in _indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
        for statement in APPEND_ONLY[engine.dialect.name]:
            connection.exec_driver_sql(statement)
    try:
        with engine.begin() as connection:
            if connection.execute(sa.select(head.c.seq)).first() is None:
                connection.execute(head.insert().values(id=1, seq=0, erased=0))
    except IntegrityError:
        pass  # another process was first


def lock(connection: sa.Connection) -> int:
    """Wait for the writers' lock, held until the transaction ends, and return the head.

    It must be the transaction's first statement: SQLite takes the lock at the first write, and a
    read before it might be old by then.
    """
    if connection.dialect.name == "sqlite":
        _wait_and_sync(connection)
    statement = head.update().values(seq=head.c.seq).returning(head.c.seq)
    return int(connection.execute(statement).scalar_one())


def standing_of(row: Any) -> Standing:  # noqa: ANN401 - a row of the table, typed by its columns
    """Read a standing from its row."""
    return Standing(
        household=row.household_id,
        place=row.place,
        level=Level(row.level),
        at=row.at,
        expires_at=row.expires_at,
        objections=json.loads(row.objections),
        family_objected_at=row.family_objected_at,
        notice=row.notice,
        seq=row.seq,
    )


def standing_row(client_id: str, standing: Standing) -> dict[str, object]:
    """Return the standing's own columns of its row; not what follows from its household's."""
    return {
        "client_id": client_id,
        "household_id": standing.household,
        "place": standing.place,
        "level": int(standing.level),
        "at": standing.at,
        "expires_at": standing.expires_at,
        "objections": json.dumps(dict(standing.objections)),
        "family_objected_at": standing.family_objected_at,
        "notice": standing.notice,
        "seq": standing.seq,
        "changed_seq": standing.seq,
    }


def events_where(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[Event]:
    """Return the events that fit, oldest first, each with its client's id (sensitive).

    Events of an erased client are nobody's: their ``client`` is empty.
    """
    return [_event_of(row) for row in connection.execute(_joined(*which).order_by(events.c.seq))]


def histories_where(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[list[Event]]:
    """Return the events that fit, one list for each client (sensitive), erased ones included."""
    rows = connection.execute(_joined(*which).order_by(events.c.ref, events.c.seq))
    return [[_event_of(row) for row in own] for _, own in groupby(rows, lambda row: row.ref)]


def _joined(*which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    named = sa.select(events, standings.c.client_id, standings.c.household_id)
    return named.outerjoin(standings, standings.c.ref == events.c.ref).where(*which)


def event_row(event: Event, ref: str) -> dict[str, object]:
    """Return an event's row, under its client's reference."""
    return {
        "seq": event.seq,
        "id": event.id,
        "ref": ref,
        "kind": event.kind.value,
        "at": event.at,
        "level": None if event.level is None else int(event.level),
        "expires_at": event.expires_at,
        "purpose": event.purpose,
        "notice": event.notice,
        "place": event.place,
    }


def empty_write_ahead_log(engine: sa.Engine) -> None:
    """On SQLite, take what was overwritten out of the write-ahead log too.

    If another process is reading, a later checkpoint does it.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _event_of(row: Any) -> Event:  # noqa: ANN401 - a row of the join, typed by its columns
    kind = Kind(row.kind)
    return Event(
        seq=row.seq,
        id=row.id,
        client=row.client_id or "",
        kind=kind,
        at=row.at,
        level=None if row.level is None else Level(row.level),
        expires_at=row.expires_at,
        purpose=row.purpose,
        notice=row.notice,
        household=(row.household_id or "") if kind is Kind.ENTERED else "",
        place=row.place,
    )


def _wait_and_sync(connection: sa.Connection) -> None:
    """Make this SQLite connection queue behind other writers and sync every commit to disk.

    What it deletes or moves it overwrites, so that a client who is erased is in no page any more.
    """
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
    connection.exec_driver_sql("PRAGMA synchronous = FULL")
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
