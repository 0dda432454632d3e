"""The real application over a real desk and real nodes in this process, without Flower between."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.demo.folder import read_folder
from api.demo.people import seed_people
from api.demo.prepare import Prepared, prepare
from api.logs import json_log
from api.settings import Settings
from federation.coordinator.desk import Desk
from federation.coordinator.dispatch import Dispatcher, open_dispatcher
from federation.coordinator.runs import Run, RunState
from federation.coordinator.settings import load_coordinator_settings
from federation.messages import Answer, Ask
from federation.node.answer import answer
from federation.node.node import Node, open_node
from federation.node.settings import load_settings

_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A console that runs: where it listens, and what everybody signs in with."""

    address: str
    passwords: Mapping[str, str]
    app: FastAPI
    dispatcher: Dispatcher
    prepared: Prepared
    log: StringIO

    def cookie(self, name: str) -> str:
        """Open a session for an account, without its password."""
        session: str = self.app.state.people.sessions.open(name, int(time.time()))
        return session

    def setup_link(self) -> str:
        """Make a setup link for an account."""
        link: str = self.app.state.people.links.renew("advisor", by="test", now=int(time.time()))
        return link


@contextmanager
def running(folder: Path, state: Path, *, port: int = 0) -> Iterator[Site]:
    """Run a firm of a demo folder: its nodes, its coordinator and its console."""
    prepared = prepare(read_folder(folder), state, now=datetime.now(UTC), progress=lambda *_: None)
    nodes = {name: open_node(load_settings(path)) for name, path in prepared.nodes.items()}
    settings = load_coordinator_settings(prepared.coordinator)
    dispatcher = open_dispatcher(
        settings, lambda asks, *, deadline_s: _wire(nodes, asks, deadline_s)
    )
    stop = threading.Event()
    carrier = threading.Thread(target=_carry, args=(dispatcher, stop), daemon=True)
    seeded = seed_people(settings, now=datetime.now(UTC), tell=lambda *_: None)
    log = StringIO()
    app = create_app(
        Settings(coordinator=prepared.coordinator, tokens=prepared.tokens), log=json_log(log)
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False))
    door = threading.Thread(target=server.run, daemon=True)
    carrier.start()
    door.start()
    try:
        while not server.started:
            time.sleep(_PAUSE_S)
        listening = server.servers[0].sockets[0].getsockname()[1]
        yield Site(
            address=f"http://127.0.0.1:{listening}",
            passwords={one.name: one.password for one in seeded},
            app=app,
            dispatcher=dispatcher,
            prepared=prepared,
            log=log,
        )
    finally:
        server.should_exit = True
        stop.set()
        door.join(timeout=10)
        carrier.join(timeout=30)
        dispatcher.desk.engine.dispose()


def ended(run: str, desk: Desk) -> Run:
    """Wait for a run's end."""
    while desk.runs.get(run).state in (RunState.ACCEPTED, RunState.RUNNING):
        time.sleep(_PAUSE_S)
    return desk.runs.get(run)


def _wire(
    nodes: Mapping[str, Node], asks: Mapping[str, Ask], _deadline: float
) -> dict[str, Answer]:
    return {d: answer(nodes[d], ask, int(time.time())) for d, ask in asks.items()}


def _carry(dispatcher: Dispatcher, stop: threading.Event) -> None:
    while not stop.is_set():
        if not dispatcher.carry_out_next():
            time.sleep(_PAUSE_S)
