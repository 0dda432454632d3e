"""Whether the API can work and runs will be carried out, open to everybody; and the metrics."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import SQLAlchemyError

from api.auth import Staff
from api.metrics import CONTENT_TYPE, exposition
from api.routes.desk import OpenDesk
from api.schemas import Health, Readiness
from federation.coordinator.desk import Desk
from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.policy import FIRM
from privacy.errors import PrivacyError

router = APIRouter(tags=["health"])


@router.get("/healthz", responses={503: {"model": Health}})
def read_health(desk: OpenDesk, response: Response) -> Health:
    """Say whether the database and the ledger can be read; 503 if one cannot."""
    database, ledger = _reads_database(desk), _reads_ledger(desk)
    if not (database and ledger):
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Health(
        status="ok" if database and ledger else "failing",
        database="ok" if database else "failing",
        ledger="ok" if ledger else "failing",
        witnesses="refusing" if database and desk.evidence.witnesses.refusing() else "ok",
    )


@router.get("/readyz", responses={503: {"model": Readiness}})
def read_readiness(request: Request, desk: OpenDesk, response: Response) -> Readiness:
    """Say whether a question asked now will be taken up: as health, and the ServerApp is alive.

    Reading the ledger verifies its head: the chain since the last look, against the kept digest.
    """
    health = read_health(desk, response)
    served = health.database == "ok" and _is_served(request.app.state.heartbeat)
    ready = health.status == "ok" and served
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(
        status="ok" if ready else "failing",
        database=health.database,
        ledger=health.ledger,
        coordinator="ok" if served else "failing",
        catalogue=desk.catalogue.digest(),
    )


@router.get("/metrics", response_class=PlainTextResponse)
def read_metrics(request: Request, desk: OpenDesk, _caller: Staff) -> Response:
    """Return the budgets and the counts of requests, for Prometheus."""
    state = request.app.state
    text = exposition(desk, state.registry, alive=_is_served(state.heartbeat))
    return Response(text, media_type=CONTENT_TYPE)


def _is_served(heartbeat: Heartbeat) -> bool:
    try:
        return heartbeat.is_alive(int(time.time()))
    except SQLAlchemyError:
        return False


def _reads_database(desk: Desk) -> bool:
    try:
        desk.runs.latest(limit=1)
        desk.register.head()
    except SQLAlchemyError:
        return False
    return True


def _reads_ledger(desk: Desk) -> bool:
    try:
        desk.ledger.state(FIRM)
    except (SQLAlchemyError, PrivacyError):
        return False
    return True
