"""The registry as people read it: released versions with their runs, weights and stages."""

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any

from federation.coordinator.errors import ModelUnknown
from federation.coordinator.registry import Registry, Stage, Staged, Version
from federation.coordinator.runs import Run, Runs, RunState
from federation.errors import PlanInvalid
from federation.evaluation_plan import EvaluationPlan
from federation.plans import digest, read_plan
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


def models_of(
    runs: Runs,
    registry: Registry,
    name: str | None = None,
    *,
    limit: int | None = None,
    before: str | None = None,
) -> list[Model]:
    """Return every released version, or those of one name, newest first.

    Args:
        runs: that trained them.
        registry: of the versions.
        name: of one model.
        limit: how many at most.
        before: a version's run; only versions that are older.

    Raises:
        ModelUnknown: no version of this name was released.
    """
    versions = registry.all(name)[::-1]
    if before is not None:
        versions = list(dropwhile(lambda version: version.run != before, versions))[1:]
    found = (_model(version, registry, runs) for version in versions)
    released = list(islice((model for model in found if model is not None), limit))
    if name is not None and not released:
        raise ModelUnknown(name)
    return released


def model_of(runs: Runs, registry: Registry, name: str, version: int | None = None) -> Model:
    """Return one released version; without a number the one in use, or else the newest.

    Raises:
        ModelUnknown: there is no such version, or it was never released.
    """
    released = models_of(runs, registry, name)
    if version is None:
        used = [m for m in released if m.stage is not None and m.stage.stage is Stage.IN_USE]
        return (used or released)[0]
    for model in released:
        if model.version.version == version:
            return model
    raise ModelUnknown(name, version)


def weights_of(version: Version, folder: Path) -> bytes:
    """Return the file of a version's weights, checked against the registry and in itself.

    Raises:
        ModelFileInvalid: it is missing, or not the file that was trained; names the file.
    """
    try:
        data = (folder / version.file).read_bytes()
    except OSError as error:
        raise ModelFileInvalid(path=version.file, reason="it cannot be read") from error
    if sha256(data).hexdigest() != version.sha256:
        raise ModelFileInvalid(path=version.file, reason="it has changed since it was trained")
    read_model(data, name=version.file)
    return data


def onnx_of(model: Model, folder: Path) -> bytes:
    """Return a version as ONNX; what it was trained as stands in the file's metadata.

    Raises:
        ModelFileInvalid: as weights_of.
    """
    from models.onnx_export import to_onnx  # noqa: PLC0415 - slow to load, and few want the file

    version = model.version
    architecture, weights = read_model(weights_of(version, folder), name=version.file)
    metadata = {
        "name": version.name,
        "version": str(version.version),
        "run": version.run,
        "plan": version.plan,
        "catalogue": model.plan.catalogue,
        "weights": version.sha256,
        "features": ",".join(model.plan.features),
    }
    return to_onnx(architecture, weights, metadata=metadata)


def weights_for(plan: EvaluationPlan, runs: Runs, registry: Registry, folder: Path) -> bytes:
    """Return the file of the weights that an evaluation names, if it names a released version.

    Raises:
        PlanInvalid: its run, its digest and its training are not those of one version.
        ModelFileInvalid: as weights_of.
    """
    for version in registry.all():
        told = (version.run, version.sha256, version.plan)
        if told == (plan.run, plan.sha256, digest(plan.training).hex()):
            if runs.get(version.run).state is RunState.RELEASED:
                return weights_of(version, folder)
            break
    raise PlanInvalid("run: no released model has this run, these weights and this training")


def _model(version: Version, registry: Registry, runs: Runs) -> Model | None:
    run = runs.get(version.run)
    plan = read_plan(run.plan)
    if run.state is not RunState.RELEASED or run.label is None:
        return None
    if not isinstance(plan, TrainingPlan):
        return None
    return Model(
        version=version, run=run, plan=plan, label=run.label, stage=registry.stage_of(version)
    )
