"""The wire: what the API takes and gives. Released numbers stand in ``result``, nowhere else."""

import json
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue

from api.wire import Wire
from consent.catalogue import Catalogue
from consent.levels import Level
from federation.coordinator.desk import PoolView
from federation.coordinator.runs import Run, RunState, Submission
from federation.plan_base import Kind


class Price(Wire):
    """What a plan costs, before anything is spent. ε is at δ."""

    rho: float
    epsilon: float
    delta: float
    remaining_rho: float = Field(description="what the purpose's pool has left")
    needs_approval: bool = Field(description="it waits until two officers agree")
    owners_save: float = Field(
        ge=1, description="how many times as wide the noise were if no client had one owner"
    )
    clients_per_household: int = Field(
        ge=1,
        description="how many clients of one household count; noise is so many times as wide as if "
        "one did. 1 where the client is protected",
    )


class RunSummary(Wire):
    """One run in a list."""

    id: str
    kind: Kind
    purpose: str
    state: RunState
    asker: str
    accepted_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, run: Run) -> Self:
        """Show a run without what it released."""
        return cls.model_validate(_summary(run))


class RunView(RunSummary):
    """One run: how far it is, and what it released or why it released nothing."""

    progress: float = Field(ge=0, le=1)
    step: str
    plan: dict[str, JsonValue]
    result: dict[str, Any] | None
    label: dict[str, Any] | None
    refusal: dict[str, Any] | None

    @classmethod
    def of(cls, run: Run) -> Self:
        """Show everything there is to a run."""
        return cls.model_validate(_view(run))


class Submitted(RunView):
    """A run as the asker first sees it.

    new: this request made it; otherwise it was there, for the same key or the same question.
    free: it had been answered, and nothing was spent. follows: the run answers another question;
    what this one asks follows from its release, and ``result`` tells it.
    """

    new: bool
    free: bool
    follows: bool = False
    first_answered_at: datetime | None

    @classmethod
    def of_submission(cls, submission: Submission) -> Self:
        """Show a run that was just submitted."""
        run = submission.run
        free = run.state is RunState.RELEASED
        answered = _time(run.ended_at) if free else None
        told: dict[str, Any] = {"new": submission.new, "free": free, "first_answered_at": answered}
        if submission.result is not None:
            told |= {"result": submission.result, "follows": True}
        return cls.model_validate(_view(run) | told)


class BudgetWindow(Wire):
    """One window of a pool; null where it has no budget of its own."""

    model_config = ConfigDict(from_attributes=True)

    budget_rho: float | None
    spent_rho: float
    reserved_rho: float
    remaining_rho: float | None
    budget_epsilon: float | None
    spent_epsilon: float


class Budget(Wire):
    """One pool: ρ as the ledger holds it, and ε at δ. Reserved counts as spent.

    The plain figures are for life, but for ``remaining_rho``: the least of all windows. ``month``
    is the calendar month in UTC, ``year`` that one and the eleven before.
    """

    model_config = ConfigDict(from_attributes=True)

    pool: str
    budget_rho: float
    spent_rho: float
    reserved_rho: float
    remaining_rho: float
    budget_epsilon: float
    spent_epsilon: float
    delta: float
    month: BudgetWindow
    year: BudgetWindow
    lifetime: BudgetWindow

    @classmethod
    def of(cls, view: PoolView) -> Self:
        """Show one pool of the desk."""
        return cls.model_validate(view)


class CatalogueView(Wire):
    """The catalogue as every department holds it, and its name."""

    digest: str
    catalogue: Catalogue


class LevelView(Wire):
    """The level in force. ``title_zh`` is its Chinese name."""

    level: int
    title: str
    title_zh: str

    @classmethod
    def of(cls, level: Level) -> Self:
        """Show a level."""
        return cls(level=int(level), title=level.title, title_zh=level.title_zh)


class Health(Wire):
    """What the API can reach, and whether the departments still vouch for the log."""

    status: Literal["ok", "failing"]
    database: Literal["ok", "failing"]
    ledger: Literal["ok", "failing"]
    witnesses: Literal["ok", "refusing"] = Field(
        description="refusing: a department did not cosign the log's newest checkpoint; see the log"
    )


class Readiness(Wire):
    """Whether a question that is asked now will be answered. ``catalogue``: digest of the one."""

    status: Literal["ok", "failing"]
    database: Literal["ok", "failing"]
    ledger: Literal["ok", "failing"]
    coordinator: Literal["ok", "failing"]
    catalogue: str


def _summary(run: Run) -> dict[str, Any]:
    plan = json.loads(run.plan)
    return {
        "id": run.id,
        "kind": plan["kind"],
        "purpose": plan["purpose"],
        "state": run.state,
        "asker": run.asker,
        "accepted_at": _time(run.accepted_at),
        "ended_at": _time(run.ended_at),
    }


def _view(run: Run) -> dict[str, Any]:
    return _summary(run) | {
        "progress": run.progress,
        "step": run.step,
        "plan": json.loads(run.plan),
        "result": run.result,
        "label": run.label,
        "refusal": run.refusal,
    }


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
