"""The transparency log, receipts and level proofs, on SQLite with every commit synced to disk.

Peers, in the same call: single appends for batches, a tree computed anew for a stored proof, and
for what is signed the bare Ed25519 signatures it cannot do without. Middle values of many turns.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.commitments import commit
from consent.level_proof import Whom, issue, prove, verify
from consent.log_entries import ConsentChanged, encode
from consent.log_store import Log
from consent.merkle import EMPTY_ROOT, frontier_root, grow, leaf_hash, verify_inclusion
from consent.receipt_context import state_after
from consent.receipts import (
    DataKind,
    Event,
    Party,
    Processing,
    PurposeOpened,
    Receipt,
    Record,
    as_json_ld,
    rfc3339,
    sign_receipt,
)
from federation.database import open_database

ENTRIES = 1_000_000
BATCH = 1000
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
Row = dict[str, str | float]


def rows() -> list[Row]:
    """Appends and receipts per second, milliseconds of a proof: value, peer and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        log = Log(open_database(f"sqlite:///{Path(folder) / 'log.db'}"))
        appends = _appends(log)
        proof = _inclusion(log)
    return [appends, proof, _level_proof(), _receipts()]


def _entries(start: int, stop: int) -> list[bytes]:
    """Return consent changes as the register would log them, commitments included."""
    return [
        encode(
            ConsentChanged(
                at=1_763_779_200 + number,
                epoch=number,
                change=commit(number.to_bytes(32, "big"), {"principal": "5e" * 16, "level": 3}),
            )
        )
        for number in range(start, stop)
    ]


def _appends(log: Log) -> Row:
    batches = [_entries(n * BATCH, (n + 1) * BATCH) for n in range(20)]
    singles = _entries(20 * BATCH, 20 * BATCH + 200)
    batched = median(_seconds(lambda b=batch: log.append(b)) for batch in batches) / BATCH
    single = median(_seconds(lambda e=entry: log.append([e])) for entry in singles)
    name = f"log: durable appends in batches of {BATCH}, beside single ones"
    return _row(name, 1 / batched, 1 / single, "entries/s")


def _inclusion(log: Log) -> Row:
    filler = _entries(0, 20_000)
    while (size := log.head().size) < ENTRIES:
        log.append(filler[: ENTRIES - size])
    head = log.head()
    places = [number * 999_983 % ENTRIES for number in range(200)]
    stored = median(_seconds(lambda i=i: log.inclusion_proof(i, head.size)) for i in places)
    leaves = [leaf_hash(entry) for entry in log.entries(0, ENTRIES)]
    anew = _seconds(lambda: grow(0, [], leaves))
    _, frontier = grow(0, [], leaves)
    if frontier_root(frontier) != head.root or head.root == EMPTY_ROOT:
        raise ValueError("the log's root is not its leaves'")
    proof = log.inclusion_proof(places[1], head.size)
    verify_inclusion(leaves[places[1]], places[1], head.size, proof, head.root)
    name = f"log: inclusion proof at {ENTRIES} entries, beside the tree computed anew"
    return _row(name, stored * 1e3, anew * 1e3, "ms")


def _level_proof() -> Row:
    whom = Whom(department="risk", epoch=7, pseudonym=b"p" * 16)
    public = KEY.public_key()
    statement = b"level of this client at least 3 at risk in epoch 7" * 2

    def make_and_check() -> None:
        held = issue(4, whom, seed_key=b"s" * 32, signing_key=KEY, issued_at=0, expires_at=9)
        proof = prove(held, 3)
        verify(held.anchor, proof, 3, key=public, department="risk", epoch=7, now=1)

    def sign_and_verify() -> None:
        public.verify(KEY.sign(statement), statement)

    ours, bare = _turns(make_and_check, sign_and_verify)
    name = "level proof: issue, make and check, beside one Ed25519 signature made and checked"
    return _row(name, ours * 1e3, bare * 1e3, "ms")


def _receipts() -> Row:
    receipt = _receipt()
    payload = json.dumps(as_json_ld(receipt)).encode()
    ours, bare = _turns(lambda: sign_receipt(receipt, KEY), lambda: KEY.sign(payload))
    name = "consent receipts signed, beside bare Ed25519 signatures of the same bytes"
    return _row(name, 1 / ours, 1 / bare, "receipts/s")


def _receipt() -> Receipt:
    controller = Party(
        party_type="dpv:DataController",
        party_id="https://firm.example",
        party_name="Firm",
        party_address="1 Example Road",
        party_contact="privacy@firm.example",
    )
    kinds = tuple(DataKind(pii_type=f"kind {number}") for number in range(12))
    processing = Processing(
        privacy_notice="https://firm.example/notice/3",
        notice_digest="a" * 64,
        language="en",
        purposes=tuple(
            PurposeOpened(purpose=f"purpose_{n}", title=f"Purpose {n}", pii_information=kinds)
            for n in range(4)
        ),
        pii_controllers=(controller,),
        storage_locations=("TW",),
        retention_period="5 years",
        jurisdiction="TW",
        withdrawal_method="https://firm.example/consent",
    )
    event = Event(
        event_time=rfc3339(1_763_779_200),
        validity_duration="until withdrawn",
        entity_id="5e" * 16,
        event_state=state_after("raised", 3),
        change="raised",
        level=3,
        epoch=12,
    )
    record = Record(
        record_id="782c2fab-8bca-4ff9-b5c6-52f7d79f4095",
        pii_principal_id="5e" * 16,
        pii_processing=processing,
        event=event,
    )
    return Receipt(
        receipt_id="a6f58318-72e6-46a2-bfd7-f36d795e30cd",
        created=rfc3339(1_763_779_201),
        record=record,
    )


def _turns(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Let both take turns, so that a busy machine slows both; return their middle seconds."""
    turns = [(_seconds(ours), _seconds(peer)) for _ in range(500)]
    one, other = (median(column) for column in zip(*turns, strict=True))
    return one, other


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _row(name: str, value: float, peer: float, unit: str) -> Row:
    return {
        "name": name,
        "value": float(f"{value:.4g}"),
        "unit": unit,
        "peer": float(f"{peer:.4g}"),
        "ratio": float(f"{value / peer:.3g}"),
    }


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
