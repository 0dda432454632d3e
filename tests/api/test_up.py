"""One command for a whole federation, with real processes."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from api.cli.exits import KNOWN
from api.demo.folder import read_folder
from api.demo.prepare import Prepared, fresh_state, prepare
from api.up import Options, run_up
from federation.errors import SettingsInvalid

START_S = 200.0
WORDS = "correct horse battery"


@pytest.fixture
def prepared(tiny_folder: Path, tmp_path: Path) -> Prepared:
    with fresh_state(tmp_path / "firm-state") as state:
        folder = read_folder(tiny_folder)
        return prepare(folder, state, now=datetime.now(UTC), progress=lambda _text, _part: None)


def options(prepared: Prepared, nodes: tuple[Path, ...], state: Path) -> Options:
    return Options(
        keys=prepared.enrolment.folder,
        coordinator=prepared.coordinator,
        nodes=nodes,
        tokens=prepared.tokens,
        people=None,
        state=state,
        port=0,
        as_json=False,
        out=Console(),
    )


def test_a_department_without_a_node_is_named(prepared: Prepared, tmp_path: Path) -> None:
    (lending, wealth) = prepared.nodes.values()
    with pytest.raises(SettingsInvalid, match=r"wealth.*--node"):
        run_up(options(prepared, (lending,), tmp_path / "up"))
    with pytest.raises(SettingsInvalid, match="named before"):
        run_up(options(prepared, (lending, wealth, wealth), tmp_path / "up"))
    assert not (tmp_path / "up").exists()


def test_a_folder_without_keys_is_refused(prepared: Prepared, tmp_path: Path) -> None:
    nowhere = options(prepared, tuple(prepared.nodes.values()), tmp_path / "up")
    with pytest.raises(KNOWN, match="enrol"):
        run_up(
            type(nowhere)(
                **{n: getattr(nowhere, n) for n in nowhere.__slots__} | {"keys": tmp_path}
            )
        )


@pytest.mark.protocol
def test_everything_comes_up_and_goes_down_again(prepared: Prepared, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "api.cli", "up", "--json", "--state", str(tmp_path / "up")]
    command += ["--keys", str(prepared.enrolment.folder), "--tokens", str(tmp_path / "no.json")]
    command += ["--coordinator", str(prepared.coordinator)]
    for node in prepared.nodes.values():
        command += ["--node", str(node)]
    out = tmp_path / "out.txt"
    err = tmp_path / "err.txt"
    with out.open("w") as file, err.open("w") as told:
        process = subprocess.Popen(command, stdout=file, stderr=told)
    try:
        deadline = time.monotonic() + START_S
        while "Ctrl-C" not in err.read_text():
            assert process.poll() is None, err.read_text()
            assert time.monotonic() < deadline, err.read_text()
            time.sleep(0.2)
        told_once = json.loads(out.read_text())
        address, _, secret = told_once["setup"].partition("/setup?link=")
        assert told_once["console"] == f"{address}/"
        assert secret not in err.read_text()
        assert httpx.get(f"{address}/readyz", trust_env=False).json()["status"] == "ok"
        body = {"link": secret, "password": WORDS, "name": "mei"}
        assert httpx.post(f"{address}/api/v1/setup", json=body, trust_env=False).is_success
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz", trust_env=False)
