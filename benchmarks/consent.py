"""Consent at the size of a bank: decide, take a delta, record changes, and let a withdrawal bite.

The peers are what one would write first, run in the same call: the decision as a SQL join in
DuckDB, the snapshot as a dictionary, and a bare SQLite table with one durable commit per change.
"""

import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from secrets import randbelow, token_bytes
from statistics import median

import duckdb
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.catalogue import Field
from consent.decisions import decide
from consent.deltas import delta_of
from consent.epochs import EpochDelta, Snapshot, apply, open_delta, pseudonyms, sign_delta
from consent.events import Request, SetLevel
from consent.levels import Level
from consent.packed import pack
from consent.store import Register
from federation.database import open_database

CLIENTS = 1_000_000
CHANGED = 1000
PURPOSE = "insight"
THREADS = 32
KEY = Ed25519PrivateKey.generate()
PSEUDONYM_KEY = token_bytes(32)
T0 = datetime(2026, 11, 22, tzinfo=UTC)
FIELDS = tuple(
    Field(
        name=f"field_{number}",
        title="A field",
        departments=("risk",),
        kind="flag",
        level=Level(number % 4 + 1),
        purposes=(PURPOSE,),
    )
    for number in range(20)
)

Row = dict[str, str | float | None]


def rows() -> list[Row]:
    """Milliseconds and changes per second, each beside its peer."""
    names = token_bytes(16 * CLIENTS)
    snapshot = apply(Snapshot.empty("risk"), _delta(names, base=0, epoch=1))
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_decisions(snapshot, names),
            *_taken_deltas(snapshot, names),
            *_changes(Path(folder)),
            _revocation(Path(folder)),
        ]


def _delta(names: bytes, *, base: int, epoch: int, raised: int = 0) -> EpochDelta:
    """Make a delta of which every column says something, as a register of years would.

    raised: added to every level, so that a client's second delta differs from the first.
    """
    count = len(names) // 16
    return EpochDelta(
        department="risk",
        base=base,
        epoch=epoch,
        issued_at=0,
        expires_at=2**40,
        purposes=(PURPOSE, "model"),
        pseudonyms=names,
        levels=bytes((number + raised) % 5 for number in range(count)),
        expiries=b"".join(((number % 3) * 2**30).to_bytes(4) for number in range(count)),
        objections=bytes(number % 50 == 0 for number in range(count)),
        family_closed=bytes(number % 20 == 0 for number in range(count)),
        households=b"".join(names[16 * (n // 2) : 16 * (n // 2) + 16] for n in range(count)),
        places=bytes(number % 2 for number in range(count)),
    )


def _decisions(snapshot: Snapshot, names: bytes) -> list[Row]:
    listed = [names[at : at + 16] for at in range(0, len(names), 16)]
    roll = pack(listed)

    newer = apply(snapshot, _delta(token_bytes(16), base=1, epoch=2))
    turns = cycle([snapshot, newer])  # a roll remembers its places in the last one only

    def again() -> None:
        decide(snapshot, FIELDS, PURPOSE, now=1000, at_least=1).open_fields(roll)

    def first() -> None:
        decide(next(turns), FIELDS, PURPOSE, now=1000, at_least=1).open_fields(roll)

    peer = _joined(snapshot, listed)
    return [
        _row("1,000,000 clients decided for 20 fields, beside a SQL join", "ms", _ms(again), peer),
        _row("the same on a snapshot with new clients", "ms", _ms(first), peer),
    ]


def _joined(snapshot: Snapshot, listed: list[bytes]) -> float:
    """Milliseconds of the same decision as one SQL query in DuckDB, one thread like ours."""
    columns = snapshot.columns
    held = [a.to_bytes(8) + b.to_bytes(8) for a, b in snapshot.pseudonyms.T.tolist()]
    known = pa.table(
        {
            "name": pa.array(held, pa.binary(16)),
            "level": columns.levels,
            "expires": columns.expiries,
            "objections": columns.objections[0],
            "closed": columns.family_closed,
        }
    )
    asked = pa.table({"name": pa.array(listed, pa.binary(16)), "row": range(len(listed))})
    left = "CASE WHEN (expires = 0 OR expires > 1000) AND objections & 1 = 0 THEN level ELSE 0 END"
    decided = ", ".join(
        f"coalesce(({left}) >= {int(f.level)} AND ({not f.of_family} OR closed = 0), false)"
        for f in FIELDS
    )
    query = f"SELECT {decided} FROM asked LEFT JOIN known USING (name) ORDER BY row"  # noqa: S608
    with duckdb.connect(":memory:") as db:
        db.execute("SET threads = 1")
        db.execute("CREATE TABLE known AS SELECT * FROM known")
        db.execute("CREATE TABLE asked AS SELECT * FROM asked")
        del known, asked
        return _ms(lambda: db.sql(query).to_arrow_table(), turns=3)


def _taken_deltas(snapshot: Snapshot, names: bytes) -> list[Row]:
    listed = [names[at : at + 16] for at in range(0, len(names), 16)]
    levels = dict.fromkeys(listed, 4)
    known, new = names[: 16 * CHANGED], token_bytes(16 * CHANGED)
    signed = [sign_delta(_delta(n, base=1, epoch=2, raised=1), KEY) for n in (known, new)]

    def ours(data: bytes) -> Callable[[], Snapshot]:
        return lambda: apply(snapshot, open_delta(data, KEY.public_key(), department="risk"))

    def peer() -> None:
        data = signed[0]
        KEY.public_key().verify(data[-64:], b"infosandbox/consent-epoch-delta\x00" + data[:-64])
        dict(levels).update(dict.fromkeys(listed[:CHANGED], 0))

    what, beside = "1,000 {} checked and applied to a million, beside a dictionary", _ms(peer)
    return [
        _row(what.format("changes"), "ms", _ms(ours(signed[0])), beside),
        _row(what.format("new clients"), "ms", _ms(ours(signed[1])), beside),
    ]


def _changes(folder: Path) -> list[Row]:
    register, clients = _register(folder / "changes.db", 10_000)
    bare = _bare_changes_per_second(folder / "bare.db", clients)

    def one_by_one(client: str) -> None:
        register.set_level(client, randbelow(5), datetime.now(UTC))

    def by_many(turns: int = 100) -> float:
        threads = [
            threading.Thread(target=lambda: [one_by_one(c) for c in clients[:turns]])
            for _ in range(THREADS)
        ]
        return THREADS * turns / _seconds(threads)

    def in_batches(size: int = 100, turns: int = 40) -> float:
        batch: list[Request] = [SetLevel(client=c, level=randbelow(5)) for c in clients[:size]]
        begun = time.perf_counter()
        for _ in range(turns):
            register.record(batch, datetime.now(UTC))
        return size * turns / (time.perf_counter() - begun)

    what = "durable consent changes on SQLite"
    return [
        _row(f"{what}, {THREADS} threads, beside a bare table, one writer", "/s", by_many(), bare),
        _row(f"{what}, in batches of 100, beside the same", "/s", in_batches(), bare),
    ]


def _seconds(threads: list[threading.Thread]) -> float:
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


def _bare_changes_per_second(path: Path, clients: list[str], turns: int = 200) -> float:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE levels (client TEXT PRIMARY KEY, level INT) WITHOUT ROWID")
        db.executemany("INSERT INTO levels VALUES (?, 1)", [(client,) for client in clients])
    begun = time.perf_counter()
    for client in clients[:turns]:
        db.execute("UPDATE levels SET level = ? WHERE client = ?", (randbelow(5), client))
        db.commit()
    db.close()
    return turns / (time.perf_counter() - begun)


def _revocation(folder: Path, turns: int = 300) -> Row:
    """From the request to a decision at the node in which the client is closed, 100,000 clients."""
    register, clients = _register(folder / "revocation.db", 100_000)
    roll = pack(pseudonyms(PSEUDONYM_KEY, clients))
    snapshot = _pulled(register, Snapshot.empty("risk"))
    taken, bare = [], []
    for client, row in zip(clients[:turns], range(turns), strict=True):
        begun = time.perf_counter()
        register.set_level(client, 0, datetime.now(UTC))
        bare.append(time.perf_counter() - begun)
        snapshot = _pulled(register, snapshot)
        permit = decide(snapshot, FIELDS, PURPOSE, now=1000, at_least=snapshot.epoch)
        opened = permit.open_fields(roll)
        taken.append(time.perf_counter() - begun)
        if opened[row].any() or not opened[row + 1].all():
            raise SystemExit("a withdrawal did not take effect, or took too much with it")
    return _row(
        "withdrawal to effect, 100,000 clients, 99th percentile, beside its durable write alone",
        "ms",
        _percentile(taken),
        _percentile(bare),
    )


def _pulled(register: Register, snapshot: Snapshot) -> Snapshot:
    head = register.head()
    delta = delta_of(
        register.changes(snapshot.epoch),
        purposes=register.purposes(),
        key=PSEUDONYM_KEY,
        department="risk",
        base=snapshot.epoch,
        epoch=head,
        issued_at=0,
        expires_at=head + 2**30,
    )
    return apply(snapshot, open_delta(sign_delta(delta, KEY), KEY.public_key(), department="risk"))


def _register(path: Path, size: int) -> tuple[Register, list[str]]:
    register = Register(open_database(f"sqlite:///{path}"))
    clients = [f"TW{number:07}" for number in range(size)]
    register.load(((c, f"H{n // 2}", 4) for n, c in enumerate(clients)), T0 - timedelta(days=1))
    return register, clients


def _ms(work: Callable[[], object], turns: int = 7) -> float:
    times = []
    for _ in range(turns):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times) * 1e3


def _percentile(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * len(seconds))] * 1e3


def _row(name: str, unit: str, value: float, peer: float) -> Row:
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "peer": round(peer, 2),
        "ratio": round(value / peer, 3),
    }


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
