"""One client's level, for stewards and the client. A change binds every later plan."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.auth import OfClient
from api.consent_schemas import LevelAcknowledged
from api.idempotency import Answer, IdempotencyKey, once
from api.routes.desk import OpenDesk
from api.schemas import LevelRequest, LevelView
from federation.coordinator.consent_desk import change_level

router = APIRouter(tags=["consent"])

PATH = "/api/v1/clients/{client_id:path}/level"


@router.get(PATH)
def read_level(client_id: str, desk: OpenDesk, _caller: OfClient) -> LevelView:
    """Return the level in force of one client, by the normalized id."""
    return LevelView.of(desk.register.level(client_id, datetime.now(UTC)))


@router.put(PATH, response_model=LevelAcknowledged)
def set_level(
    *,
    client_id: str,
    body: LevelRequest,
    desk: OpenDesk,
    caller: OfClient,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Give, raise, lower or withdraw (0) one client's authorization, and return the receipt.

    200 means: it is in the epoch of every plan carried out from now on, and in the log.
    """

    def work() -> Answer:
        done = change_level(client_id, body.level, desk, now=datetime.now(UTC))
        acknowledged = LevelAcknowledged(
            level=LevelView.of(done.level),
            epoch=done.epoch,
            log_index=done.index,
            receipt=done.receipt,
        )
        return Answer(body=acknowledged.model_dump_json().encode())

    return once(request, caller, idempotency_key, body, work)
