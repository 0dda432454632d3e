"""One client's authorization level, for stewards only. A change binds every later plan."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from api.auth import Caller, Role, only
from api.routes.desk import OpenDesk
from api.schemas import LevelChanged, LevelRequest, LevelView
from consent.levels import level_of

router = APIRouter(tags=["consent"])

Steward = Annotated[Caller, Depends(only(Role.STEWARD))]
PATH = "/api/v1/clients/{client_id:path}/level"


@router.get(PATH)
def read_level(client_id: str, desk: OpenDesk, _caller: Steward) -> LevelView:
    """Return the level in force of one client, by the normalized id."""
    return LevelView.of(desk.register.level(client_id))


@router.put(PATH)
def set_level(client_id: str, body: LevelRequest, desk: OpenDesk, _caller: Steward) -> LevelChanged:
    """Give, raise, lower or withdraw (0) one client's authorization; answers with the new epoch."""
    epoch = desk.register.set_level(client_id, body.level, datetime.now(UTC))
    return LevelChanged(level=LevelView.of(level_of(body.level)), epoch=epoch)
