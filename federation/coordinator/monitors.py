"""Saved questions with a schedule, in the coordinator's database: what is watched, and what came.

One row is one monitor. The API adds and stops them, the ServerApp ticks them; a change of state is
one conditional UPDATE, as with runs.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from federation.coordinator.errors import MonitorUnknown
from federation.database import create_tables

_METADATA = sa.MetaData()
_MONITORS = sa.Table(
    "monitors",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(16), unique=True, nullable=False),
    sa.Column("asker", sa.String(100), nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("rho", sa.Float, nullable=False),
    sa.Column("every_s", sa.Integer, nullable=False),
    sa.Column("ticks", sa.Integer, nullable=False),
    sa.Column("false_alarm_rate", sa.Float, nullable=False),
    sa.Column("next_at", sa.Integer, nullable=False),
    sa.Column("begun", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("history", sa.JSON, nullable=False),
)


class MonitorState(StrEnum):
    """watching → ended (all ticks done) | stopped (by a person) | refused (a tick was)."""

    WATCHING = "watching"
    ENDED = "ended"
    STOPPED = "stopped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One saved question. All of it may be shown to staff.

    request: the question, priced, as the desk takes it. rho: of one tick. every_s: seconds between
    ticks. ticks: how many there will be. begun: how many there were. false_alarm_rate: how often a
    tick alerts although nothing changed. history: one entry for each tick: its run, when, and the
    changes that were found, or the code of a refusal.
    """

    id: str
    asker: str
    request: dict[str, Any]
    rho: float
    every_s: int
    ticks: int
    false_alarm_rate: float
    next_at: int
    begun: int
    state: MonitorState
    history: list[dict[str, Any]]

    @property
    def reservation(self) -> str:
        """Name what the ledger holds for the ticks that are to come."""
        return f"monitor {self.id} {self.begun}"


class Monitors:
    """The table of monitors in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def add(self, monitor: Monitor) -> None:
        """Keep a new monitor."""
        values = {name: getattr(monitor, name) for name in Monitor.__dataclass_fields__}
        with self._engine.begin() as db:
            db.execute(sa.insert(_MONITORS).values(**values))

    def get(self, monitor: str) -> Monitor:
        """Return one monitor, or raise MonitorUnknown."""
        with self._engine.connect() as db:
            row = db.execute(sa.select(_MONITORS).where(_MONITORS.c.id == monitor)).one_or_none()
        if row is None:
            raise MonitorUnknown(monitor)
        return _monitor(row)

    def all(self, *, limit: int | None = None, before: str | None = None) -> list[Monitor]:
        """Return monitors, the newest first; those older than ``before``, or MonitorUnknown."""
        query = sa.select(_MONITORS).order_by(_MONITORS.c.number.desc()).limit(limit)
        if before is not None:
            known = sa.select(_MONITORS.c.number).where(_MONITORS.c.id == self.get(before).id)
            query = query.where(_MONITORS.c.number < known.scalar_subquery())
        with self._engine.connect() as db:
            return [_monitor(row) for row in db.execute(query)]

    def move(self, monitor: Monitor, **values: object) -> bool:
        """Change a monitor that is still as it was read; False if somebody was faster."""
        column = _MONITORS.c
        same = (column.id == monitor.id, column.state == monitor.state)
        with self._engine.begin() as db:
            query = sa.update(_MONITORS).where(*same, column.begun == monitor.begun)
            return db.execute(query.values(**values)).rowcount == 1


def _monitor(row: sa.Row[Any]) -> Monitor:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    del values["number"]
    return Monitor(**values | {"state": MonitorState(values["state"])})
