"""The wire of the model registry: what a version is, and the stage a person gives it."""

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ConfigDict, Field

from api.wire import Wire
from federation.coordinator.approvals import LEAST_REASON, MOST_REASON
from federation.coordinator.model_book import Model
from federation.coordinator.registry import Stage, Staged


class StageRequest(Wire):
    """What the firm does with a version from now on, and why."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"stage": "in use", "reason": "better than version 2"}}
    )

    stage: Stage
    reason: str = Field(min_length=LEAST_REASON, max_length=MOST_REASON)


class StageView(Wire):
    """A stage that a person gave a version, and why."""

    version: int
    stage: Stage
    who: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, staged: Staged) -> Self:
        """Show a stage."""
        return cls(
            version=staged.version,
            stage=staged.stage,
            who=staged.who,
            reason=staged.reason,
            at=_time(staged.at),
        )


class ModelSummary(Wire):
    """One version of a named model in a list. ``stage`` is null until a person gave it one."""

    name: str
    version: int
    stage: Stage | None
    target: str
    purpose: str
    created_at: datetime
    epsilon: float
    delta: float
    consent_epoch: int
    run: str
    plan: str
    sha256: str = Field(description="of the file of its weights")
    code: str = Field(description="the package's version, and the digest of its sources")

    @classmethod
    def of(cls, model: Model) -> Self:
        """Show a version."""
        return cls.model_validate(_summary(model))


class ModelView(ModelSummary):
    """One version, with what its run released and the label of that."""

    result: dict[str, Any]
    label: dict[str, Any]

    @classmethod
    def of(cls, model: Model) -> Self:
        """Show everything there is to a version but its weights."""
        more = {"result": model.run.result or {}, "label": model.label}
        return cls.model_validate(_summary(model) | more)


class ModelHistory(Wire):
    """Every version of a name, newest first, and every stage that people gave them."""

    name: str
    versions: tuple[ModelSummary, ...]
    stages: tuple[StageView, ...]


def _summary(model: Model) -> dict[str, Any]:
    version, label = model.version, model.label
    return {
        "name": version.name,
        "version": version.version,
        "stage": None if model.stage is None else model.stage.stage,
        "target": model.plan.target,
        "purpose": model.plan.purpose,
        "created_at": _time(version.created_at),
        "epsilon": label["epsilon"],
        "delta": label["delta"],
        "consent_epoch": label["consent_epoch"],
        "run": version.run,
        "plan": version.plan,
        "sha256": version.sha256,
        "code": version.code,
    }


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
