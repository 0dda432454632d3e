"""The whole console, to be hung into the application: every screen's routes, the static files."""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from api.web.page_route import lost
from api.web.pages import (
    again,
    answers,
    approvals,
    ask,
    budget,
    consent,
    ledger,
    policy,
    preferences,
    saved,
    sign_in,
    start,
    studio,
    training,
    withdrawals,
)
from api.web.render import STATIC

_SCREENS = (
    start,
    sign_in,
    ask,
    saved,
    answers,
    training,
    again,
    budget,
    studio,
    approvals,
    policy,
    withdrawals,
    consent,
    ledger,
    preferences,
)


class _Kept(StaticFiles):
    """Static files that a browser keeps: their address names their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file and let it be kept for a year."""
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def install(app: FastAPI) -> None:
    """Hang the console into an application that opens a desk when it starts."""
    app.add_exception_handler(HTTPException, lost)
    for screen in _SCREENS:
        app.include_router(screen.router)
    app.mount("/static", _Kept(directory=STATIC), name="static")
