"""For overseers: what has been released, and roughly how many of its clients have left since."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Overseer
from api.consent_schemas import WithdrawnView
from api.paging import OnePage
from api.routes.desk import RUN, OpenDesk
from consent.receipts import rfc3339
from federation.coordinator.withdrawals import withdrawn_since

router = APIRouter(tags=["consent"])


@router.get("/api/v1/withdrawals")
def list_withdrawals(
    desk: OpenDesk,
    _caller: Overseer,
    page: OnePage,
    before: Annotated[str | None, Query(pattern=RUN, description="a run of the last page")] = None,
) -> tuple[WithdrawnView, ...]:
    """Say of each release how many of its epoch's clients have withdrawn since, in buckets."""
    found = withdrawn_since(desk, limit=page.enough, before=before)
    shown = page.of(found, lambda one: one.run)
    return tuple(
        WithdrawnView.model_validate(asdict(one) | {"released_at": rfc3339(one.released_at)})
        for one in shown
    )
