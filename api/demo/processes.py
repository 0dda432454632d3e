"""The API as a child process of the demonstration, and signals that end it in good order."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx

from api.demo.prepare import Prepared
from federation.deployment import processes
from federation.deployment.processes import Child

_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ")
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def start_api(prepared: Prepared) -> Child:
    """Start the API on a free loopback port; it may still be importing when this returns."""
    announce = _announce(prepared)
    command = [
        *(sys.executable, "-P", "-m", "api.cli", "serve"),
        *("--coordinator", str(prepared.coordinator)),
        *("--tokens", str(prepared.tokens)),
        *("--announce", str(announce)),
    ]
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["OMP_NUM_THREADS"] = "1"
    return processes.start("api", command, environment=environment, logs=prepared.state / "logs")


def await_api(child: Child, prepared: Prepared, *, seconds: float) -> str:
    """Wait until the API is healthy and return its address.

    Raises:
        ProcessEnded, NotReady: it is not; both name its log.
    """
    announce = _announce(prepared)
    processes.wait_until(child, announce.exists, seconds=seconds)
    address = announce.read_text(encoding="utf-8")
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


def seldom(check: Callable[[], None], *, seconds: float) -> Callable[[], None]:
    """Return a check that looks at most once in so many seconds."""
    last = time.monotonic()

    def look() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            check()

    return look


def _announce(prepared: Prepared) -> Path:
    return prepared.state / "api" / "address"


def _healthy(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
