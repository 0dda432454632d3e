"""What the ledger costs: admitting a plan late in its life, folding it, opening it again.

Each figure has a peer that does only the unavoidable part of the same work in the same turn: one
row written and synced to disk, the same lines parsed and hashed, the same rows read. So a busy
machine slows both. Entries have distinct requests and losses, three pools deep, with windows.
"""

import hashlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from federation.database import open_database
from privacy.entries import GENESIS, Committed, Entry, Event, Opened, Reserved, sealed, to_text
from privacy.heads import head_of, head_text
from privacy.ledger import fold, follow
from privacy.ledger_state import EMPTY
from privacy.ledger_tables import ENTRIES, HEAD, exclusive
from privacy.loss import Delta, Rho
from privacy.store import Ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
DELTA = Delta(1e-6)
POOLS = ("firm", "firm/review", "firm/review/study")
SHORT, LONG = 10_000, 100_000
TURNS = 200


def rows() -> list[dict[str, str | float]]:
    """Milliseconds of ours (value) and of the peer, and their ratio."""
    chain = _chain(LONG)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        engine = _stored(chain, home)
        opened = _opening(engine, home)
        figures = [_admitting(engine, home, at=chain[-1].event.at), opened, _folding(chain[:SHORT])]
        engine.dispose()
    return figures


def _admitting(engine: sa.Engine, home: Path, *, at: datetime) -> dict[str, str | float]:
    ledger = Ledger(engine, head=home / "ledger.head")
    ledger.verify()
    bare = sqlite3.connect(home / "bare.db", isolation_level=None)
    bare.execute("pragma journal_mode = wal")
    bare.execute("pragma synchronous = full")
    bare.execute("create table entries (number integer primary key, entry text, digest text)")
    line = "x" * 300

    def ours(turn: int) -> None:
        ledger.reserve(POOLS[-1], Rho(0.001), f"plan {turn}", at)

    def peer(turn: int) -> None:
        bare.execute("insert into entries values (?, ?, ?)", (turn, line, GENESIS))

    turns = [
        (_milliseconds(lambda n=turn: ours(n)), _milliseconds(lambda n=turn: peer(n)))
        for turn in range(TURNS)
    ]
    bare.close()
    value, other = (median(column) for column in zip(*turns, strict=True))
    name = f"admit a plan against a ledger of {LONG} entries, beside one bare row synced to disk"
    return _figure(name, value, other)


def _opening(engine: sa.Engine, home: Path) -> dict[str, str | float]:
    def peer() -> None:
        with sqlite3.connect(home / "ledger.db") as bare:
            bare.execute('select * from privacy_ledger order by "index"').fetchall()

    value = _milliseconds(lambda: Ledger(engine).verify())
    name = f"open a ledger of {LONG} entries and verify all of it, beside a bare read of its rows"
    return _figure(name, value, _milliseconds(peer))


def _folding(chain: list[Entry]) -> dict[str, str | float]:
    lines = [to_text(entry) for entry in chain]

    def peer() -> None:
        for line in lines:
            json.loads(line)
            hashlib.sha256(line.encode()).hexdigest()

    turns = [(_milliseconds(lambda: fold(chain)), _milliseconds(peer)) for _ in range(5)]
    value, other = (median(column) for column in zip(*turns, strict=True))
    name = f"fold {SHORT} entries, checking each, beside parsing and hashing their lines"
    return _figure(name, value, other)


def _chain(length: int) -> list[Entry]:
    """Seal a history: pools, then promises kept five minutes apart, over most of a year."""
    budgets = {"budget": Rho(1e6), "year": Rho(1e6), "month": Rho(1e6)}
    events: list[Event] = [Opened(pool=pool, delta=DELTA, at=START, **budgets) for pool in POOLS]
    for n in range((length - len(events)) // 2 + 1):
        at = START + timedelta(minutes=5 * n)
        name = f"{n:064x}#0"
        events.append(Reserved(pool=POOLS[-1], rho=Rho(1e-3 + n * 1e-7), request=name, at=at))
        events.append(Committed(request=name, at=at))
    chain: list[Entry] = []
    for index, event in enumerate(events[:length]):
        chain.append(sealed(index, chain[-1].digest if chain else GENESIS, event))
    return chain


def _stored(chain: list[Entry], home: Path) -> sa.Engine:
    """Put a chain into a database at once, as if it had grown there."""
    engine = open_database(f"sqlite:///{home / 'ledger.db'}")
    Ledger(engine)
    lines = [{"index": e.index, "entry": to_text(e), "digest": e.digest} for e in chain]
    with exclusive(engine) as connection:
        connection.execute(ENTRIES.insert(), lines)
        connection.execute(
            HEAD.insert().values(one=1, head=head_text(head_of(follow(EMPTY, chain))))
        )
    return engine


def _figure(name: str, value: float, peer: float) -> dict[str, str | float]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": "ms",
        "peer": round(peer, 3),
        "ratio": round(value / peer, 2),
    }


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
