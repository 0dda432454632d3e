"""Whether the API can work. Open to everybody, so it says nothing but ok or failing."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from api.routes.desk import OpenDesk
from api.schemas import Health
from federation.coordinator.desk import Desk
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
