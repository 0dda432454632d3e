"""A run, live."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from api.auth import Staff
from api.live import ENDED, EventStream, Pace, Streams, event_id, follow
from api.routes.desk import OpenDesk, RunId

router = APIRouter(tags=["plans"])

_PACE = Pace()
LastEventId = Annotated[
    str | None, Header(max_length=64, description="of the last event that arrived")
]


@router.get(
    "/api/v1/runs/{run_id}/events",
    response_class=StreamingResponse,
    responses={
        HTTPStatus.OK: {"content": {"text/event-stream": {}}},
        HTTPStatus.NO_CONTENT: {"description": "it has ended, and its last event arrived"},
    },
)
def follow_run(
    run_id: RunId,
    desk: OpenDesk,
    caller: Staff,
    request: Request,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream a run's progress as server-sent events until it ends."""
    run = desk.runs.get(run_id)
    if run.state in ENDED and event_id(run) == last_event_id:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    streams: Streams = request.app.state.streams
    streams.check(caller.name)
    read = partial(desk.runs.get, run_id)
    events = follow(read, pace=_PACE, last=last_event_id, streams=streams, name=caller.name)
    return EventStream(events, _PACE)
