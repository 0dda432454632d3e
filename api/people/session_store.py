"""Sessions in the database: a random id that only the cookie holds; here is its SHA-256.

A session ends when it was idle or open too long, when its person signs out, and when the account is
closed: every look reads the account as it is now, role and all.
"""

import secrets
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from api.people.accounts import METADATA, PEOPLE, person_of
from api.people.roles import Caller
from api.people.settings import SessionSettings
from federation.database import create_tables

ID_BYTES = 32
_TOUCH_S = 60
"""A look moves the last use by this much at least, so that reading a page rarely writes."""

_SESSIONS = Table(
    "sessions",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("name", String(64), ForeignKey(PEOPLE.c.name), nullable=False, index=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False, index=True),
)


class Sessions:
    """The table of sessions in one database. Times are seconds since the Unix epoch."""

    def __init__(self, engine: Engine, lengths: SessionSettings) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        self._lengths = lengths
        create_tables(engine, METADATA, [PEOPLE, _SESSIONS])

    def open(self, name: str, now: int) -> str:
        """Open a session of an account and return its id (secret); forget those that are over."""
        session = secrets.token_urlsafe(ID_BYTES)
        idle = _SESSIONS.c.used_at <= now - self._lengths.idle_s
        too_old = _SESSIONS.c.opened_at <= now - self._lengths.longest_s
        row = insert(_SESSIONS).values(sha256=_hash(session), name=name, opened_at=now, used_at=now)
        with self._engine.begin() as db:
            db.execute(delete(_SESSIONS).where(idle | too_old))
            db.execute(row)
        return session

    def find(self, session: str, now: int) -> Caller | None:
        """Return whose session (secret) this is now, or None if it is nobody's or over."""
        key = _hash(session)
        query = select(_SESSIONS, PEOPLE).join(PEOPLE).where(_SESSIONS.c.sha256 == key)
        with self._engine.connect() as db:
            found = db.execute(query).one_or_none()
        if found is None or found.closed_at is not None:
            return None
        idle, age = now - found.used_at, now - found.opened_at
        if idle >= self._lengths.idle_s or age >= self._lengths.longest_s:
            return None
        if idle >= _TOUCH_S:
            with self._engine.begin() as db:
                db.execute(update(_SESSIONS).where(_SESSIONS.c.sha256 == key).values(used_at=now))
        return person_of(found).caller

    def close(self, session: str) -> None:
        """End one session (secret), if there is such a one."""
        with self._engine.begin() as db:
            db.execute(delete(_SESSIONS).where(_SESSIONS.c.sha256 == _hash(session)))

    def close_all(self, name: str) -> None:
        """End every session of an account."""
        with self._engine.begin() as db:
            db.execute(delete(_SESSIONS).where(_SESSIONS.c.name == name))


def _hash(session: str) -> str:
    """The id is 256 random bits, so its hash needs no salt: nobody guesses it."""
    return sha256(session.encode("utf-8", "replace")).hexdigest()
