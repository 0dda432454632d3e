"""The request log: one JSON line per request, and nothing in it that names a client.

A line has the route's template ("/api/v1/clients/{client_id}/level"), never the path; no query, no
body, no header. An unexpected error is logged as its class and its place in the code: its message
and its traceback's values may hold anything, so they stay out, and no server behind sees them.
"""

import sys
import time
import traceback
from dataclasses import dataclass
from typing import TextIO

import structlog
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from api.metrics import count_request
from api.problems import internal_problem

_UNKNOWN_ROUTE = "no route"
_SERVER_ERROR = 500


def json_log(stream: TextIO | None = None) -> FilteringBoundLogger:
    """Return a logger that writes JSON lines to a stream, standard error by default."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    return logger


@dataclass(frozen=True, slots=True)  # Starlette gives the app by position
class RequestLog:
    """ASGI middleware that logs every request, and ends every unexpected error."""

    app: ASGIApp
    log: FilteringBoundLogger
    requests: Counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the last door: whatever it is ends here
            # Not .exception(): a traceback may quote what the caller sent.
            name, place = type(error).__name__, _place(error)
            self.log.error("unexpected error", error=name, place=place)  # noqa: TRY400 - as above
            if status == 0:
                status = _SERVER_ERROR
                await internal_problem()(scope, receive, send)
        route = getattr(scope.get("route"), "path", _UNKNOWN_ROUTE)
        count_request(self.requests, method=scope["method"], route=route, status=status)
        self.log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            seconds=round(time.perf_counter() - started, 4),
        )


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames[-3:]))
