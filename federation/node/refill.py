"""Filling a node's noise pool while nobody asks: one thread, at the lowest priority.

A leg is never made to wait. No block is begun while a leg runs or for IDLE_SECONDS after one; the
one block that may be under way (about 50 ms) runs at the lowest priority without Python's lock.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

from structlog.typing import FilteringBoundLogger

from privacy.errors import NoisePoolRefused
from privacy.noise_pool import NoisePool

IDLE_SECONDS = 5.0
_LOWEST = 19


class Refill:
    """The thread of one pool. It does nothing before start(), which only a real worker calls."""

    def __init__(
        self, pool: NoisePool, log: FilteringBoundLogger, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Prepare to fill a pool; `log` is the node's own."""
        self.pool = pool
        self._log = log
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._legs = 0
        self._busy_until = 0.0
        self._asked = False

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """Begin no block during this leg, nor until the node has been idle for some seconds."""
        with self._changed:
            self._legs += 1
        try:
            yield
        finally:
            with self._changed:
                self._legs -= 1
                self._busy_until = time.monotonic() + self._idle_seconds
                self._asked = True
                self._changed.notify()

    def start(self) -> threading.Thread:
        """Start the thread and return it; it ends with the process, or when the pool refuses."""
        thread = threading.Thread(target=self._run, name="noise pool", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        with suppress(OSError):  # only Linux gives a thread a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        drawn = False
        try:
            while True:
                self._wait_until_idle()
                if self.pool.refill():
                    drawn = True
                    with self._changed:
                        self._asked = True
                elif drawn:
                    drawn = False
                    self._log.info("noise pool filled", **asdict(self.pool.fill()))
        except (OSError, NoisePoolRefused) as error:
            self._log.error("noise pool stopped", kind=type(error).__name__)

    def _wait_until_idle(self) -> None:
        """Wait until a leg has asked, none is running, and the last one is some seconds past."""
        with self._changed:
            while True:
                left = self._busy_until - time.monotonic()
                if self._asked and not self._legs and left <= 0:
                    self._asked = False
                    return
                self._changed.wait(left if self._asked and not self._legs else None)
