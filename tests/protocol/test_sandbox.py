"""Starting a sandbox: what cannot run is named, and what did start is stopped again."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from federation.deployment import processes
from federation.deployment.enrolment import Enrolment
from federation.deployment.errors import AlreadyRunning, NotEnrolled, PortInUse, ProcessEnded
from federation.deployment.flower_coordinator import MODULE
from federation.deployment.sandbox import Sandbox

pytestmark = pytest.mark.protocol

Echo = Any  # of conftest.py, which importlib mode keeps from being imported


def start(state: Path, enrolment: Enrolment, **others: Any) -> Sandbox:
    toml = state.parent / "any.toml"
    departments = dict.fromkeys(enrolment.departments, toml)
    return Sandbox.start(state, enrolment, departments, coordinator=toml, **others)


def test_a_state_folder_in_use_is_refused(echo: Echo, enrolment: Enrolment) -> None:
    with pytest.raises(AlreadyRunning) as caught:
        start(echo.sandbox.state, enrolment)
    assert caught.value.pid == os.getpid()
    assert echo.ask("still here").payloads == ["still here"] * len(echo.departments)


def test_a_taken_port_is_refused_and_the_folder_is_free_again(
    enrolment: Enrolment, tmp_path: Path
) -> None:
    with socket.socket() as holder:
        holder.bind((processes.LOOPBACK, 0))
        holder.listen()
        with pytest.raises(PortInUse):
            start(tmp_path / "state", enrolment, port=holder.getsockname()[1])
    with processes.only_one(tmp_path / "state"):
        pass


def test_a_folder_without_an_enrolment_is_refused(tmp_path: Path) -> None:
    nobody = Enrolment(firm="Nobody", folder=tmp_path / "keys", departments=("a", "b"))
    with pytest.raises(NotEnrolled):
        start(tmp_path / "state", nobody)


def test_a_worker_that_cannot_import_its_app_is_named_and_everything_stops(
    enrolment: Enrolment, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with pytest.raises(ProcessEnded) as caught:
        start(state, enrolment, app="no_such_module:app")
    assert caught.value.process.endswith("-worker")
    assert "no_such_module" in caught.value.log.read_text()
    assert [pid for pid in pids() if str(state) in command_line(pid)] == []


def test_what_the_processes_write_is_for_their_user_only(echo: Echo) -> None:
    files = [path for path in echo.sandbox.state.rglob("*") if path.is_file()]
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    assert any(path.name == "superlink.db" for path in files)


def pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def test_no_token_of_a_task_stands_on_a_command_line(echo: Echo) -> None:
    """Every user of the machine can read command lines; stock Flower puts the token there."""
    lines = [command_line(pid) for pid in children_of(echo.sandbox.processes()["superexec"])]
    assert [line.split("\0")[3:5] for line in lines] == [[MODULE, "serverapp"]]
    assert not any("--token" in line for line in lines)


def runs(pid: int) -> bool:
    """Say whether a process runs; a zombie that init has not buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_server_app_does_not_outlive_its_superexec(echo: Echo) -> None:
    """Last: it ends the run. What is killed with its parent takes its own children along."""
    superexec = echo.sandbox.processes()["superexec"]
    apps = children_of(superexec)
    assert apps != []
    os.kill(superexec, signal.SIGKILL)
    for _ in range(200):
        alive = [pid for pid in apps if runs(pid)]
        if not alive:
            break
        time.sleep(0.1)
    assert alive == []
