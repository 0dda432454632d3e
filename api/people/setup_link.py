"""Setup links: random, for one use, gone in a day. The only way to a first or a new password.

There is no default password: the first start of a coordinator without accounts prints one link,
and whoever opens it becomes the first privacy officer. Only the SHA-256 of a link is kept.
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from api.people.account_log import What, Within, nothing_else
from api.people.accounts import METADATA, PEOPLE, change_of
from api.people.errors import LinkInvalid, PersonExists
from api.people.passwords import hash_password
from api.people.roles import Role
from federation.database import create_tables

LINK_BYTES = 32
LASTS_S = 24 * 3600
FIRST = "setup link"
"""Who made the first account, as its ``made_by`` says."""

_LINKS = Table(
    "setup_links",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("name", String(64), unique=True),
    Column("expires_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What a link that still holds is for. ``name`` is None for the first officer, who picks it."""

    name: str | None
    expires_at: int


class SetupLinks:
    """The table of links in one database. Times are seconds since the Unix epoch."""

    def __init__(self, engine: Engine, within: Within = nothing_else) -> None:
        """Open the table, creating it in a new database; ``within`` is called at every change."""
        self._engine = engine
        self._within = within
        create_tables(engine, METADATA, [PEOPLE, _LINKS])

    def first(self, now: int) -> str | None:
        """Return a link (secret) for the first officer, or None if there are accounts.

        Any earlier such link stops to hold.
        """
        with self._engine.begin() as db:
            if db.scalar(select(func.count()).select_from(PEOPLE)):
                return None
            db.execute(delete(_LINKS))
            return self._make(db, None, now)

    def renew(self, name: str, *, by: str, now: int) -> str:
        """Return a link (secret) for an account's password; its earlier link stops to hold."""
        with self._engine.begin() as db:
            db.execute(delete(_LINKS).where(_LINKS.c.name == name))
            self._within(db, change_of(db, What.LINK, name, by=by, at=now))
            return self._make(db, name, now)

    def find(self, link: str, now: int) -> Invitation:
        """Return what a link (secret) is for; LinkInvalid if it is used, expired or unknown."""
        with self._engine.connect() as db:
            found = self._row(db, link, now)
        return Invitation(name=found.name, expires_at=found.expires_at)

    def use(self, link: str, *, password: str, now: int, name: str | None = None) -> str:
        """Set a password (secret) by a link (secret), once, and return the account's name.

        Args:
            link: as it was made.
            password: the new one.
            now: the time.
            name: the first officer's own; any other account has its name already.

        Raises:
            LinkInvalid: it is used, expired or unknown, or the account is closed.
            WeakPassword: the link still holds.
            PersonExists: there is a first officer by now.
        """
        invited = self.find(link, now)
        who = invited.name or name
        if who is None:
            raise LinkInvalid
        hashed = hash_password(password, name=who)
        try:
            with self._engine.begin() as db:
                if db.execute(delete(_LINKS).where(_is(link))).rowcount != 1:
                    raise LinkInvalid
                if invited.name is None:
                    self._first_officer(db, who, hashed, now)
                else:
                    known = (PEOPLE.c.name == who) & PEOPLE.c.closed_at.is_(None)
                    if (
                        db.execute(update(PEOPLE).where(known).values(password=hashed)).rowcount
                        != 1
                    ):
                        raise LinkInvalid
                self._within(db, change_of(db, What.PASSWORD, who, by=who, at=now))
        except IntegrityError:
            raise PersonExists from None
        return who

    def _first_officer(self, db: Connection, name: str, hashed: str, now: int) -> None:
        if db.scalar(select(func.count()).select_from(PEOPLE)):
            raise PersonExists
        row = insert(PEOPLE).values(
            name=name,
            role=Role.PRIVACY_OFFICER,
            password=hashed,
            made_by=FIRST,
            made_at=now,
        )
        db.execute(row)
        self._within(db, change_of(db, What.MADE, name, by=FIRST, at=now))

    @staticmethod
    def _make(db: Connection, name: str | None, now: int) -> str:
        link = secrets.token_urlsafe(LINK_BYTES)
        db.execute(insert(_LINKS).values(sha256=_hash(link), name=name, expires_at=now + LASTS_S))
        return link

    @staticmethod
    def _row(db: Connection, link: str, now: int) -> Row[Any]:
        query = select(_LINKS).where(_is(link), _LINKS.c.expires_at > now)
        row: Row[Any] | None = db.execute(query).one_or_none()
        if row is None:
            raise LinkInvalid
        return row


def setup_path(link: str) -> str:
    """Return where on this host a link (secret) is opened."""
    return f"/setup?link={link}"


def _is(link: str) -> ColumnElement[bool]:
    return _LINKS.c.sha256 == _hash(link)


def _hash(link: str) -> str:
    """256 random bits need no salt: nobody guesses them."""
    return sha256(link.encode("utf-8", "replace")).hexdigest()
