"""The salts of the log's commitments, held apart from the log so that they can be erased.

It lives with the register, not with the log's copies: whoever has both a salt and the log can check
a guess about its client. Erasing a client's salts leaves the log whole and its entries nobody's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from consent.clients import checked_client_id
from consent.commitments import SALT_BYTES
from consent.log_errors import CommitmentInvalid

_TABLES = sa.MetaData()
_SALTS = sa.Table(
    "log_salts",
    _TABLES,
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("client_id", sa.String(256), nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
)
_OF_CLIENT = sa.Index("log_salts_of_client", _SALTS.c.client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Salt:
    """The salt of log entry ``index``, of the change that opened ``epoch`` (both public).

    client_id, salt: whom the entry is about, and what opens it (both sensitive, hidden).
    """

    index: int
    epoch: int
    client_id: str = field(repr=False)
    salt: bytes = field(repr=False)


class Salts:
    """The salts in a database that several processes share (SQLite or PostgreSQL)."""

    def __init__(self, engine: sa.Engine) -> None:
        """Create what is missing in the database. Calling it again, anywhere, changes nothing."""
        self._engine = engine
        engine.hide_parameters = True  # a statement's parameters are ids and salts
        with engine.begin() as connection:
            connection.execute(CreateTable(_SALTS, if_not_exists=True))
            connection.execute(CreateIndex(_OF_CLIENT, if_not_exists=True))

    def keep_within(self, connection: sa.Connection, salts: Iterable[Salt]) -> None:
        """Keep the salts of entries that are appended in the same transaction.

        Raises:
            CommitmentInvalid, InvalidClientId: nothing was kept; roll the transaction back.
        """
        rows: list[dict[str, object]] = []
        for each in salts:
            if len(each.salt) != SALT_BYTES:
                raise CommitmentInvalid(f"a salt has {SALT_BYTES} bytes")
            client_id = checked_client_id(each.client_id)
            row = {"index": each.index, "epoch": each.epoch, "salt": each.salt}
            rows.append(row | {"client_id": client_id})
        if rows:
            connection.execute(_SALTS.insert(), rows)

    def of(self, client_id: str) -> list[Salt]:
        """Return a client's salts (sensitive) in the order of the log; none after an erasure."""
        query = sa.select(_SALTS).where(_SALTS.c.client_id == checked_client_id(client_id))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_SALTS.c.index)).all()
        return [
            Salt(index=index, epoch=epoch, client_id=client, salt=salt)
            for index, epoch, client, salt in rows
        ]

    def erase_within(self, connection: sa.Connection, client_id: str) -> int:
        """Erase a client's salts in a transaction and return how many there were (sensitive).

        `consent.store.Register.erase` opens the transaction: on SQLite its deletions are
        overwritten.
        """
        statement = _SALTS.delete().where(_SALTS.c.client_id == checked_client_id(client_id))
        return connection.execute(statement).rowcount
