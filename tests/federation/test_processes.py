"""Child processes: they come up, are watched, and end with their parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from federation.deployment import processes
from federation.deployment.errors import AlreadyRunning, NotReady, PortInUse, ProcessEnded
from federation.deployment.processes import Child

SLEEP = [
    sys.executable,
    "-I",
    "-S",
    "-c",
    "import time; print('canary', flush=True); time.sleep(60)",
]
DEAF = (
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.fork()\n"
    "open(sys.argv[1] + str(os.getpid()), 'w').close()\n"
    "time.sleep(60)"
)
PARENT = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from federation.deployment import processes\n"
    "with processes.only_one(Path(sys.argv[1])):\n"
    "    child = processes.start('child', sys.argv[2:], environment={}, logs=Path(sys.argv[1]))\n"
    "    print(child.process.pid, flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[list[str]], Child]]:
    children: list[Child] = []

    def start(command: list[str]) -> Child:
        child = processes.start("child", command, environment={}, logs=tmp_path / "logs")
        children.append(child)
        return child

    yield start
    processes.kill(children)


def gone(pid: int) -> bool:
    """Wait for a process to end, which may stay a zombie of somebody else's."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_childs_output_is_in_a_log_that_nobody_else_may_read(
    begin: Callable[[list[str]], Child],
) -> None:
    child = begin(SLEEP)
    processes.wait_until(child, lambda: "canary" in child.log.read_text(), seconds=20)
    assert child.log.stat().st_mode & 0o777 == 0o600
    assert child.log.parent.stat().st_mode & 0o777 == 0o700


def test_a_child_that_ends_before_it_is_ready_is_named(
    begin: Callable[[list[str]], Child],
) -> None:
    child = begin([sys.executable, "-I", "-S", "-c", "print('canary'); raise SystemExit(3)"])
    with pytest.raises(ProcessEnded) as caught:
        processes.wait_until(child, lambda: False, seconds=20)
    assert (caught.value.process, caught.value.code) == ("child", 3)
    assert str(child.log) in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_child_that_never_gets_ready_is_named(begin: Callable[[list[str]], Child]) -> None:
    child = begin(SLEEP)
    with pytest.raises(NotReady) as caught:
        processes.wait_until(child, lambda: False, seconds=0.1)
    assert (caught.value.process, caught.value.seconds) == ("child", 0.1)
    assert str(child.log) in str(caught.value)


def test_stopping_ends_the_whole_group_even_if_it_does_not_listen(
    begin: Callable[[list[str]], Child], tmp_path: Path
) -> None:
    child = begin([*SLEEP[:-1], DEAF, str(tmp_path / "pid-")])
    processes.wait_until(child, lambda: len(list(tmp_path.glob("pid-*"))) == 2, seconds=20)
    pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    processes.stop([child], patience_s=0.2)
    assert all(gone(pid) for pid in pids)


def test_a_child_outlives_the_thread_that_asked_for_it(
    begin: Callable[[list[str]], Child],
) -> None:
    children: list[Child] = []
    thread = Thread(target=lambda: children.append(begin(SLEEP)))
    thread.start()
    thread.join()
    (child,) = children
    processes.wait_until(child, lambda: "canary" in child.log.read_text(), seconds=20)
    time.sleep(0.2)
    child.check()


def run_parent(state: Path) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(state), *SLEEP], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def test_nothing_survives_a_killed_parent(tmp_path: Path) -> None:
    parent, pid = run_parent(tmp_path / "state")
    os.kill(pid, 0)
    parent.kill()
    parent.wait()
    assert gone(pid)


def test_a_state_folder_serves_one_program_at_a_time(tmp_path: Path) -> None:
    state = tmp_path / "state"
    parent, _ = run_parent(state)
    try:
        with pytest.raises(AlreadyRunning) as caught, processes.only_one(state):
            pytest.fail("two programs hold one folder")
        assert (caught.value.state, caught.value.pid) == (state, parent.pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    with processes.only_one(state), pytest.raises(AlreadyRunning), processes.only_one(state):
        pytest.fail("one program holds a folder twice")
    with processes.only_one(state):
        pass


def test_a_taken_port_is_refused_by_number() -> None:
    with socket.socket() as holder:
        holder.bind((processes.LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert processes.listens(port)
        with pytest.raises(PortInUse) as caught:
            processes.free_port(port)
        assert caught.value.port == port
    assert processes.free_port(port) == port
    assert not processes.listens(port)


def test_a_gate_holds_until_its_file_exists(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    waiting = Thread(target=processes.wait_for, args=(str(gate),))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    gate.touch()
    waiting.join(20)
    assert not waiting.is_alive()
