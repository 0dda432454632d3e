"""A federation of real processes, started once for all protocol tests that need one."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from federation.deployment.bundle import build_bundle
from federation.deployment.enrolment import Enrolment, enrol
from federation.deployment.sandbox import Sandbox

HERE = Path(__file__).parent
DEPARTMENTS = ("advisory", "research", "risk")
CANARY = "canary-7f3a91"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One leg as the echo ServerApp saw it."""

    payloads: list[str]
    errors: list[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """A running sandbox with the echo app; its ServerApp takes asks from a folder."""

    sandbox: Sandbox
    folder: Path
    numbers: Iterator[int]
    departments: tuple[str, ...] = DEPARTMENTS
    canary: str = CANARY

    def ask(self, payload: str, *, fail: bool = False, seconds: float = 60.0) -> Answer:
        """Send a payload to every department and wait for what comes back."""
        name = f"{next(self.numbers):04}"
        draft = self.folder / f"{name}.draft"
        draft.write_text(json.dumps({"payload": payload, "fail": fail, "seconds": seconds}))
        draft.rename(draft.with_suffix(".ask"))
        return self.answer(name, seconds=seconds + 30)

    def answer(self, name: str, *, seconds: float = 60.0) -> Answer:
        """Wait for the answer file of this name."""
        path = self.folder / f"{name}.answer"
        deadline = time.monotonic() + seconds
        while not path.exists():
            self.sandbox.check()
            assert time.monotonic() < deadline, f"no {path.name}"
            time.sleep(0.05)
        return Answer(**json.loads(path.read_text()))


@pytest.fixture(scope="session")
def enrolment(tmp_path_factory: pytest.TempPathFactory) -> Enrolment:
    folder = tmp_path_factory.mktemp("enrolment") / "keys"
    return enrol("Demo Firm", DEPARTMENTS, folder, now=datetime.now(UTC))


@pytest.fixture(scope="session")
def echo(enrolment: Enrolment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """Three departments run `echo_app`; what each calls its secret is CANARY and its name."""
    folder = tmp_path_factory.mktemp("echo")
    secrets = {name: folder / f"{name}.toml" for name in DEPARTMENTS}
    for name, path in secrets.items():
        path.write_text(f"{CANARY}-{name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
        sandbox = Sandbox.start(
            folder / "state",
            enrolment,
            secrets,
            coordinator=folder / "coordinator.toml",
            app="echo_app.client_app:app",
            bundle=build_bundle(HERE / "echo_app" / "pyproject.toml"),
        )
    try:
        yield Echo(sandbox=sandbox, folder=folder, numbers=count())
    finally:
        sandbox.stop()
