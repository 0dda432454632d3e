"""The transparency log, for everyone with a token: nobody stands in it. Check it off line."""

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, StreamingResponse

from api.auth import AnyCaller
from api.consent_schemas import LogEntries, LogEntry, LogProof, Witnesses, WitnessView
from api.routes.desk import OpenDesk
from consent.receipts import rfc3339
from federation.coordinator.evidence_log import publish, published_log
from federation.witness import log_key, witness_keys

router = APIRouter(tags=["log"])

PAGE = 1000
Index = Annotated[int, Query(ge=0, lt=2**53)]
Size = Annotated[int, Query(ge=1, lt=2**53)]


@router.get("/api/v1/log/checkpoint", response_class=PlainTextResponse)
def read_checkpoint(desk: OpenDesk, _caller: AnyCaller) -> str:
    """Sign the log as it is now: a C2SP checkpoint, with the cosignatures there are of it."""
    publish(desk.evidence)
    return desk.evidence.log.checkpoints(newest=1)[0]


@router.get("/api/v1/log/entries")
def read_entries(
    desk: OpenDesk,
    _caller: AnyCaller,
    start: Index = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
) -> LogEntries:
    """Return entries from an index on."""
    size = desk.evidence.log.head().size
    stop = max(start, min(start + limit, size))
    found = desk.evidence.log.entries(start, stop)
    return LogEntries(
        size=size,
        entries=tuple(
            LogEntry(index=index, entry=json.loads(entry))
            for index, entry in enumerate(found, start=start)
        ),
    )


@router.get("/api/v1/log/inclusion")
def prove_inclusion(index: Index, size: Size, desk: OpenDesk, _caller: AnyCaller) -> LogProof:
    """Prove that an entry is in the tree of so many entries."""
    return _proof(desk.evidence.log.inclusion_proof(index, size))


@router.get("/api/v1/log/consistency")
def prove_consistency(first: Size, second: Size, desk: OpenDesk, _caller: AnyCaller) -> LogProof:
    """Prove that the tree of ``second`` entries continues the one of ``first``."""
    return _proof(desk.evidence.log.consistency_proof(first, second))


@router.get("/api/v1/log/export", response_class=StreamingResponse)
def export(desk: OpenDesk, _caller: AnyCaller) -> StreamingResponse:
    """Download the whole log; ``infosandbox log verify`` checks it without a network."""
    lines: Iterator[bytes] = published_log(desk.evidence)
    name = {"Content-Disposition": 'attachment; filename="log.jsonl"'}
    return StreamingResponse(lines, media_type="application/jsonl", headers=name)


@router.get("/api/v1/log/witnesses")
def read_witnesses(desk: OpenDesk, _caller: AnyCaller) -> Witnesses:
    """Return the keys to check the log with, and what each department has cosigned or refused.

    Compare the keys with your roster's: a download is never to be checked with its own.
    """
    roster = desk.evidence.roster
    return Witnesses(
        log_key=log_key(roster).text,
        keys={name: key.text for name, key in witness_keys(roster).items()},
        witnesses=tuple(
            WitnessView(
                department=heard.department,
                size=heard.size,
                refusal=heard.refusal,
                at=rfc3339(heard.at),
            )
            for heard in desk.evidence.witnesses.all()
        ),
    )


def _proof(hashes: tuple[bytes, ...]) -> LogProof:
    return LogProof(proof=tuple(each.hex() for each in hashes))
