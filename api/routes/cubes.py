"""Cubes: ask for one, then ask it as often as you like, which costs nothing."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Staff, Trainer
from api.cube_schemas import LinearModelView, RelationsView, TableView
from api.idempotency import OnlyOnce
from api.plan_requests import CubeRequest
from api.routes.desk import OpenDesk, RunId
from api.routes.plans import submitted
from api.schemas import Submitted
from federation.coordinator.cube_answers import counted, linear_model, relations
from federation.coordinator.cube_file import Cube, open_cube
from federation.coordinator.desk import Desk

router = APIRouter(tags=["cubes"])

FieldNames = Annotated[list[str], Query(min_length=1, max_length=2)]


@router.post("/api/v1/cubes", status_code=HTTPStatus.ACCEPTED, response_model=Submitted)
def ask_for_cube(
    body: CubeRequest,
    desk: OpenDesk,
    caller: Trainer,
    once: OnlyOnce,
) -> Response:
    """Ask for a cube. 202 and a run to follow; 200 if there is one already, which is free."""
    return submitted(body, desk, caller, once)


@router.get("/api/v1/cubes/{run_id}/table")
def read_table(run_id: RunId, desk: OpenDesk, _caller: Staff, field: FieldNames) -> TableView:
    """Return the histogram of one field of a cube, or the crosstab of two."""
    return TableView.model_validate(counted(_opened(run_id, desk), field))


@router.get("/api/v1/cubes/{run_id}/relations")
def read_relations(run_id: RunId, desk: OpenDesk, _caller: Staff) -> RelationsView:
    """Return how strongly every two fields of a cube go together, the strongest first."""
    return RelationsView.model_validate(relations(_opened(run_id, desk)))


@router.get("/api/v1/cubes/{run_id}/model")
def read_linear_model(
    run_id: RunId,
    desk: OpenDesk,
    _caller: Staff,
    target: str,
    label: Annotated[str | None, Query(description="unless given the last")] = None,
    feature: Annotated[list[str] | None, Query(description="unless given all others")] = None,
) -> LinearModelView:
    """Return a linear model of one field of a cube, given others."""
    found = linear_model(_opened(run_id, desk), target, label=label, features=feature)
    return LinearModelView.model_validate(found)


def _opened(run_id: str, desk: Desk) -> Cube:
    return open_cube(desk.runs.get(run_id), desk, now=int(time.time()))
