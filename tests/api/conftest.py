"""The API over a tiny firm: its coordinator, its callers, its log, and a port of its own."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from shutil import copytree

import pytest
import uvicorn
from fastapi.testclient import TestClient

from api.app import create_app
from api.auth import enroll_tokens
from api.logs import json_log
from api.settings import Settings
from consent.store import Register
from federation.coordinator.evidence_log import open_evidence, open_register
from federation.coordinator.runs import Runs
from federation.coordinator.settings import CoordinatorSettings, load_coordinator_settings
from federation.database import open_database
from federation.deployment.enrolment import enrol
from tests.api.tiny_firm import VIEWS, write_tiny_folder


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    return write_tiny_folder(tmp_path / "firm")


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = tmp_path_factory.mktemp("firm") / "keys"
    enrol("tiny firm", tuple(VIEWS), keys, now=datetime.now(UTC))
    return keys


@pytest.fixture
def coordinator(tiny_folder: Path, tmp_path: Path, enrolled: Path) -> CoordinatorSettings:
    """A coordinator on SQLite with no ServerApp behind it: runs stay accepted."""
    copytree(enrolled, tmp_path / "keys")
    (tmp_path / "coordinator.toml").write_text(
        f'database = "sqlite:///{tmp_path}/coordinator.db"\n'
        f'catalogue = "{tiny_folder}/catalogue.toml"\n'
        f'policy = "{tiny_folder}/policy.toml"\n'
        f'keys = "{tmp_path}/keys/coordinator"\n'
        f'consent_keys = "{tmp_path}/keys/consent"\n'
        f'models = "{tmp_path}/models"\n'
    )
    return load_coordinator_settings(tmp_path / "coordinator.toml")


@pytest.fixture
def runs(coordinator: CoordinatorSettings) -> Runs:
    return Runs(open_database(coordinator.database))


@pytest.fixture
def register(coordinator: CoordinatorSettings) -> Register:
    engine = open_database(coordinator.database)
    register = open_register(engine, open_evidence(coordinator, engine))
    register.load([("c0001", "h1", 4), ("c0002", "h2", 0)], datetime.now(UTC))
    return register


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    return enroll_tokens(tmp_path / "tokens.json")


@pytest.fixture
def settings(
    coordinator: CoordinatorSettings, register: Register, tokens: dict[str, str], tmp_path: Path
) -> Settings:
    assert coordinator.models.parent == tmp_path
    assert register.head() == 2
    assert tokens
    return Settings(coordinator=tmp_path / "coordinator.toml", tokens=tmp_path / "tokens.json")


@pytest.fixture
def log() -> StringIO:
    return StringIO()


@pytest.fixture
def anyone(settings: Settings, log: StringIO) -> Iterator[TestClient]:
    with TestClient(create_app(settings, log=json_log(log))) as client:
        yield client


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """Serve the API on a port of its own, as `infosandbox serve` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


SignIn = Callable[[str], TestClient]


@pytest.fixture
def sign_in(anyone: TestClient, tokens: dict[str, str]) -> SignIn:
    bearer = {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}
    return lambda name: TestClient(anyone.app, headers=bearer[name])


@pytest.fixture
def analyst(sign_in: SignIn) -> TestClient:
    return sign_in("analyst")


@pytest.fixture
def steward(sign_in: SignIn) -> TestClient:
    return sign_in("steward")
