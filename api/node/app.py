"""The door of one node as an application: its API, its page, and nothing of the coordinator's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry
from starlette.middleware.trustedhost import TrustedHostMiddleware
from structlog.typing import FilteringBoundLogger

from api import problems
from api.limits import Limits
from api.logs import RequestLog, json_log
from api.metrics import request_counter
from api.node import console, routes
from api.node.auth import door_token
from api.node.opening import model_in, opened
from api.node.settings import DoorSettings
from api.web.pages import preferences
from api.web.render import STATIC
from federation.node.own import OwnNode
from federation.node.own_model import OwnModel


def create_node_app(settings: DoorSettings, *, log: FilteringBoundLogger | None = None) -> FastAPI:
    """Make the application; nothing is opened before it starts.

    When it starts it raises whatever ``open_own`` and ``open_model`` refuse with.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        node = opened(settings.node)
        app.state.token = door_token(node.settings.state)
        app.state.node = node
        app.state.model = _model(settings, node)
        yield

    app = FastAPI(
        title="infosandbox node",
        version="1",
        description="One department's own node. What it answers is for the department alone.",
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(Limits)
    requests = request_counter(CollectorRegistry())
    app.add_middleware(RequestLog, log=log or json_log(), requests=requests)
    # A page of another name that resolves to this machine must not reach the door.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts))
    app.include_router(routes.router)
    app.include_router(console.router)
    app.include_router(preferences.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _model(settings: DoorSettings, node: OwnNode) -> OwnModel | None:
    if settings.model is None or settings.plan is None:
        return None
    return model_in(settings.model, settings.plan, node, card=settings.card)
