"""Trainings under way: how far each is, kept after every round, and whether it is to stop.

What stands here was released with noise. A training that was interrupted goes on from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from federation.database import create_tables
from federation.training_progress import Progress, from_bytes, to_bytes

_METADATA = MetaData()
_TRAININGS = Table(
    "trainings",
    _METADATA,
    Column("run", String(32), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("interruptions", Integer, nullable=False),
    Column("missing", JSON, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("waiting", Boolean, nullable=False),
    Column("progress", LargeBinary, nullable=False),
)
_STOPS = Table("stops", _METADATA, Column("run", String(32), primary_key=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """How far a training is. All of it is public.

    attempt: under which the nodes know it, for as long as it lasts. interruptions: so many.
    missing: the departments that the last one was about. asked: rounds sent out; done: rounds
    answered. waiting: whether a round is out.
    """

    attempt: int
    interruptions: int
    missing: tuple[str, ...]
    asked: int
    done: int
    waiting: bool


class Trainings:
    """The tables of trainings in the coordinator's database."""

    def __init__(self, engine: Engine) -> None:
        """Open the tables, creating them in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def underway(self, run: str) -> Underway | None:
        """Return how far a training is, or None if none of its rounds was ever sent out."""
        columns = [_TRAININGS.c[name] for name in Underway.__slots__]
        with self._engine.connect() as db:
            row = db.execute(select(*columns).where(_TRAININGS.c.run == run)).one_or_none()
        if row is None:
            return None
        values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
        return Underway(**values | {"missing": tuple(values["missing"])})

    def progress(self, run: str) -> Progress | None:
        """Return from where a training goes on, or None."""
        with self._engine.connect() as db:
            data = db.scalar(select(_TRAININGS.c.progress).where(_TRAININGS.c.run == run))
        return None if data is None else from_bytes(data)

    def keep(self, run: str, attempt: int, progress: Progress) -> None:
        """Keep how far a training is, before a round is sent out and after its sum is known."""
        before = self.underway(run)
        values = {
            "asked": progress.asked,
            "done": progress.done,
            "waiting": progress.done == (before.done if before else 0),
            "progress": to_bytes(progress),
            "missing": [],
        }
        with self._engine.begin() as db:
            if before is None:
                start = {"run": run, "attempt": attempt, "interruptions": 0}
                db.execute(insert(_TRAININGS).values(**start, **values))
            else:
                db.execute(update(_TRAININGS).where(_TRAININGS.c.run == run).values(**values))

    def interrupted(self, run: str, *, missing: Sequence[str] = ()) -> None:
        """Note that a training was interrupted, and by the silence of whom."""
        with self._engine.begin() as db:
            db.execute(
                update(_TRAININGS)
                .where(_TRAININGS.c.run == run)
                .values(
                    interruptions=_TRAININGS.c.interruptions + 1,
                    missing=list(missing),
                    waiting=False,
                )
            )

    def stop(self, run: str) -> None:
        """Let a training end before its next round. Saying it twice changes nothing."""
        try:
            with self._engine.begin() as db:
                db.execute(insert(_STOPS).values(run=run))
        except IntegrityError:
            return

    def stopped(self, run: str) -> bool:
        """Say whether a training is to end before its next round."""
        with self._engine.connect() as db:
            return db.scalar(select(_STOPS.c.run).where(_STOPS.c.run == run)) is not None
