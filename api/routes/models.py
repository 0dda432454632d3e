"""The model registry: versions, their weights, and what the firm does with them."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse

from api.auth import Staff, Trainer
from api.cards.page import card_page
from api.model_schemas import ModelHistory, ModelSummary, ModelView, StageRequest, StageView
from api.paging import OnePage
from api.routes.desk import RUN, OpenDesk
from consent.purposes import NAME
from federation.coordinator.evidence_log import log_stage
from federation.coordinator.model_book import model_of, models_of, onnx_of, weights_of
from federation.coordinator.model_card import card_of, request_again
from privacy.odds_text import Language

router = APIRouter(tags=["models"])

PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

ModelName = Annotated[str, Path(pattern=NAME, description="the target's, unless the plan named it")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="from 1")]


@router.get("/api/v1/models")
def list_models(
    desk: OpenDesk,
    _caller: Staff,
    page: OnePage,
    before: Annotated[str | None, Query(pattern=RUN, description="a version's run")] = None,
) -> list[ModelSummary]:
    """Return every version of every model, newest first; ``Link`` leads to the next page."""
    found = models_of(desk.runs, desk.registry, limit=page.enough, before=before)
    shown = page.of(found, lambda one: one.run.id)
    return [ModelSummary.of(model) for model in shown]


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


@router.get("/api/v1/models/{name}/{version}/card")
def read_card(
    name: ModelName, version: VersionNumber, desk: OpenDesk, _caller: Staff
) -> dict[str, Any]:
    """Return a version's model card as JSON."""
    return card_of(model_of(desk.runs, desk.registry, name, version), desk)


@router.get("/api/v1/models/{name}/{version}/card.html", response_class=HTMLResponse)
def read_card_as_page(
    name: ModelName,
    version: VersionNumber,
    desk: OpenDesk,
    _caller: Staff,
    language: Language = "en",
) -> HTMLResponse:
    """Return a version's model card as one page without script, in English or Chinese."""
    card = card_of(model_of(desk.runs, desk.registry, name, version), desk)
    return HTMLResponse(card_page(card, language), headers=PAGE_HEADERS)


@router.get("/api/v1/models/{name}/{version}/request")
def read_request(
    name: ModelName, version: VersionNumber, desk: OpenDesk, _caller: Staff
) -> dict[str, Any]:
    """Return the request that trains a version again, under today's consent and catalogue."""
    return request_again(model_of(desk.runs, desk.registry, name, version).plan)


@router.get("/api/v1/models/{name}/{version}/onnx", response_class=Response)
def download_onnx(
    name: ModelName, version: VersionNumber, desk: OpenDesk, _caller: Staff
) -> Response:
    """Download a version as ONNX; its metadata name the weights, the plan and the catalogue."""
    model = model_of(desk.runs, desk.registry, name, version)
    data = onnx_of(model, desk.settings.models)
    return _file(data, f"{name}-{version}.onnx", sha256=sha256(data).hexdigest())


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
