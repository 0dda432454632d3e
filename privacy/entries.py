"""Ledger entries and the chain that holds them in order.

An entry is an event with its index and the digest of the entry before it; its own digest is the
SHA-256 of all three in canonical JSON (RFC 8785). Changing, inserting or removing an entry changes
every digest after it, so a head digest kept elsewhere pins the whole history before it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import rfc8785

from privacy.errors import InvalidBound, LedgerBroken, PrivacyError
from privacy.loss import Delta, Rho

GENESIS = "0" * 64
"""What stands for the digest before the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A pool was given its budget, once. `delta` is where its epsilon is shown."""

    pool: str
    budget: Rho
    delta: Delta
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A request may spend rho from a pool and every pool above it."""

    pool: str
    rho: Rho
    request: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A reserved request was released: its rho is spent for good."""

    request: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """A reserved request came to nothing that anyone saw: its rho is free again."""

    request: str
    at: datetime


Event = Opened | Reserved | Committed | Abandoned


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in its place.

    Attributes:
        index: position from 0.
        previous: digest of the entry before, or GENESIS.
        event: what happened.
        digest: SHA-256 in hex over index, previous and event.
    """

    index: int
    previous: str
    event: Event
    digest: str


def sealed(index: int, previous: str, event: Event) -> Entry:
    """Return the entry that an event makes at a place in the chain.

    Raises:
        InvalidBound: the event's time has no zone, or a name is not valid Unicode.
    """
    digest = hashlib.sha256(_canonical(index, previous, event)).hexdigest()
    return Entry(index=index, previous=previous, event=event, digest=digest)


def to_text(entry: Entry) -> str:
    """Return the canonical JSON that an entry's digest covers."""
    return _canonical(entry.index, entry.previous, entry.event).decode()


def from_text(text: str, digest: str, *, index: int) -> Entry:
    """Read an entry back from its canonical JSON and its digest.

    Only the form is checked here; `ledger.follow` checks the chain.

    Args:
        text: what `to_text` wrote.
        digest: the digest that was stored with it.
        index: where the entry was found.

    Raises:
        LedgerBroken: the text is not exactly what `to_text` writes.
    """
    try:
        record = json.loads(text)
        event = _event(record["event"])
        canonical = _canonical(record["index"], record["previous"], event).decode()
    except (ValueError, KeyError, TypeError, AttributeError, PrivacyError) as error:
        raise LedgerBroken(index, "cannot be read") from error
    if canonical != text:
        raise LedgerBroken(index, "is not in canonical form")
    return Entry(index=record["index"], previous=record["previous"], event=event, digest=digest)


def _canonical(index: int, previous: str, event: Event) -> bytes:
    if event.at.utcoffset() is None:
        raise InvalidBound("at", "a time without a zone")
    try:
        return rfc8785.dumps({"index": index, "previous": previous, "event": _plain(event)})
    except rfc8785.CanonicalizationError as error:
        raise InvalidBound("pool or request", "not valid Unicode") from error


def _plain(event: Event) -> dict[str, str | float]:
    at = event.at.astimezone(UTC).isoformat()
    match event:
        case Opened():
            return {
                "kind": "opened",
                "pool": event.pool,
                "budget": event.budget.value,
                "delta": event.delta.value,
                "at": at,
            }
        case Reserved():
            return {
                "kind": "reserved",
                "pool": event.pool,
                "rho": event.rho.value,
                "request": event.request,
                "at": at,
            }
        case Committed():
            return {"kind": "committed", "request": event.request, "at": at}
        case Abandoned():
            return {"kind": "abandoned", "request": event.request, "at": at}


def _event(plain: dict[str, str | float]) -> Event:
    """Invert `_plain`; a field too many is caught by the comparison in `from_text`."""
    at = datetime.fromisoformat(str(plain["at"]))
    match plain["kind"]:
        case "opened":
            return Opened(
                pool=str(plain["pool"]),
                budget=Rho(float(plain["budget"])),
                delta=Delta(float(plain["delta"])),
                at=at,
            )
        case "reserved":
            return Reserved(
                pool=str(plain["pool"]),
                rho=Rho(float(plain["rho"])),
                request=str(plain["request"]),
                at=at,
            )
        case "committed":
            return Committed(request=str(plain["request"]), at=at)
        case "abandoned":
            return Abandoned(request=str(plain["request"]), at=at)
        case kind:
            raise ValueError(kind)
