"""The wire: what the API takes and gives. Released numbers stand in ``result``, nowhere else."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from consent.catalogue import Catalogue
from consent.levels import Level
from federation.coordinator.desk import PoolView
from federation.coordinator.runs import Run, RunState, Submission
from federation.plan_base import Name
from federation.question_plan import Statistic
from federation.training_plan import LEAST_CLIP
from models.objectives import Objective
from privacy.units import PrivacyUnit

Loss = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _PlanRequest(_Wire):
    purpose: Name
    reason: str = Field(min_length=3, max_length=500)
    cohort: tuple[Name, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=16,
        description="departments; left out: every department that holds the fields",
    )
    unit: PrivacyUnit | None = Field(
        default=None, description="left out: the household if a field is of level 3 or 4"
    )
    clients_per_household: int | None = Field(
        default=None, ge=1, le=100, description="how many of one household count, if it is the unit"
    )
    tolerance: int = Field(default=1, ge=0, le=15)
    epsilon: Loss | None = Field(default=None, description="at the policy's δ; or give rho")
    rho: Loss | None = None

    def request(self) -> dict[str, object]:
        """Return what the desk turns into a plan: what the caller has set, and the kind."""
        values = self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
        return values | {"kind": self.model_dump()["kind"]}


class ConditionRequest(_Wire):
    """Only clients whose field is one label, one of some, or from one public edge up to another."""

    field: Name
    equal: str | None = None
    one_of: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1000)
    from_: float | None = Field(default=None, alias="from")
    to: float | None = None


class QuestionRequest(_PlanRequest):
    """A question: statistics of clients, in the cells that the ``by`` fields span."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "statistics": [{"kind": "count"}, {"kind": "mean", "field": "credit_limit_ntd"}],
                "by": ["age"],
                "epsilon": 0.5,
                "reason": "how credit limits grow with age",
            }
        }
    )

    kind: Literal["question"] = "question"
    statistics: tuple[Statistic, ...] = Field(min_length=1, max_length=8)
    by: tuple[Name, ...] = Field(default=(), max_length=3)
    where: tuple[ConditionRequest, ...] = Field(default=(), max_length=16)
    owned: bool = Field(default=True, description="count each client at one department only")


class TrainingRequest(_PlanRequest):
    """A training: one shared model that predicts ``target`` from ``features``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "target": "prefers_paying_in_full",
                "features": ["age", "credit_limit_ntd"],
                "clients": 25000,
                "epsilon": 2.0,
                "reason": "the shared preference model",
            }
        }
    )

    kind: Literal["training"] = "training"
    model: Name | None = Field(default=None, description="the registry's name for it")
    target: Name
    features: tuple[Name, ...] = Field(min_length=1, max_length=200)
    hidden: tuple[int, ...] = Field(default=(), max_length=2)
    clients: int | None = Field(
        default=None, ge=1, description="about how many the cohort has: chooses the recipe"
    )
    rounds: int | None = Field(default=None, ge=1, le=100, description="left out: the recipe's")
    local_steps: int | None = Field(default=None, ge=1, le=1000)
    clip_norm: float = Field(default=1.0, ge=LEAST_CLIP, le=100)
    learning_rate: float = Field(default=1.0, gt=0, le=100)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    linear_rounds: int = Field(
        default=0, ge=0, le=99, description="the first rounds train the linear part of a network"
    )
    linear_learning_rate: float = Field(default=3.0, gt=0, le=100)
    objective: Objective | None = Field(default=None, description="left out: by the target's kind")
    noise: Literal["local", "shared"] = Field(
        default="local", description="shared: less noise, one step a round"
    )
    owned: bool = Field(default=False, description="train each client at one department only")
    proximal: float = Field(default=0.0, ge=0, le=100, description="FedProx, with local noise")
    personal: bool = Field(default=False, description="the last layer stays on each node")


class EvaluationRequest(_PlanRequest):
    """An evaluation: AUC, KS and calibration of one version of a model, from noised histograms."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "model": "prefers_paying_in_full",
                "group": "education",
                "epsilon": 0.5,
                "reason": "is the model as good for every level of education",
            }
        }
    )

    kind: Literal["evaluation"] = "evaluation"
    model: Name
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="left out: the one in use, or the newest"
    )
    group: Name | None = Field(default=None, description="a field whose labels are told apart")
    bins: int = Field(default=32, ge=8, le=64)
    owned: bool = Field(default=True, description="count each client at one department only")


PlanRequest = Annotated[
    QuestionRequest | TrainingRequest | EvaluationRequest, Field(discriminator="kind")
]


class Price(_Wire):
    """What a plan costs, before anything is spent. ε is at δ."""

    rho: float
    epsilon: float
    delta: float
    remaining_rho: float = Field(description="what the purpose's pool has left")
    needs_approval: bool = Field(description="it waits until two officers agree")


class RunSummary(_Wire):
    """One run in a list."""

    id: str
    kind: Literal["question", "training", "evaluation"]
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
    free: it had been answered, and nothing was spent.
    """

    new: bool
    free: bool
    first_answered_at: datetime | None

    @classmethod
    def of_submission(cls, submission: Submission) -> Self:
        """Show a run that was just submitted."""
        run = submission.run
        free = run.state is RunState.RELEASED
        answered = _time(run.ended_at) if free else None
        told = {"new": submission.new, "free": free, "first_answered_at": answered}
        return cls.model_validate(_view(run) | told)


class BudgetWindow(_Wire):
    """One window of a pool; null where it has no budget of its own."""

    model_config = ConfigDict(from_attributes=True)

    budget_rho: float | None
    spent_rho: float
    reserved_rho: float
    remaining_rho: float | None
    budget_epsilon: float | None
    spent_epsilon: float


class Budget(_Wire):
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


class CatalogueView(_Wire):
    """The catalogue as every department holds it, and its name."""

    digest: str
    catalogue: Catalogue


class LevelView(_Wire):
    """The level in force. ``title_zh`` is its Chinese name."""

    level: int
    title: str
    title_zh: str

    @classmethod
    def of(cls, level: Level) -> Self:
        """Show a level."""
        return cls(level=int(level), title=level.title, title_zh=level.title_zh)


class Health(_Wire):
    """What the API can reach, and whether the departments still vouch for the log."""

    status: Literal["ok", "failing"]
    database: Literal["ok", "failing"]
    ledger: Literal["ok", "failing"]
    witnesses: Literal["ok", "refusing"] = Field(
        description="refusing: a department did not cosign the log's newest checkpoint; see the log"
    )


class Readiness(_Wire):
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
