"""The runs: plans that came in, how far they are, what they released. API adds, ServerApp takes.

Two processes share this table, so a change of state is one conditional UPDATE: whoever changes no
row came too late. A run that was taken and never ended is found when the ServerApp next starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, Row, Select, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from federation.coordinator.run_table import METADATA, RUNS
from federation.database import create_tables
from federation.errors import RunUnknown

_TURN = "waiting for its turn"
_APPROVAL = "waiting for two people to approve it"


class RunState(StrEnum):
    """waiting? → accepted → running → released | refused. A run never leaves an end state.

    A run that waits for two people's approval has reserved nothing; it may be refused from there.
    """

    WAITING = "waiting"
    ACCEPTED = "accepted"
    RUNNING = "running"
    RELEASED = "released"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One plan that came in. ``plan`` is canonical JSON; all of it may be shown to the asker.

    question: names the answer: the plan without its reason, in the consent epoch it was asked,
    under the policy. epoch: that consent epoch. policy: its name. data: each department's data
    epoch, None before the run has begun.
    accepted_at: when it came in.
    result: what was released, or None. refusal: {"code", "text"}, or None.
    """

    id: str
    request: str | None
    asker: str
    plan: bytes
    digest: str
    question: str
    attempt: int
    epoch: int
    policy: str
    data: dict[str, str] | None
    state: RunState
    progress: float
    step: str
    accepted_at: int
    ended_at: int | None
    result: dict[str, Any] | None
    label: dict[str, Any] | None
    refusal: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A run, and whether this submission made it or found it.

    result: what a stored release tells of another question than the run's own, or None.
    """

    run: Run
    new: bool
    result: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A released run without what it answered: when (seconds), on which consent epoch, its model.

    log_index: of the release, or what its label says instead.
    """

    id: str
    plan: bytes
    at: int
    epoch: int
    log_index: Any
    model: str


class Runs:
    """The table of runs in one database."""

    def __init__(self, engine: Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, METADATA)

    def attempts(self, digest: str, question: str) -> int:
        """Return the next run's attempt number: new to the plan and to the question.

        A node answers an attempt of a plan once, and a run is named by question and attempt.
        """
        known = or_(RUNS.c.digest == digest, RUNS.c.question == question)
        with self._engine.connect() as db:
            last = db.scalar(select(func.max(RUNS.c.attempt)).where(known))
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
        epoch: int,
        policy: str,
        now: int,
        waiting: bool = False,
    ) -> Submission:
        """Take a plan in under its name, or find the run that was just taken in under it."""
        row = insert(RUNS).values(
            id=run,
            request=request,
            asker=asker,
            plan=plan,
            digest=digest,
            question=question,
            attempt=attempt,
            epoch=epoch,
            policy=policy,
            state=RunState.WAITING if waiting else RunState.ACCEPTED,
            progress=0.0,
            step=_APPROVAL if waiting else _TURN,
            accepted_at=now,
        )
        try:
            with self._engine.begin() as db:
                db.execute(row)
        except IntegrityError:
            return Submission(run=self.get(run), new=False)
        return Submission(run=self.get(run), new=True)

    def get(self, run: str) -> Run:
        """Return one run, or raise RunUnknown."""
        with self._engine.connect() as db:
            row = db.execute(select(RUNS).where(RUNS.c.id == run)).one_or_none()
        if row is None:
            raise RunUnknown(run)
        return _run(row)

    def among(self, runs: Iterable[str]) -> dict[str, Run]:
        """Return those of these runs that there are, in one reading."""
        with self._engine.connect() as db:
            found = db.execute(select(RUNS).where(RUNS.c.id.in_(list(runs))))
            return {run.id: run for run in map(_run, found)}

    def latest(self, *, limit: int | None = 50, before: str | None = None) -> list[Run]:
        """Return the newest runs, newest first; those older than ``before``, or RunUnknown."""
        query = self._older(select(RUNS), before).limit(limit)
        with self._engine.connect() as db:
            return [_run(row) for row in db.execute(query)]

    def released(self, *, limit: int | None = None, before: str | None = None) -> list[Past]:
        """Return released runs, newest first, without reading what any of them answered."""
        query = select(
            RUNS.c.id,
            RUNS.c.plan,
            func.coalesce(RUNS.c.ended_at, 0).label("at"),
            func.coalesce(RUNS.c.label["consent_epoch"].as_integer(), 0).label("epoch"),
            RUNS.c.label["log_index"].label("log_index"),
            func.coalesce(RUNS.c.result["model"].as_string(), "").label("model"),
        ).where(RUNS.c.state == RunState.RELEASED)
        with self._engine.connect() as db:
            rows = db.execute(self._older(query, before).limit(limit))
            return [Past(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name

    def by_request(self, request: str) -> Run | None:
        """Return the run that an idempotency key already made, if any."""
        with self._engine.connect() as db:
            row = db.execute(select(RUNS).where(RUNS.c.request == request)).one_or_none()
        return None if row is None else _run(row)

    def answering(self, question: str) -> list[Run]:
        """Return the runs that have answered, or may still answer, this very question.

        The newest comes first.
        """
        dead = RUNS.c.state == RunState.REFUSED
        query = select(RUNS).where(RUNS.c.question == question, ~dead)
        with self._engine.connect() as db:
            return [_run(row) for row in db.execute(query.order_by(RUNS.c.number.desc()))]

    def released_in(self, epochs: list[int], policy: str) -> list[Run]:
        """Return the newest releases of some consent epochs under one policy, newest first."""
        row = RUNS.c
        query = select(RUNS).where(
            row.state == RunState.RELEASED, row.epoch.in_(epochs), row.policy == policy
        )
        with self._engine.connect() as db:
            return [_run(r) for r in db.execute(query.order_by(row.number.desc()).limit(100))]

    def epochs_since(self, at: int) -> list[int]:
        """Return the consent epochs, newest first, in which plans came in since a time."""
        query = select(RUNS.c.epoch).where(RUNS.c.accepted_at >= at).distinct()
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(RUNS.c.epoch.desc())).scalars())

    def take(self) -> Run | None:
        """Take the oldest accepted run, or None. A run is taken once, whoever asks."""
        oldest = select(RUNS.c.id).where(RUNS.c.state == RunState.ACCEPTED)
        with self._engine.connect() as db:
            run = db.scalar(oldest.order_by(RUNS.c.number).limit(1))
        if run is None or not self._move(run, RunState.ACCEPTED, state=RunState.RUNNING):
            return None
        return self.get(run)

    def waiting(self) -> list[Run]:
        """Return the runs that wait for approval, oldest first."""
        return self._in(RunState.WAITING)

    def orphans(self) -> list[Run]:
        """Return the runs some process took and never ended."""
        return self._in(RunState.RUNNING)

    def accept(self, run: str, *, since: RunState = RunState.WAITING) -> bool:
        """Let a run that waited, or was interrupted, take its turn; False if it is not so now."""
        return self._move(run, since, state=RunState.ACCEPTED, step=_TURN)

    def report(self, run: str, *, progress: float, step: str) -> None:
        """Say how far a running run is: a fraction of 1 and a few words."""
        self._move(run, RunState.RUNNING, progress=progress, step=step)

    def note_data(self, run: str, data: Mapping[str, str]) -> None:
        """Note which state of each department's rows a running run is answered from."""
        self._move(run, RunState.RUNNING, data=dict(data))

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

    def end_refused(
        self, run: str, *, code: str, text: str, now: int, since: RunState = RunState.RUNNING
    ) -> None:
        """Keep why a run that is in the state ``since`` released nothing."""
        self._move(
            run,
            since,
            state=RunState.REFUSED,
            step="refused",
            refusal={"code": code, "text": text},
            ended_at=now,
        )

    def _older(self, query: Select[Any], before: str | None) -> Select[Any]:
        """Order a query newest first, and keep to what is older than a run; RunUnknown."""
        if before is not None:
            place = select(RUNS.c.number).where(RUNS.c.id == self.get(before).id)
            query = query.where(RUNS.c.number < place.scalar_subquery())
        return query.order_by(RUNS.c.number.desc())

    def _in(self, state: RunState) -> list[Run]:
        query = select(RUNS).where(RUNS.c.state == state).order_by(RUNS.c.number)
        with self._engine.connect() as db:
            return [_run(row) for row in db.execute(query)]

    def _move(self, run: str, since: RunState, /, **values: object) -> bool:
        with self._engine.begin() as db:
            changed = db.execute(
                update(RUNS).where(RUNS.c.id == run, RUNS.c.state == since).values(**values)
            )
        return changed.rowcount == 1


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    del values["number"]
    return Run(**values | {"state": RunState(values["state"])})
