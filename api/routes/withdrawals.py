"""For overseers: what has been released, and roughly how many of its clients have left since."""

from dataclasses import asdict

from fastapi import APIRouter

from api.auth import Overseer
from api.consent_schemas import WithdrawnView
from api.routes.desk import OpenDesk
from consent.receipts import rfc3339
from federation.coordinator.withdrawals import withdrawn_since

router = APIRouter(tags=["consent"])


@router.get("/api/v1/withdrawals")
def list_withdrawals(desk: OpenDesk, _caller: Overseer) -> tuple[WithdrawnView, ...]:
    """Say of each release how many of its epoch's clients have withdrawn since, in buckets."""
    return tuple(
        WithdrawnView.model_validate(asdict(one) | {"released_at": rfc3339(one.released_at)})
        for one in withdrawn_since(desk)
    )
