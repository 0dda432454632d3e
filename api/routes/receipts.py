"""What a client may see, alone or through a steward: receipts, uses; and erasure."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

from fastapi import APIRouter

from api.auth import OfClient, Steward
from api.consent_schemas import ErasureView, Receipts, Uses, UseView
from api.people.erasing import CLIENTS, erase_everywhere
from api.routes.desk import OpenDesk
from consent.receipts import rfc3339
from federation.coordinator.consent_desk import receipts_of
from federation.coordinator.lineage import uses_of

router = APIRouter(tags=["consent"])

CLIENT = CLIENTS + "{client_id:path}"


@router.get(CLIENT + "/receipts")
def read_receipts(client_id: str, desk: OpenDesk, _caller: OfClient) -> Receipts:
    """Return every change of one client as a signed receipt that opens its entry in the log."""
    return Receipts(receipts=tuple(receipts_of(client_id, desk, now=datetime.now(UTC))))


@router.get(CLIENT + "/uses")
def read_uses(client_id: str, desk: OpenDesk, _caller: OfClient) -> Uses:
    """Say where one client was counted: purposes, dates, releases and models, never answers."""
    views = []
    for use in uses_of(client_id, desk):
        values = asdict(use) | {"released_at": rfc3339(use.released_at)}
        views.append(UseView.model_validate(values))
    return Uses(uses=tuple(views))


@router.delete(CLIENT)
def erase_client(client_id: str, desk: OpenDesk, caller: Steward) -> ErasureView:
    """Withdraw one client and destroy what ties register, epochs and log to the client.

    It cannot take anything out of backups or of results that were released before.
    """
    done = erase_everywhere(client_id, desk, by=caller.name, now=datetime.now(UTC))
    return ErasureView(
        epoch=done.epoch,
        log_index=done.index,
        entry=json.loads(done.entry),
        salt=done.salt.hex(),
        statement=done.statement,
        checkpoint=done.inclusion.checkpoint,
        proof=done.inclusion.proof,
    )
