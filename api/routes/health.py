"""Whether the API can work, and runs will be carried out. Open to everybody, so it says no more."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from api.routes.desk import OpenDesk
from api.schemas import Health, Readiness
from federation.coordinator.desk import Desk
from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.policy import FIRM
from privacy.errors import PrivacyError

router = APIRouter(tags=["health"])


@router.get("/healthz")
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


@router.get("/readyz")
def read_readiness(request: Request, desk: OpenDesk, response: Response) -> Readiness:
    """Say whether a question asked now will be taken up: as health, and the ServerApp is alive."""
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
