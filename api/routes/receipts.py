"""What a client may see, alone or through a steward: receipts, uses; and erasure."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import OfClient, Steward
from api.consent_schemas import ActView, ErasureView, Receipts, Uses, UseView
from api.paging import OnePage
from api.people.erasing import CLIENTS, erase_everywhere
from api.routes.desk import RUN, OpenDesk
from consent.receipts import rfc3339
from federation.coordinator.consent_desk import history_of, receipts_of
from federation.coordinator.lineage import uses_of
from federation.coordinator.steward_acts import StewardActs, What

router = APIRouter(tags=["consent"])

CLIENT = CLIENTS + "{client_id:path}"
Before = Annotated[int | None, Query(ge=1, description="the number of the last page's last")]


@router.get(CLIENT + "/receipts")
def read_receipts(
    client_id: str,
    desk: OpenDesk,
    _caller: OfClient,
    page: OnePage,
    after: Annotated[int, Query(ge=-1, description="the epoch of the last page's last")] = -1,
) -> Receipts:
    """Return each change of one client as a signed receipt that opens its entry in the log."""
    changes = [event.seq for event in history_of(client_id, desk) if event.seq > after]
    page.of(changes, str, by="after")
    found = receipts_of(client_id, desk, now=datetime.now(UTC), after=after, limit=page.limit)
    return Receipts(receipts=tuple(found))


@router.get(CLIENT + "/uses")
def read_uses(
    client_id: str,
    desk: OpenDesk,
    _caller: OfClient,
    page: OnePage,
    before: Annotated[str | None, Query(pattern=RUN, description="a run of the last page")] = None,
) -> Uses:
    """Say where one client was counted: purposes, dates, releases and models, never answers."""
    found = uses_of(client_id, desk, limit=page.enough, before=before)
    views = []
    for use in page.of(found, lambda one: one.run):
        values = asdict(use) | {"released_at": rfc3339(use.released_at)}
        views.append(UseView.model_validate(values))
    return Uses(uses=tuple(views))


@router.get(CLIENT + "/steward-acts")
def read_acts_about(
    client_id: str,
    desk: OpenDesk,
    _caller: OfClient,
    page: OnePage,
    before: Before = None,
) -> list[ActView]:
    """Say what stewards did for one client, newest first; ``Link`` leads to the next page."""
    found = StewardActs(desk.engine).about(client_id, limit=page.enough, before=before)
    shown = page.of(found, lambda act: act.number)
    return [ActView.of(act) for act in shown]


@router.get("/api/v1/steward-acts")
def read_own_acts(
    desk: OpenDesk,
    caller: Steward,
    page: OnePage,
    before: Before = None,
) -> list[ActView]:
    """Say what the steward who asks did, and for whom; an erased client is nobody."""
    found = StewardActs(desk.engine).by(caller.name, limit=page.enough, before=before)
    shown = page.of(found, lambda act: act.number)
    return [ActView.of(act) for act in shown]


@router.delete(CLIENT)
def erase_client(client_id: str, desk: OpenDesk, caller: Steward) -> ErasureView:
    """Withdraw one client and destroy what ties register, epochs and log to the client.

    It cannot take anything out of backups or of results that were released before.
    """
    now = datetime.now(UTC)
    StewardActs(desk.engine).note(caller.name, client_id, What.ERASED, at=now)
    done = erase_everywhere(client_id, desk, by=caller.name, now=now)
    return ErasureView(
        epoch=done.epoch,
        log_index=done.index,
        entry=json.loads(done.entry),
        salt=done.salt.hex(),
        statement=done.statement,
        checkpoint=done.inclusion.checkpoint,
        proof=done.inclusion.proof,
    )
