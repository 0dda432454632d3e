"""Words before a client decides: what a stage of service proposes, and why a field is closed."""

from datetime import UTC, datetime

from fastapi import APIRouter

from api.auth import AnyCaller, OfClient
from api.routes.desk import OpenDesk
from api.stage_schemas import ClosedView, ProposalView, StageView
from consent.stages import STAGES, propose
from federation.coordinator.explaining import closed_fields

router = APIRouter(tags=["consent"])

CLIENT = "/api/v1/clients/{client_id:path}"


@router.get("/api/v1/stages")
def list_stages(desk: OpenDesk, _caller: AnyCaller) -> tuple[StageView, ...]:
    """Return the stages of service in order, each with what it opens and what it never does."""
    return tuple(StageView.of(stage, desk.catalogue) for stage in STAGES)


@router.get(CLIENT + "/stages/{stage}")
def read_proposal(client_id: str, stage: str, desk: OpenDesk, _caller: OfClient) -> ProposalView:
    """Return what a stage proposes to one client. It raises nothing: only the client does."""
    level = desk.register.level(client_id, datetime.now(UTC))
    return ProposalView.of(propose(stage, level, desk.catalogue), desk.catalogue)


@router.get(CLIENT + "/closed/{purpose}")
def explain_closed(
    client_id: str, purpose: str, desk: OpenDesk, _caller: OfClient
) -> tuple[ClosedView, ...]:
    """Say for each field that is closed to one client's purpose why, and what would open it."""
    found = closed_fields(client_id, purpose, desk, now=datetime.now(UTC))
    return tuple(ClosedView.of(closed) for closed in found)
