"""Where everything stands in a ledger, and how its budgets went down: kept, and only added to.

Pages ask it for places and read those entries alone, so what they cost does not grow with the
ledger. It is added up to one head: `Ledger.history` first brings it to the newest.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from privacy.entries import (
    GENESIS,
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Opened,
    Repaired,
    Reserved,
)
from privacy.errors import LedgerBroken
from privacy.pools import lineage


@dataclass(slots=True, kw_only=True)
class Course:
    """One pool over time, in ρ. What is abandoned is given back. It only grows, `left` the last.

    Attributes:
        budget: its lifetime's, now.
        times: of every change, never before the one before it.
        used: what was spent or reserved after each.
        left: the part of the budget that was left after each, 0 to 1.
    """

    budget: float = 0.0
    times: list[datetime] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)

    def used_before(self, at: datetime) -> float:
        """Return what was spent or reserved before a time."""
        place = bisect_left(self.times, at)
        return self.used[place - 1] if place else 0.0

    def move(self, at: datetime, *, by: float) -> None:
        """Note that so much more ρ, or less, is spent or reserved."""
        used = max(0.0, (self.used[-1] if self.used else 0.0) + by)
        self.times.append(max(at, self.times[-1]) if self.times else at)
        self.used.append(used)
        self.left.append(max(0.0, 1 - used / self.budget) if self.budget else 0.0)


class History:
    """What one process has read of a ledger. Safe with several threads."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._lock = RLock()
        self.length, self.head = 0, GENESIS
        self._kinds: dict[str, list[int]] = defaultdict(list)
        self._requests: dict[str, list[int]] = defaultdict(list)
        self._decided: dict[str, frozenset[str]] = {}
        self._open: dict[str, Reserved] = {}
        self._courses: dict[str, Course] = defaultdict(Course)

    def passing(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Add what is new of entries, oldest first, each after somebody else has accepted it.

        Raises:
            LedgerBroken: a new entry does not continue the last one that was added.
        """
        for entry in entries:
            yield entry
            with self._lock:
                if entry.index >= self.length:
                    self._add(entry)

    def add(self, entries: Iterable[Entry]) -> None:
        """Add what is new of entries, oldest first; LedgerBroken as by `passing`."""
        deque(self.passing(entries), maxlen=0)

    def mark(self) -> tuple[int, str]:
        """Return how many entries there are, and the digest of the last."""
        with self._lock:
            return self.length, self.head

    def newest(self, limit: int, *, kind: str = "", before: int | None = None) -> list[int]:
        """Return the places of the newest entries, newest first.

        Args:
            limit: how many at most.
            kind: of one kind of event alone, by its name in lower case; "" for all.
            before: only entries that stand before this place.
        """
        with self._lock:
            end = self.length if before is None else min(before, self.length)
            if not kind:
                return list(range(end - 1, max(-1, end - 1 - limit), -1))
            places = self._kinds.get(kind, [])
            stop = bisect_left(places, end)
            return places[max(0, stop - limit) : stop][::-1]

    def of(self, request: str) -> list[int]:
        """Return the places of every entry about a request, oldest first."""
        with self._lock:
            return list(self._requests.get(request, ()))

    def decided(self, limit: int) -> list[str]:
        """Return the requests that opinions were given on lately, the latest first."""
        with self._lock:
            latest = reversed(self._decided)
            return [request for request, _ in zip(latest, range(limit), strict=False)]

    def officers(self, request: str) -> frozenset[str]:
        """Return who gave an opinion on a request."""
        with self._lock:
            return self._decided.get(request, frozenset())

    def course(self, pool: str) -> Course:
        """Return how a pool went down; nothing of one that was never opened."""
        with self._lock:
            return self._courses.get(pool, Course())

    def _add(self, entry: Entry) -> None:
        if (entry.index, entry.previous) != (self.length, self.head):
            raise LedgerBroken(entry.index, "does not continue what was read before")
        event = entry.event
        self._kinds[type(event).__name__.lower()].append(entry.index)
        if not isinstance(event, Opened | Changed | Repaired):
            self._requests[event.request].append(entry.index)
        match event:
            case Opened() | Changed():
                course = self._courses[event.pool]
                course.budget = event.budget.value
                course.move(event.at, by=0.0)
            case Reserved():
                self._open[event.request] = event
                self._move(event, event.at, by=event.rho.value)
            case Abandoned():
                promise = self._open.pop(event.request)
                self._move(promise, event.at, by=-promise.rho.value)
            case Committed():
                self._open.pop(event.request, None)
            case Decided():
                officers = self._decided.pop(event.request, frozenset())
                self._decided[event.request] = officers | {event.officer}
            case Repaired():
                self._open.clear()
                for pool, rho in event.charged:
                    course = self._courses[pool]
                    used = course.used[-1] if course.used else 0.0
                    course.move(event.at, by=rho.value - used)
        self.length, self.head = entry.index + 1, entry.digest

    def _move(self, promise: Reserved, at: datetime, *, by: float) -> None:
        for pool in lineage(promise.pool):
            self._courses[pool].move(at, by=by)
