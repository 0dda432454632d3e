"""Child processes that come up, can be watched, and never outlive their parent."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from federation.deployment.errors import AlreadyRunning, NotReady, PortInUse, ProcessEnded

LOOPBACK = "127.0.0.1"
_LEASH = Path(__file__).with_name("leash.py")
_LOOK_S = 0.05

# The kernel's signal follows the death of the thread that started a child, so one thread that
# lives as long as the program starts them all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process in its own group. Its log may hold data: name its place, never quote it."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def check(self) -> None:
        """Raise ProcessEnded if it has ended."""
        if (code := self.process.poll()) is not None:
            raise ProcessEnded(self.name, code, self.log)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its whole group; a group that is gone is fine."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def leashed(command: Sequence[str]) -> list[str]:
    """Return the command that runs ``command`` until it ends or the thread that started it does."""
    return [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *command]


def start(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], logs: Path
) -> Child:
    """Start a command on a leash, its output appended to ``logs/name.log`` (0600).

    Args:
        name: what errors call it; public.
        command: the program, then its arguments. Other users of the machine can
            read them: pass secrets as files.
        environment: all of its environment.
        logs: folder, made if it is missing.
    """
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = _starter.submit(
            subprocess.Popen,
            leashed(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ).result()
    finally:
        os.close(handle)
    return Child(name=name, log=log, process=process)


def wait_until(child: Child, ready: Callable[[], bool], *, seconds: float) -> None:
    """Ask ``ready`` until it says yes.

    Raises:
        ProcessEnded: the child ended first.
        NotReady: the time is over.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        child.check()
        if time.monotonic() > deadline:
            raise NotReady(child.name, seconds, child.log)
        time.sleep(_LOOK_S)


def wait_for(sign: str | None) -> None:
    """Wait in a child until its parent has made the file; None does not wait."""
    while sign is not None and not Path(sign).exists():
        time.sleep(_LOOK_S)


def stop(children: Iterable[Child], *, patience_s: float = 5.0) -> None:
    """Ask all of them to end, and kill what has not after ``patience_s`` seconds."""
    children = list(children)
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
    kill(children)


def kill(children: Iterable[Child]) -> None:
    """End them and their groups at once."""
    for child in children:
        child.signal(signal.SIGKILL)
        child.process.wait()


def listens(port: int) -> bool:
    """Say whether a program accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port(port: int = 0) -> int:
    """Find a free loopback port, or check the one that is asked for.

    Raises:
        PortInUse: ``port`` is not 0 and taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise PortInUse(port) from None
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold a folder for this process; the lock goes with the process, however it ends.

    Raises:
        AlreadyRunning: another process holds it.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(state, int(path.read_text() or 0)) from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
