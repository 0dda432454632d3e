"""The node's journal: what it was allowed to do once, and what has left. It survives restarts.

A node that answered one (plan, attempt, leg, round) twice would reuse a mask or draw its noise
again, so the journal takes each of them once, and each permit's nonce once, before any row is read.
Nothing personal stands in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from federation.database import create_tables
from federation.errors import AlreadyAnswered, PermitReplayed
from federation.run_permit import RunPermit

_METADATA = MetaData()
_NONCES = Table("nonces", _METADATA, Column("nonce", String(32), primary_key=True))
_ANSWERED = Table(
    "answered",
    _METADATA,
    Column("plan", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("leg", String(16), primary_key=True),
    Column("round", Integer, primary_key=True),
)
_LEFT = Table(
    "left_the_node",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Integer, nullable=False),
    Column("plan", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("leg", String(16), nullable=False),
    Column("round", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One payload that left: when (seconds), for what, its size in bytes, the consent epoch."""

    at: int
    plan: str
    attempt: int
    leg: str
    round: int
    size: int
    epoch: int


class Journal:
    """The journal in the node's own database; several processes may share it."""

    def __init__(self, engine: Engine) -> None:
        """Open the journal, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def admit(self, permit: RunPermit) -> None:
        """Take a permit once, and its (plan, attempt, leg, round) once: both or neither.

        Raises:
            PermitReplayed: the nonce was used before.
            AlreadyAnswered: another permit for the same leg was used before.
        """
        with self._engine.begin() as db:
            try:
                db.execute(insert(_NONCES).values(nonce=permit.nonce))
            except IntegrityError:
                raise PermitReplayed from None
            try:
                db.execute(
                    insert(_ANSWERED).values(
                        plan=permit.plan,
                        attempt=permit.attempt,
                        leg=permit.leg,
                        round=permit.round,
                    )
                )
            except IntegrityError:
                raise AlreadyAnswered(permit.plan, permit.attempt, permit.round) from None

    def record(self, permit: RunPermit, *, at: int, size: int, epoch: int) -> None:
        """Write down what is about to leave under a permit: ``size`` bytes at ``at`` (seconds)."""
        with self._engine.begin() as db:
            db.execute(
                insert(_LEFT).values(
                    at=at,
                    plan=permit.plan,
                    attempt=permit.attempt,
                    leg=permit.leg,
                    round=permit.round,
                    size=size,
                    epoch=epoch,
                )
            )

    def departures(self) -> Sequence[Departure]:
        """Return everything that has left, oldest first."""
        with self._engine.connect() as db:
            rows = db.execute(select(_LEFT).order_by(_LEFT.c.number)).mappings().all()
        return [Departure(**{k: v for k, v in row.items() if k != "number"}) for row in rows]

    def page(self, *, before: int | None, limit: int) -> Sequence[tuple[int, Departure]]:
        """Return up to ``limit`` departures with their numbers, newest first.

        Args:
            before: only those with a smaller number; None begins with the newest.
            limit: at least 1.
        """
        asked = select(_LEFT).order_by(_LEFT.c.number.desc()).limit(limit)
        if before is not None:
            asked = asked.where(_LEFT.c.number < before)
        with self._engine.connect() as db:
            rows = db.execute(asked).mappings().all()
        return [
            (row["number"], Departure(**{k: v for k, v in row.items() if k != "number"}))
            for row in rows
        ]
