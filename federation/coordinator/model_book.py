"""The registry as people read it: released versions with their runs, weights and stages."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from federation.coordinator.desk import Desk
from federation.coordinator.errors import ModelUnknown
from federation.coordinator.evidence_log import log_stage
from federation.coordinator.registry import Registry, Stage, Staged, Version
from federation.coordinator.runs import Run, RunState
from federation.plans import read_plan
from federation.training_plan import TrainingPlan
from models.errors import ModelFileInvalid
from models.files import read_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One released version. All of it is public.

    run: that trained it. label: of its release. stage: as a person last set it, or None.
    """

    version: Version
    run: Run = field(repr=False)
    plan: TrainingPlan = field(repr=False)
    label: dict[str, Any] = field(repr=False)
    stage: Staged | None


def models_of(desk: Desk, name: str | None = None) -> list[Model]:
    """Return every released version, or those of one name, newest first.

    Raises:
        ModelUnknown: no version of this name was released.
    """
    registry = Registry(desk.engine)
    found = [_model(version, registry, desk) for version in registry.all(name)]
    released = [model for model in reversed(found) if model is not None]
    if name is not None and not released:
        raise ModelUnknown(name)
    return released


def model_of(desk: Desk, name: str, version: int | None = None) -> Model:
    """Return one released version; without a number the one in use, or else the newest.

    Raises:
        ModelUnknown: there is no such version, or it was never released.
    """
    released = models_of(desk, name)
    if version is None:
        used = [m for m in released if m.stage is not None and m.stage.stage is Stage.IN_USE]
        return (used or released)[0]
    for model in released:
        if model.version.version == version:
            return model
    raise ModelUnknown(name, version)


def weights_of(version: Version, desk: Desk) -> bytes:
    """Return the file of a version's weights, checked against the registry and in itself.

    Raises:
        ModelFileInvalid: it is missing, or not the file that was trained; names the file.
    """
    try:
        data = (desk.settings.models / version.file).read_bytes()
    except OSError as error:
        raise ModelFileInvalid(path=version.file, reason="it cannot be read") from error
    if sha256(data).hexdigest() != version.sha256:
        raise ModelFileInvalid(path=version.file, reason="it has changed since it was trained")
    read_model(data, name=version.file)
    return data


def set_stage(model: Model, stage: Stage, desk: Desk, *, who: str, reason: str, at: int) -> None:
    """Give a version a stage, with a reason, and log it. ``at``: seconds since the Unix epoch."""
    Registry(desk.engine).stage(model.version, stage, who=who, reason=reason, at=at)
    log_stage(desk.evidence, model.version, stage, who=who, at=at)


def _model(version: Version, registry: Registry, desk: Desk) -> Model | None:
    run = desk.runs.get(version.run)
    plan = read_plan(run.plan)
    if run.state is not RunState.RELEASED or run.label is None:
        return None
    if not isinstance(plan, TrainingPlan):
        return None
    return Model(
        version=version, run=run, plan=plan, label=run.label, stage=registry.stage_of(version)
    )
