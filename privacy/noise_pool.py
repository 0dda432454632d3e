"""A department's stock of noise: drawn while its node is idle, added when a plan needs it.

Adding a draw of the pool to a sum *is* the mechanism: OpenDP's measurement of x is x plus its
measurement of zeros, exactly, because it adds integers. The pool changes when noise is drawn, never
its law; and the time an answer takes then tells nothing of the noise in it.

What is stocked follows from plans alone, which are public: of each sigma as much as was asked for
since the process started, within LARGEST_CLASS and LARGEST. What the pool cannot give is drawn at
once, so no plan ever waits for it or fails for it.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from privacy.errors import NoisePoolRefused
from privacy.lattice import IntVector
from privacy.noise_blocks import BLOCK, NoiseBlocks
from privacy.noise_shares import Noise

LARGEST_CLASS = 2**20
"""Most draws kept of one sigma: 8 MiB, about 10 seconds of one core."""

LARGEST = 2**22
"""Most draws kept in all: 32 MiB."""

_LEAST_CLAIM = 4  # blocks: one wait for the disk serves 16,384 draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How full a pool is, and what became of its noise since the process started. Public.

    Attributes:
        left: draws that are left, by sigma.
        drawn: draws put into the pool.
        used: draws of the pool that were added to sums.
        online: draws made at once because the pool had none (the fallback).
        failures: blocks that were refused, and claims that the disk or the index failed.
    """

    left: Mapping[int, int]
    drawn: int
    used: int
    online: int
    failures: int


@dataclass(slots=True)
class _Counts:
    drawn: int = 0
    used: int = 0
    online: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Opened:
    """Draws that are marked as used on disk and not used yet, in this process only."""

    process: int = 0
    noise: dict[int, IntVector] = field(default_factory=dict, repr=False)


class NoisePool:
    """One department's pool; safe for several threads, and several processes on one folder."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        *,
        online: Noise,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open a pool; its folder is made when the first block is drawn.

        Args:
            folder: of this department alone; never to be restored from a backup.
            key: 32 bytes of this department for this use alone; secret.
            online: draws fresh noise, (sigma, size) -> int64[size]: `mechanisms.draw_noise`.
            clock: nanoseconds since the Unix epoch.

        Raises:
            NoisePoolRefused: the pool was made with another key, or its index was altered.
        """
        self._blocks = NoiseBlocks(folder=folder, key=key, clock=clock)
        self._online = online
        self._lock = Lock()
        self._asked: dict[int, int] = {}
        self._opened = _Opened()
        self._counts = _Counts()
        self._blocks.check()

    def draw(self, sigma: int, size: int) -> IntVector:
        """Return fresh noise, out of the pool as far as it goes. The `noise` of `mechanisms`.

        Guarantee: no draw is returned twice, by any process, whatever crashes (see noise_blocks).

        Args:
            sigma: standard deviation in lattice points. Public.
            size: number of draws. Public.

        Returns:
            int64[size]. SENSITIVE.
        """
        with self._lock:
            self._asked[sigma] = self._asked.get(sigma, 0) + size
            taken = self._take(sigma, size)
            missing = size - taken.size
            self._counts.used += taken.size
            self._counts.online += missing
        return np.concatenate([taken, self._online(sigma, missing)]) if missing else taken

    def refill(self) -> bool:
        """Draw one block of the sigma that lacks most, and store it; takes about 50 ms.

        When the pool is full, a block that nobody has asked for since the process started makes
        room.

        Returns:
            Whether anything was lacking.

        Raises:
            NoisePoolRefused, OSError: the pool's folder was altered, or cannot be written.
        """
        with self._lock:
            left = self._left()
            lacking = {s: min(n, LARGEST_CLASS) - left.get(s, 0) for s, n in self._asked.items()}
            stale = sorted(set(self._blocks.stored()).difference(self._asked))
        sigma = max(lacking, key=lacking.__getitem__, default=0)
        full = sum(left.values()) + BLOCK > LARGEST
        if lacking.get(sigma, 0) <= 0 or (full and not stale):
            return False
        if full:
            self._blocks.claim(stale[0], 1)
        self._blocks.store(sigma, self._online(sigma, BLOCK))
        with self._lock:
            self._counts.drawn += BLOCK
        return True

    def fill(self) -> Fill:
        """Return how full the pool is, for the department's own metrics and log."""
        with self._lock:
            counts = self._counts
            return Fill(
                left=self._left(),
                drawn=counts.drawn,
                used=counts.used,
                online=counts.online,
                failures=counts.failures,
            )

    def _left(self) -> dict[int, int]:
        left = {sigma: BLOCK * count for sigma, count in self._blocks.stored().items()}
        for sigma, noise in self._opened.noise.items():
            if noise.size:
                left[sigma] = left.get(sigma, 0) + noise.size
        return left

    def _take(self, sigma: int, size: int) -> IntVector:
        """Cut up to `size` draws off the opened ones, claiming blocks if they do not suffice."""
        if self._opened.process != os.getpid():  # a fork's parent has the same draws
            self._opened = _Opened(process=os.getpid())
        opened = self._opened.noise.pop(sigma, np.zeros(0, np.int64))
        if opened.size < size:
            blocks = max(_LEAST_CLAIM, math.ceil((size - opened.size) / BLOCK))
            opened = np.concatenate([opened, self._claimed(sigma, blocks)])
        self._opened.noise[sigma] = opened[size:]
        return opened[:size]

    def _claimed(self, sigma: int, blocks: int) -> IntVector:
        try:
            claimed = self._blocks.claim(sigma, blocks)
        except (OSError, NoisePoolRefused):
            self._counts.failures += 1
            return np.zeros(0, np.int64)
        self._counts.failures += claimed.refused
        return claimed.noise
