"""The application: ``create_app(settings)`` wires the doors; its lifespan opens the stores."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Lock

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from api import problems
from api.auth import check_names, load_tokens
from api.idempotency import Answers
from api.limits import Limits
from api.live import Streams
from api.logs import RequestLog, json_log
from api.metrics import request_counter
from api.openapi import RESPONSES
from api.people.account_log import logging_accounts
from api.people.people import open_people
from api.people.settings import load_people_settings
from api.people.setup_link import setup_path
from api.routes import (
    approvals,
    budget,
    consent,
    cubes,
    evidence,
    health,
    live,
    models,
    monitors,
    oidc,
    people,
    plans,
    policy,
    proofs,
    receipts,
    sign_in,
    stages,
    studio,
    sweeps,
    trainings,
    withdrawals,
)
from api.routes import log as transparency
from api.settings import Settings
from api.web import console
from federation.coordinator.desk import open_desk
from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.settings import load_coordinator_settings

ROUTES = (
    monitors,
    plans,
    cubes,
    live,
    trainings,
    sweeps,
    studio,
    approvals,
    budget,
    policy,
    models,
    evidence,
    consent,
    stages,
    receipts,
    withdrawals,
    proofs,
    transparency,
    sign_in,
    oidc,
    people,
    health,
)

DESCRIPTION = (
    "Departments of one firm learn from each other's clients without showing them to each other. "
    "Submit a question or a training, follow its run, read what it released and its label."
)


def create_app(
    settings: Settings,
    *,
    log: FilteringBoundLogger | None = None,
    first_start: Callable[[str], None] | None = None,
) -> FastAPI:
    """Make the application; nothing is opened before it starts.

    ``first_start`` is told the path of a setup link (secret) if there are no accounts yet.

    When it starts it raises SettingsInvalid, CatalogueError, TokensInvalid or LedgerBroken if a
    file it stands on cannot be used.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.tokens = load_tokens(settings.tokens)
        app.state.desk = open_desk(load_coordinator_settings(settings.coordinator))
        app.state.answers = Answers(app.state.desk.engine)
        within = logging_accounts(app.state.desk.evidence)
        people = load_people_settings(settings.people)
        app.state.people = open_people(app.state.desk.engine, people, within)
        check_names(settings.tokens, app.state.tokens, app.state.people.accounts)
        if first_start is not None and (link := app.state.people.links.first(int(time.time()))):
            first_start(setup_path(link))
        app.state.heartbeat = Heartbeat(app.state.desk.engine)
        yield
        app.state.desk.engine.dispose()

    app = FastAPI(
        title="infosandbox",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        responses=RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(Limits)
    app.state.policy_lock = Lock()
    app.state.streams = Streams()
    app.state.registry = CollectorRegistry()
    requests = request_counter(app.state.registry)
    app.add_middleware(RequestLog, log=log or json_log(), requests=requests)
    for routes in ROUTES:
        app.include_router(routes.router)
    console.install(app)
    return app
