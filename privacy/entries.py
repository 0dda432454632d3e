"""Ledger entries and the chain that holds them in order.

An entry is an event with its index and the digest of the entry before it; its own digest is the
SHA-256 of all three in canonical JSON (RFC 8785). Changing, inserting or removing an entry changes
every digest after it, so a head digest kept elsewhere pins the whole history before it.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import rfc8785

from privacy.errors import InvalidBound, LedgerBroken, PrivacyError
from privacy.loss import Delta, Rho

GENESIS = "0" * 64
"""What stands for the digest before the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A pool was given its budgets. `delta` is where its epsilon is shown.

    `budget` is for life; `year` and `month` limit its windows if they are given.
    """

    pool: str
    budget: Rho
    delta: Delta
    at: datetime
    year: Rho | None = None
    month: Rho | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A pool was given other budgets, by somebody and for a reason. What was spent stays spent."""

    pool: str
    budget: Rho
    delta: Delta
    reason: str
    who: str
    at: datetime
    year: Rho | None = None
    month: Rho | None = None


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


class Opinion(StrEnum):
    """What an officer thinks of a request."""

    APPROVE = "approve"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An officer gave an opinion on a request. What it leads to is decided elsewhere."""

    request: str
    officer: str
    opinion: Opinion
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A ledger that was cut or edited goes on from its last whole entry, by somebody's act.

    Attributes:
        reason, who, at: why, by whom and when. The ledger's time starts again from `at`.
        known_length: the most entries that any kept head had seen.
        sealed_away: how many rows did not fit and were put aside, unchanged.
        evidence: SHA-256 in hex over those rows.
        charged: each pool and the most that is known to weigh on it, which is spent from now on.
    """

    reason: str
    who: str
    at: datetime
    known_length: int
    sealed_away: int
    evidence: str
    charged: tuple[tuple[str, Rho], ...]


Event = Opened | Changed | Reserved | Committed | Abandoned | Decided | Repaired


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


def require_words(**words: str) -> None:
    """Refuse an act of a person that does not say who, what or why.

    Raises:
        InvalidBound: one of the words is blank.
    """
    for what, word in words.items():
        if not word.strip():
            raise InvalidBound(what, "nothing was said")


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
    """Read an entry back from its canonical JSON and its digest, which are checked.

    The entry's place in the chain is not; `ledger.follow_read` checks it.

    Args:
        text: what `to_text` wrote.
        digest: the digest that was stored with it.
        index: where the entry was found.

    Raises:
        LedgerBroken: the text is not exactly what `to_text` writes, or not what was hashed.
    """
    try:
        record, written = json.loads(text), text.encode()
        event = _event(record["event"])
        canonical = _canonical(record["index"], record["previous"], event)
    except _UNREADABLE as error:
        raise LedgerBroken(index, "cannot be read") from error
    if canonical != written:
        raise LedgerBroken(index, "is not in canonical form")
    if hashlib.sha256(canonical).hexdigest() != digest:
        raise LedgerBroken(index, "does not match its digest")
    return Entry(index=record["index"], previous=record["previous"], event=event, digest=digest)


def read_event(text: str) -> Event | None:
    """Return the event that a row tells of, wherever it stands, or None if it tells of none."""
    try:
        return _event(json.loads(text)["event"])
    except _UNREADABLE:
        return None


_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    PrivacyError,
)

_KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (Opened, Changed, Reserved, Committed, Abandoned, Decided, Repaired)
}
_NAMES: dict[type, tuple[tuple[str, str | None], ...]] = {
    cls: tuple(sorted([("kind", kind), *((field.name, None) for field in fields(cls))]))
    for kind, cls in _KINDS.items()
}
"""The keys of each kind of event in their order, with the value of "kind"."""

_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _canonical(index: int, previous: str, event: Event) -> bytes:
    """Return what `rfc8785.dumps` returns, as the tests hold it to, in a fifth of the time."""
    text = f'{{"event":{_plain(event)},"index":{index:d},"previous":{_quoted(previous)}}}'
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidBound("a name", "not valid Unicode") from error


def _plain(event: Event) -> str:
    members = []
    for name, kind in _NAMES[type(event)]:
        value = kind or getattr(event, name)
        if value is not None:
            members.append(f'"{name}":{_WRITE[type(value)](value)}')
    return "{" + ",".join(members) + "}"


def _written_time(at: datetime) -> str:
    if at.utcoffset() is None:
        raise InvalidBound("at", "a time without a zone")
    return f'"{at.astimezone(UTC).isoformat()}"'


def _number(value: Rho | Delta) -> str:
    return rfc8785.dumps(value.value).decode()


def _amounts(amounts: tuple[tuple[str, Rho], ...]) -> str:
    return rfc8785.dumps({pool: rho.value for pool, rho in amounts}).decode()


_WRITE: dict[type, Callable[..., str]] = {
    str: _quoted,
    Opinion: _quoted,
    int: str,
    Rho: _number,
    Delta: _number,
    datetime: _written_time,
    tuple: _amounts,
}


def _name(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "at": datetime.fromisoformat,
    "budget": Rho,
    "charged": lambda amounts: tuple((pool, Rho(rho)) for pool, rho in amounts.items()),
    "delta": Delta,
    "known_length": int,
    "month": Rho,
    "opinion": Opinion,
    "rho": Rho,
    "sealed_away": int,
    "year": Rho,
}
"""How a member is read if it is no name."""


def _event(plain: dict[str, Any]) -> Event:
    """Invert `_plain`; a member too many is no argument, and a wrong form is not canonical."""
    values = {
        name: _READ.get(name, _name)(value) for name, value in plain.items() if name != "kind"
    }
    return _KINDS[plain["kind"]](**values)
