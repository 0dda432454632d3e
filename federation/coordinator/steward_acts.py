"""What stewards did for clients, for the eyes of the steward who did it and of the client.

An act names its client by the register's reference, which an erasure destroys: then the act stands,
and nothing says any more for whom it was. Everything here is about persons: sensitive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from consent import tables
from consent.events import Kind
from federation.database import create_tables

_METADATA = sa.MetaData()
_ACTS = sa.Table(
    "steward_acts",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String(100), nullable=False, index=True),
    sa.Column("ref", sa.String(32), nullable=False, index=True),
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("epoch", sa.BigInteger),
)
_ONE_LOOK_S = 600
"""Looking at one client again within ten minutes is the same look."""


class What(StrEnum):
    """What a steward did."""

    LOOKED = "looked"
    ENTERED = "entered"
    CHANGED = "changed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of one steward.

    Attributes:
        number: its place among all acts; pages go by it.
        at: seconds since the Unix epoch.
        who: the steward's name.
        what: that was done.
        client: for whom, None once the client is erased.
        kind: of the change in the register, if there was one. level: that it set.
        purpose: that it was about, or "".
    """

    number: int
    at: int
    who: str
    what: What
    client: str | None = field(repr=False)
    kind: Kind | None = field(repr=False)
    level: int | None = field(repr=False)
    purpose: str = field(repr=False)


class StewardActs:
    """The table of acts in the coordinator's database; only ever appended to."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def note(
        self, who: str, client: str, what: What, *, at: datetime, epoch: int | None = None
    ) -> None:
        """Write down what a steward did; nothing of a client whom the register does not know.

        Args:
            who: the steward's name.
            client: normalized id (sensitive).
            what: was done.
            at: now, with a time zone.
            epoch: that a change opened.
        """
        own, act, now = tables.standings.c, _ACTS.c, int(at.timestamp())
        with self._engine.begin() as db:
            ref = db.scalar(sa.select(own.ref).where(own.client_id == client))
            again = sa.select(act.number).where(
                act.ref == ref, act.who == who, act.what == What.LOOKED, act.at > now - _ONE_LOOK_S
            )
            if ref is None or (what is What.LOOKED and db.scalar(again.limit(1)) is not None):
                return
            row = {"at": now, "who": who, "ref": ref, "what": what.value, "epoch": epoch}
            db.execute(_ACTS.insert().values(**row))

    def by(self, who: str, *, limit: int, before: int | None = None) -> list[Act]:
        """Return what a steward did, newest first; only acts before a number."""
        return self._found(_ACTS.c.who == who, limit, before)

    def about(self, client: str, *, limit: int, before: int | None = None) -> list[Act]:
        """Return what stewards did for a client (sensitive), newest first."""
        return self._found(tables.standings.c.client_id == client, limit, before)

    def _found(self, whose: sa.ColumnElement[bool], limit: int, before: int | None) -> list[Act]:
        act, own, event = _ACTS.c, tables.standings, tables.events
        query = (
            sa.select(
                act.number,
                act.at,
                act.who,
                act.what,
                own.c.client_id,
                event.c.kind,
                event.c.level,
                sa.func.coalesce(event.c.purpose, "").label("purpose"),
            )
            .select_from(
                _ACTS.outerjoin(own, own.c.ref == act.ref).outerjoin(
                    event, event.c.seq == act.epoch
                )
            )
            .where(whose)
        )
        if before is not None:
            query = query.where(act.number < before)
        with self._engine.connect() as db:
            return [
                _act(tuple(row))
                for row in db.execute(query.order_by(act.number.desc()).limit(limit))
            ]


def _act(row: Sequence[Any]) -> Act:
    number, at, who, what, client, kind, level, purpose = row
    return Act(
        number=number,
        at=at,
        who=who,
        what=What(what),
        client=client,
        kind=None if kind is None else Kind(kind),
        level=level,
        purpose=purpose,
    )
