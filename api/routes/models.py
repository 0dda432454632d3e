"""The model registry: versions, their weights, and what the firm does with them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.auth import Staff, Trainer
from api.model_schemas import ModelHistory, ModelSummary, ModelView, StageRequest, StageView
from api.routes.desk import OpenDesk
from consent.purposes import NAME
from federation.coordinator.evidence_log import log_stage
from federation.coordinator.model_book import model_of, models_of, weights_of

router = APIRouter(tags=["models"])

ModelName = Annotated[str, Path(pattern=NAME, description="the target's, unless the plan named it")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="from 1")]


@router.get("/api/v1/models")
def list_models(desk: OpenDesk, _caller: Staff) -> list[ModelSummary]:
    """Return every version of every model, newest first."""
    return [ModelSummary.of(model) for model in models_of(desk.runs, desk.registry)]


@router.get("/api/v1/models/{name}")
def read_model(name: ModelName, desk: OpenDesk, _caller: Staff) -> ModelHistory:
    """Return the versions of one model, newest first, and the stages that people gave them."""
    return ModelHistory(
        name=name,
        versions=tuple(
            ModelSummary.of(model) for model in models_of(desk.runs, desk.registry, name)
        ),
        stages=tuple(StageView.of(each) for each in desk.registry.stages(name)),
    )


@router.get("/api/v1/models/{name}/{version}")
def read_version(
    name: ModelName, version: VersionNumber, desk: OpenDesk, _caller: Staff
) -> ModelView:
    """Return one version: what its run released, and its label."""
    return ModelView.of(model_of(desk.runs, desk.registry, name, version))


@router.get("/api/v1/models/{name}/{version}/weights", response_class=Response)
def download_weights(
    name: ModelName, version: VersionNumber, desk: OpenDesk, _caller: Staff
) -> Response:
    """Download the weights as safetensors; ``X-SHA256`` holds the registry's digest of the file."""
    found = model_of(desk.runs, desk.registry, name, version).version
    return _file(
        weights_of(found, desk.settings.models),
        f"{name}-{version}.safetensors",
        sha256=found.sha256,
    )


@router.post("/api/v1/models/{name}/{version}/stage")
def give_stage(
    name: ModelName, version: VersionNumber, body: StageRequest, desk: OpenDesk, caller: Trainer
) -> ModelSummary:
    """Put a version on trial, in use or retire it, with a reason that is kept and logged."""
    model = model_of(desk.runs, desk.registry, name, version)
    at = int(datetime.now(UTC).timestamp())
    desk.registry.stage(model.version, body.stage, who=caller.name, reason=body.reason, at=at)
    log_stage(desk.evidence, model.version, body.stage, who=caller.name, at=at)
    return ModelSummary.of(model_of(desk.runs, desk.registry, name, version))


def _file(data: bytes, name: str, *, sha256: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-SHA256": sha256}
    return Response(data, media_type="application/octet-stream", headers=headers)
