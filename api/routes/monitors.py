"""Monitors: questions that ask themselves again, priced ahead, and alert when figures change."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.auth import Asker, Staff
from api.idempotency import Answer, OnlyOnce
from api.monitor_schemas import MonitorRequest, MonitorView
from api.paging import OnePage
from api.routes.desk import RUN, OpenDesk
from federation.coordinator.monitors import Monitors
from federation.coordinator.watching import stop, watch

router = APIRouter(tags=["monitors"])

MonitorId = Annotated[str, Path(pattern=RUN)]


@router.post("/api/v1/monitors", status_code=HTTPStatus.CREATED, response_model=MonitorView)
def save_monitor(
    body: MonitorRequest,
    desk: OpenDesk,
    caller: Asker,
    once: OnlyOnce,
) -> Response:
    """Watch a question; the ρ of every tick is reserved now, or nothing is."""

    def work() -> Answer:
        monitor = watch(
            body.question.request(),
            desk,
            asker=caller.name,
            every_s=body.every_s,
            ticks=body.ticks,
            false_alarm_rate=body.false_alarm_rate,
        )
        return Answer(
            status=HTTPStatus.CREATED,
            body=MonitorView.of(monitor).model_dump_json().encode(),
            headers={"Location": f"/api/v1/monitors/{monitor.id}"},
        )

    return once.do(caller, body, work)


@router.get("/api/v1/monitors")
def list_monitors(
    desk: OpenDesk,
    _caller: Staff,
    page: OnePage,
    before: Annotated[
        str | None, Query(pattern=RUN, description="a monitor of the last page")
    ] = None,
) -> list[MonitorView]:
    """Return every monitor, the newest first; ``Link`` leads to the next page."""
    found = Monitors(desk.engine).all(limit=page.enough, before=before)
    shown = page.of(found, lambda one: one.id)
    return [MonitorView.of(monitor) for monitor in shown]


@router.get("/api/v1/monitors/{run_id}")
def read_monitor(run_id: MonitorId, desk: OpenDesk, _caller: Staff) -> MonitorView:
    """Return one monitor, its ticks and the changes they found."""
    return MonitorView.of(Monitors(desk.engine).get(run_id))


@router.delete("/api/v1/monitors/{run_id}")
def stop_monitor(run_id: MonitorId, desk: OpenDesk, _caller: Asker) -> MonitorView:
    """Stop a monitor and give back what its further ticks would cost."""
    return MonitorView.of(stop(run_id, desk))
