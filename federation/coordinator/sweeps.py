"""Sweeps in the coordinator's database: which recipes are tried, and how far that is.

One row is one sweep. The API adds and stops them, the ServerApp carries them on; a change of state
is one conditional UPDATE, as with runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypedDict

import sqlalchemy as sa

from federation.coordinator.errors import SweepUnknown
from federation.database import create_tables
from privacy.loss import Rho

_METADATA = sa.MetaData()
_SWEEPS = sa.Table(
    "sweeps",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(16), unique=True, nullable=False),
    sa.Column("asker", sa.String(100), nullable=False),
    sa.Column("plans", sa.JSON, nullable=False),
    sa.Column("rho_of_evaluation", sa.Float, nullable=False),
    sa.Column("accepted_at", sa.Integer, nullable=False),
    sa.Column("begun", sa.Integer, nullable=False),
    sa.Column("tried", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
)


class SweepState(StrEnum):
    """trying → ended (every recipe was) | stopped (by a person) | refused (the rest was)."""

    TRYING = "trying"
    ENDED = "ended"
    STOPPED = "stopped"
    REFUSED = "refused"


class Tried(TypedDict):
    """One recipe that was begun: the runs that train and judge it, or why one of them was none."""

    training: str | None
    evaluation: str | None
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Several recipes for one training, each trained and judged on the hold-out. All of it public.

    plans: the trainings as JSON, in the order they are tried. rho_of_evaluation: of each one's
    evaluation. accepted_at: when it came in. begun: how many runs were, which names what the ledger
    holds for the rest. tried: the recipes that were begun.
    """

    id: str
    asker: str
    plans: Sequence[dict[str, Any]]
    rho_of_evaluation: float
    accepted_at: int
    begun: int
    tried: Sequence[Tried]
    state: SweepState

    def after(self, tried: Sequence[Tried], *, begun: int) -> Self:
        """Return the sweep with these recipes begun in so many runs."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return type(self)(**told | {"tried": tried, "begun": begun})

    @property
    def reservation(self) -> str:
        """Name what the ledger holds for the runs that are to come."""
        return f"sweep {self.id} {self.begun}"

    @property
    def rest(self) -> Rho:
        """What the runs that are to come cost together."""
        judged = Rho(self.rho_of_evaluation)
        ahead = [Rho(plan["rho"]) + judged for plan in self.plans[len(self.tried) :]]
        last = self.tried[-1] if self.tried else None
        if last is not None and last["evaluation"] is None and last["refusal"] is None:
            ahead.append(judged)
        return sum(ahead, start=Rho(0.0))


class Sweeps:
    """The table of sweeps in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def add(self, sweep: Sweep) -> None:
        """Keep a new sweep."""
        values = {name: getattr(sweep, name) for name in Sweep.__dataclass_fields__}
        with self._engine.begin() as db:
            db.execute(sa.insert(_SWEEPS).values(**values))

    def get(self, sweep: str) -> Sweep:
        """Return one sweep, or raise SweepUnknown."""
        with self._engine.connect() as db:
            row = db.execute(sa.select(_SWEEPS).where(_SWEEPS.c.id == sweep)).one_or_none()
        if row is None:
            raise SweepUnknown(sweep)
        return _sweep(row)

    def all(self, *, limit: int | None = None, before: str | None = None) -> list[Sweep]:
        """Return sweeps, the newest first; those older than ``before``, or SweepUnknown."""
        query = sa.select(_SWEEPS).order_by(_SWEEPS.c.number.desc()).limit(limit)
        if before is not None:
            known = sa.select(_SWEEPS.c.number).where(_SWEEPS.c.id == self.get(before).id)
            query = query.where(_SWEEPS.c.number < known.scalar_subquery())
        with self._engine.connect() as db:
            return [_sweep(row) for row in db.execute(query)]

    def trying(self) -> list[Sweep]:
        """Return the sweeps that are not over, the oldest first."""
        query = sa.select(_SWEEPS).where(_SWEEPS.c.state == SweepState.TRYING)
        with self._engine.connect() as db:
            return [_sweep(row) for row in db.execute(query.order_by(_SWEEPS.c.number))]

    def of_training(self, run: str) -> Sweep | None:
        """Return the newest sweep that tried a training's run, if any did."""
        return next((s for s in self.all() if any(t["training"] == run for t in s.tried)), None)

    def move(self, sweep: Sweep, **values: object) -> bool:
        """Change a sweep that is still as it was read; False if somebody was faster."""
        column = _SWEEPS.c
        same = (column.id == sweep.id, column.state == sweep.state, column.begun == sweep.begun)
        with self._engine.begin() as db:
            return db.execute(sa.update(_SWEEPS).where(*same).values(**values)).rowcount == 1


def _sweep(row: sa.Row[Any]) -> Sweep:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    del values["number"]
    return Sweep(**values | {"state": SweepState(values["state"])})
