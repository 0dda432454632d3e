"""The runs: accepted plans, how far they are, what they released. API adds, ServerApp takes.

Two processes share this table, so a change of state is one conditional UPDATE: whoever changes no
row came too late. A run that was taken and never ended is found when the ServerApp next starts.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from federation.errors import RunUnknown

_METADATA = MetaData()
_RUNS = Table(
    "runs",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), unique=True, nullable=False),
    Column("request", String(200), unique=True),
    Column("asker", String(100), nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("question", String(64), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("progress", Float, nullable=False, default=0.0),
    Column("step", String(200), nullable=False, default=""),
    Column("accepted_at", Integer, nullable=False),
    Column("ended_at", Integer),
    Column("result", JSON),
    Column("label", JSON),
    Column("refusal", JSON),
)


class RunState(StrEnum):
    """accepted → running → released | refused. A run never leaves an end state."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    RELEASED = "released"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One accepted plan. ``plan`` is canonical JSON; everything here may be shown to the asker.

    question: names the answer: the plan without its reason, in the consent epoch it was asked.
    result: what was released, or None. refusal: {"code", "text"}, or None.
    """

    id: str
    request: str | None
    asker: str
    plan: bytes
    digest: str
    question: str
    attempt: int
    state: RunState
    progress: float
    step: str
    accepted_at: int
    ended_at: int | None
    result: dict[str, Any] | None
    label: dict[str, Any] | None
    refusal: dict[str, Any] | None


class Runs:
    """The table of runs in one database."""

    def __init__(self, engine: Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        _METADATA.create_all(engine)

    def attempts(self, digest: str) -> int:
        """Return how many runs of this plan there have been: the next one's attempt number."""
        with self._engine.connect() as db:
            last = db.scalar(select(func.max(_RUNS.c.attempt)).where(_RUNS.c.digest == digest))
        return 0 if last is None else last + 1

    def add(
        self,
        *,
        run: str,
        request: str | None,
        asker: str,
        plan: bytes,
        digest: str,
        question: str,
        attempt: int,
        now: int,
    ) -> Run:
        """Accept a plan under its name, or return the run that was just accepted under it."""
        row = insert(_RUNS).values(
            id=run,
            request=request,
            asker=asker,
            plan=plan,
            digest=digest,
            question=question,
            attempt=attempt,
            state=RunState.ACCEPTED,
            progress=0.0,
            step="waiting for its turn",
            accepted_at=now,
        )
        with suppress(IntegrityError), self._engine.begin() as db:
            db.execute(row)
        return self.get(run)

    def get(self, run: str) -> Run:
        """Return one run, or raise RunUnknown."""
        with self._engine.connect() as db:
            row = db.execute(select(_RUNS).where(_RUNS.c.id == run)).one_or_none()
        if row is None:
            raise RunUnknown(run)
        return _run(row)

    def latest(self, *, limit: int = 50) -> list[Run]:
        """Return the newest runs, newest first."""
        with self._engine.connect() as db:
            rows = db.execute(select(_RUNS).order_by(_RUNS.c.number.desc()).limit(limit)).all()
        return [_run(row) for row in rows]

    def by_request(self, request: str) -> Run | None:
        """Return the run that an idempotency key already made, if any."""
        with self._engine.connect() as db:
            row = db.execute(select(_RUNS).where(_RUNS.c.request == request)).one_or_none()
        return None if row is None else _run(row)

    def answering(self, question: str) -> Run | None:
        """Return a run that has answered, or is about to answer, this very question."""
        alive = (RunState.ACCEPTED, RunState.RUNNING, RunState.RELEASED)
        query = select(_RUNS).where(_RUNS.c.question == question, _RUNS.c.state.in_(alive))
        with self._engine.connect() as db:
            row = db.execute(query.order_by(_RUNS.c.number)).first()
        return None if row is None else _run(row)

    def take(self) -> Run | None:
        """Take the oldest accepted run, or None. A run is taken once, whoever asks."""
        oldest = select(_RUNS.c.id).where(_RUNS.c.state == RunState.ACCEPTED)
        with self._engine.connect() as db:
            run = db.scalar(oldest.order_by(_RUNS.c.number).limit(1))
        if run is None or not self._move(run, RunState.ACCEPTED, state=RunState.RUNNING):
            return None
        return self.get(run)

    def orphans(self) -> list[Run]:
        """Return the runs some process took and never ended."""
        with self._engine.connect() as db:
            rows = db.execute(select(_RUNS).where(_RUNS.c.state == RunState.RUNNING)).all()
        return [_run(row) for row in rows]

    def report(self, run: str, *, progress: float, step: str) -> None:
        """Say how far a running run is: a fraction of 1 and a few words."""
        self._move(run, RunState.RUNNING, progress=progress, step=step)

    def end_released(
        self, run: str, *, result: dict[str, Any], label: dict[str, Any], now: int
    ) -> None:
        """Keep what a run released, with its label."""
        self._move(
            run,
            RunState.RUNNING,
            state=RunState.RELEASED,
            progress=1.0,
            step="released",
            result=result,
            label=label,
            ended_at=now,
        )

    def end_refused(self, run: str, *, code: str, text: str, now: int) -> None:
        """Keep why a run released nothing."""
        self._move(
            run,
            RunState.RUNNING,
            state=RunState.REFUSED,
            step="refused",
            refusal={"code": code, "text": text},
            ended_at=now,
        )

    def _move(self, run: str, since: RunState, /, **values: object) -> bool:
        with self._engine.begin() as db:
            changed = db.execute(
                update(_RUNS).where(_RUNS.c.id == run, _RUNS.c.state == since).values(**values)
            )
        return changed.rowcount == 1


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    del values["number"]
    return Run(**values | {"state": RunState(values["state"])})
