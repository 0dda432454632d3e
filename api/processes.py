"""The API as a child process, and signals that end its parent in good order."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx

from federation.deployment import processes
from federation.deployment.processes import Child

_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ")
_ENDING = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPlaces:
    """What one API process stands on: see :class:`api.settings.Settings`.

    state: the folder of its log and of the file with its address. port: on loopback; 0 takes one.
    """

    coordinator: Path
    tokens: Path
    state: Path
    people: Path | None = None
    port: int = 0

    @property
    def announce(self) -> Path:
        """The file that tells its address once it listens."""
        return self.state / "api" / "address"


def start_api(places: ApiPlaces) -> Child:
    """Start the API on loopback; it may still be importing when this returns."""
    places.announce.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-P", "-m", "api.cli", "serve"),
        *("--coordinator", str(places.coordinator)),
        *("--tokens", str(places.tokens)),
        *("--announce", str(places.announce)),
        *("--port", str(places.port)),
        *(() if places.people is None else ("--people", str(places.people))),
    ]
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["OMP_NUM_THREADS"] = "1"
    return processes.start("api", command, environment=environment, logs=places.state / "logs")


def await_api(child: Child, places: ApiPlaces, *, seconds: float) -> str:
    """Wait until the API is healthy and return its address.

    Raises:
        ProcessEnded, NotReady: it is not; both name its log.
    """
    processes.wait_until(child, places.announce.exists, seconds=seconds)
    address = places.announce.read_text(encoding="utf-8")
    processes.wait_until(child, lambda: _healthy(address), seconds=seconds)
    return address


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a terminate or hang-up end the block as Ctrl-C does, so that everything is stopped."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore further signals while processes are being stopped: a second Ctrl-C leaves none."""
    numbers = (signal.SIGINT, *_ENDING)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(*checks: Callable[[], None], seconds: float) -> None:
    """Check every so many seconds until a signal ends it, then raise KeyboardInterrupt.

    A handler that raises may do so where Python drops it, in a destructor or a callback of the
    check. A flag is not lost; who is impatient with a check that hangs sends a second signal.
    """
    told = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, *_ENDING)}
    try:
        while not told.wait(seconds):
            for check in checks:
                check()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    raise KeyboardInterrupt


def seldom(check: Callable[[], None], *, seconds: float) -> Callable[[], None]:
    """Return a check that looks at most once in so many seconds."""
    last = time.monotonic()

    def look() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            check()

    return look


def _healthy(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
