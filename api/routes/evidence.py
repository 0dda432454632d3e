"""What can be checked elsewhere: a release's label, and the evidence of everything."""

from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from api.auth import Auditor, Staff
from api.errors import NoLabel
from api.routes.desk import OpenDesk, RunId
from federation.coordinator.desk import Desk
from federation.coordinator.export import export
from federation.coordinator.label_forms import claims_of, registry_record, to_yaml

router = APIRouter(tags=["evidence"])

Form = Annotated[
    Literal["label", "claims", "registry"],
    Query(description="as it is; by the claims of NIST SP 800-226; as a draft registry record"),
]


@router.get("/api/v1/runs/{run_id}/label")
def read_label(
    run_id: RunId, desk: OpenDesk, _caller: Staff, form: Form = "label"
) -> dict[str, Any]:
    """Return a release's label as JSON."""
    return _label(run_id, desk, form)


@router.get("/api/v1/runs/{run_id}/label.yaml", response_class=Response)
def read_label_as_yaml(
    run_id: RunId, desk: OpenDesk, _caller: Staff, form: Form = "label"
) -> Response:
    """Return a release's label as YAML."""
    return Response(to_yaml(_label(run_id, desk, form)), media_type="application/yaml")


@router.get("/api/v1/evidence", response_class=StreamingResponse)
def download_evidence(desk: OpenDesk, _caller: Auditor) -> StreamingResponse:
    """Download ledger, policies, plans, labels and log; ``infosandbox verify`` checks them."""
    name = {"Content-Disposition": 'attachment; filename="evidence.jsonl"'}
    lines = export(desk, now=datetime.now(UTC))
    header = next(
        lines
    )  # by then everything was read: a damaged ledger is a problem, not half a file
    return StreamingResponse(chain([header], lines), media_type="application/jsonl", headers=name)


def _label(run: str, desk: Desk, form: str) -> dict[str, Any]:
    label = desk.runs.get(run).label
    if label is None:
        raise NoLabel(run)
    match form:
        case "claims":
            return claims_of(label)
        case "registry":
            return registry_record(label)
        case _:
            return label
