"""The accounts: a name, one role, and a password's hash or a provider's subject, in the database.

An account without either cannot sign in yet: its setup link is still to be used.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from api.people.account_log import AccountChange, What, Within, nothing_else
from api.people.errors import PersonExists, PersonUnknown, WrongPassword
from api.people.passwords import hash_password, is_outdated, is_right
from api.people.roles import Caller, Role
from federation.database import create_tables

NAME = r"^[a-z][a-z0-9_-]{0,63}$"

COMMAND_LINE = "command line"
"""Who did it, if it was whoever works on the coordinator's own machine."""

METADATA = MetaData()
PEOPLE = Table(
    "people",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("client_id", String(200)),
    Column("password", String(200)),
    Column("issuer", String(300)),
    Column("subject", String(300)),
    Column("made_by", String(64), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    UniqueConstraint("issuer", "subject"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One account. Times are seconds since the Unix epoch.

    client_id: sensitive. ready: whether it can sign in. closed_at: since when it cannot, or None.
    """

    name: str
    role: Role
    client_id: str | None = field(repr=False)
    ready: bool
    made_by: str
    made_at: int
    closed_at: int | None

    @property
    def caller(self) -> Caller:
        """Who calls, when this person does."""
        return Caller(name=self.name, role=self.role, client_id=self.client_id)


class Accounts:
    """The table of accounts in one database."""

    def __init__(self, engine: Engine, within: Within = nothing_else) -> None:
        """Open the table, creating it in a new database; ``within`` is called at every change."""
        self._engine = engine
        self._within = within
        create_tables(engine, METADATA, [PEOPLE])

    def add(
        self,
        *,
        name: str,
        role: Role,
        made_by: str,
        now: int,
        client_id: str | None = None,
        identity: tuple[str, str] | None = None,
    ) -> Person:
        """Make an account; it signs in by ``identity`` (issuer, subject), or after a setup link.

        A client's account has a client's id (sensitive), and no other has.

        Raises:
            PersonExists: the name, or the identity, is taken.
        """
        if (role is Role.CLIENT) is (client_id is None):
            raise ValueError("a client's account has a client id, and no other account has one")
        issuer, subject = identity or (None, None)
        row = insert(PEOPLE).values(
            name=name,
            role=role,
            client_id=client_id,
            issuer=issuer,
            subject=subject,
            made_by=made_by,
            made_at=now,
        )
        try:
            with self._engine.begin() as db:
                db.execute(row)
                self._tell(db, What.MADE, name, by=made_by, at=now)
        except IntegrityError:
            raise PersonExists from None
        return self.get(name)

    def get(self, name: str) -> Person:
        """Return one account, or raise PersonUnknown."""
        found = self._row(PEOPLE.c.name == name)
        if found is None:
            raise PersonUnknown
        return person_of(found)

    def by_identity(self, issuer: str, subject: str) -> Person | None:
        """Return the account that a provider's subject signs in to, if there is one."""
        found = self._row((PEOPLE.c.issuer == issuer) & (PEOPLE.c.subject == subject))
        return None if found is None else person_of(found)

    def page(self, *, limit: int, after: str = "") -> list[Person]:
        """Return accounts in the order of their names, from after a name on."""
        query = select(PEOPLE).where(PEOPLE.c.name > after).order_by(PEOPLE.c.name).limit(limit)
        with self._engine.connect() as db:
            return [person_of(row) for row in db.execute(query)]

    def count(self) -> int:
        """Return how many accounts there ever were."""
        with self._engine.connect() as db:
            return db.scalar(select(func.count()).select_from(PEOPLE)) or 0

    def set_password(self, name: str, password: str, *, now: int) -> None:
        """Give an account a new password (secret); PersonUnknown or WeakPassword if not."""
        hashed = hash_password(password, name=name)
        self._change(What.PASSWORD, name, by=name, at=now, password=hashed)

    def set_role(self, name: str, role: Role, *, by: str, now: int) -> None:
        """Move an account to another role of the firm, as its provider says; or PersonUnknown."""
        self._change(What.ROLE, name, by=by, at=now, role=role)

    def close(self, name: str, *, by: str, now: int) -> None:
        """Close an account for good: its name stays taken, so no later person inherits its acts."""
        self._change(What.CLOSED, name, by=by, at=now, closed_at=now, password=None)

    def forget(self, client_id: str, *, by: str, now: int) -> None:
        """Close every account of a client (sensitive) who is erased, and forget whose it was."""
        nobody = dict.fromkeys(("client_id", "password", "issuer", "subject"))
        mine = update(PEOPLE).where(PEOPLE.c.client_id == client_id)
        with self._engine.begin() as db:
            closed = db.execute(mine.values(**nobody, closed_at=now).returning(PEOPLE.c.name))
            for name in closed.scalars().all():
                self._tell(db, What.CLOSED, name, by=by, at=now)

    def check(self, name: str, password: str) -> Person:
        """Return whose name and password (secret) these are, in a time that tells nothing.

        Raises:
            WrongPassword: nobody's, or of an account that is closed or not set up.
        """
        found = self._row((PEOPLE.c.name == name) & PEOPLE.c.closed_at.is_(None))
        hashed: str | None = None if found is None else found.password
        if not is_right(password, hashed) or found is None or hashed is None:
            raise WrongPassword
        if is_outdated(hashed):
            row = update(PEOPLE).where(PEOPLE.c.name == name, PEOPLE.c.password == hashed)
            with self._engine.begin() as db:
                db.execute(row.values(password=hash_password(password, name=name)))
        return person_of(found)

    def _row(self, condition: ColumnElement[bool]) -> Row[Any] | None:
        with self._engine.connect() as db:
            return db.execute(select(PEOPLE).where(condition)).one_or_none()

    def _change(self, what: What, name: str, *, by: str, at: int, **values: object) -> None:
        with self._engine.begin() as db:
            changed = db.execute(update(PEOPLE).where(PEOPLE.c.name == name).values(**values))
            if changed.rowcount == 0:
                raise PersonUnknown
            self._tell(db, what, name, by=by, at=at)

    def _tell(self, db: Connection, what: What, name: str, *, by: str, at: int) -> None:
        self._within(db, change_of(db, what, name, by=by, at=at))


def change_of(db: Connection, what: What, name: str, *, by: str, at: int) -> AccountChange:
    """Say what was done to an account, with the role that it has by now in this transaction."""
    role = db.execute(select(PEOPLE.c.role).where(PEOPLE.c.name == name)).scalar_one()
    return AccountChange(what=what, name=name, role=Role(role), by=by, at=at)


def person_of(row: Row[Any]) -> Person:
    """Read one row of the table."""
    return Person(
        name=row.name,
        role=Role(row.role),
        client_id=row.client_id,
        ready=row.closed_at is None and (row.password is not None or row.subject is not None),
        made_by=row.made_by,
        made_at=row.made_at,
        closed_at=row.closed_at,
    )
