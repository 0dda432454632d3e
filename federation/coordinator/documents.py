"""Every policy and catalogue the desk has worked under, so that an old label can be checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel

from federation.database import create_tables

_METADATA = sa.MetaData()
_DOCUMENTS = sa.Table(
    "documents",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

Kind = Literal["policy", "catalogue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A public file and from when on it held, in seconds since the Unix epoch."""

    kind: Kind
    since: int
    body: dict[str, Any]


def keep_documents(
    engine: sa.Engine, *, policy: BaseModel, catalogue: BaseModel, at: datetime
) -> None:
    """Note what the desk works under from ``at`` on."""
    documents, since = Documents(engine), int(at.timestamp())
    documents.keep("policy", policy.model_dump(mode="json"), since=since)
    documents.keep("catalogue", catalogue.model_dump(mode="json"), since=since)


def policy_at(engine: sa.Engine, at: int) -> Document | None:
    """Return the policy that held at a time; None before the first, or if none was ever kept."""
    column = _DOCUMENTS.c
    query = sa.select(column.kind, column.since, column.body).order_by(column.number.desc())
    query = query.where(column.kind == "policy", column.since <= at).limit(1)
    with engine.connect() as db:
        row = db.execute(query).one_or_none()
    return None if row is None else Document(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


class Documents:
    """The table of documents in the coordinator's database; only ever appended to."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def keep(self, kind: Kind, body: Mapping[str, Any], *, since: int) -> None:
        """Note that a document holds from now on, unless it is the newest of its kind already."""
        column = _DOCUMENTS.c
        newest = sa.select(column.body).where(column.kind == kind)
        newest = newest.order_by(column.number.desc()).limit(1)
        with self._engine.begin() as db:
            if db.scalar(newest) != body:
                row = {"kind": kind, "since": since, "body": dict(body)}
                db.execute(_DOCUMENTS.insert().values(**row))

    def all(self) -> list[Document]:
        """Return every document, in the order in which they came to hold."""
        column = _DOCUMENTS.c
        query = sa.select(column.kind, column.since, column.body).order_by(column.number)
        with self._engine.connect() as db:
            return [Document(**row._mapping) for row in db.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name
