"""Rates: so many at once, then one in so many seconds, per key. Kept in memory, and bounded.

The generic cell rate algorithm: per key one number, the time at which it would be idle again.
"""

import math
import threading
from dataclasses import dataclass, field

from api.people.errors import TooManyRequests

_MOST_KEYS = 50_000


@dataclass(slots=True, kw_only=True)
class Rate:
    """A limit for each of many keys. Times are seconds of a clock that never goes back.

    burst: how many at once. every_s: after these, one in so many seconds.
    """

    burst: int
    every_s: float
    _idle_at: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def take(self, key: str, now: float) -> None:
        """Count one for a key, or raise TooManyRequests, which is not counted."""
        with self._lock:
            idle_at = max(self._idle_at.get(key, now), now)
            ahead = idle_at + self.every_s - now - self.burst * self.every_s
            if ahead > 1e-9:  # noqa: PLR2004 - less than any clock's tick
                raise TooManyRequests(max(1, math.ceil(ahead)))
            if len(self._idle_at) >= _MOST_KEYS:
                self._forget(now)
            self._idle_at[key] = idle_at + self.every_s

    def give_back(self, key: str) -> None:
        """Take one count back: it was no attempt after all."""
        with self._lock:
            if key in self._idle_at:
                self._idle_at[key] -= self.every_s

    def _forget(self, now: float) -> None:
        """Forget the idle; if nobody is, forget everybody: memory is worth more than a limit."""
        kept = {key: at for key, at in self._idle_at.items() if at > now}
        self._idle_at = kept if len(kept) < _MOST_KEYS else {}
