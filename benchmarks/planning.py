"""What replaying a year costs: 10,000 entries under another policy, beside folding the same chain.

The peer is `ledger.fold`, which any reader of a ledger must do once: it checks every link and rule.
Both take turns in one run, so a busy machine slows both; the middle of the turns is reported.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from privacy.entries import GENESIS, Abandoned, Committed, Entry, Event, Opened, Reserved, sealed
from privacy.ledger import fold
from privacy.loss import Delta, Epsilon, Rho
from privacy.replay import Proposal, replay

ENTRIES = 10_000
TURNS = 7
POOLS = ("firm", "firm/risk", "firm/advice", "firm/research")
START = datetime(2026, 1, 1, tzinfo=UTC)
PROPOSAL = Proposal(
    budgets={"firm": Epsilon(4.0), "firm/risk": Epsilon(2.0)}, delta=Delta(1e-7), rho_factor=0.5
)


def rows() -> list[dict[str, str | float]]:
    """Milliseconds of the replay (value), of the fold (peer), and their ratio."""
    entries = _year()

    def replayed() -> None:
        if not replay(entries, PROPOSAL).refused:
            raise AssertionError

    turns = [(_milliseconds(replayed), _milliseconds(lambda: fold(entries))) for _ in range(TURNS)]
    value, peer = (median(column) for column in zip(*turns, strict=True))
    return [
        {
            "name": f"replay of {ENTRIES} ledger entries under another policy, beside their fold",
            "value": round(value, 1),
            "unit": "ms",
            "peer": round(peer, 1),
            "ratio": round(value / peer, 2),
        }
    ]


def _year() -> list[Entry]:
    """Return four pools and 4,998 requests; one in ten was abandoned."""
    events: list[Event] = [
        Opened(pool=pool, budget=Rho(1.0), delta=Delta(1e-6), at=START) for pool in POOLS
    ]
    while len(events) < ENTRIES:
        n = len(events)
        at = START + timedelta(minutes=52 * n)
        rho = Rho(1e-4 + 1e-9 * n)
        events.append(Reserved(pool=POOLS[1 + n // 2 % 3], rho=rho, request=f"run {n}", at=at))
        end = Abandoned if n % 20 == 0 else Committed
        events.append(end(request=f"run {n}", at=at))
    entries: list[Entry] = []
    for index, event in enumerate(events):
        entries.append(sealed(index, entries[-1].digest if entries else GENESIS, event))
    return entries


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
