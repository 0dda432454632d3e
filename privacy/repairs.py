"""Going on after a break in a ledger, with nothing forgotten that anybody still knows. Pure.

A repair keeps the entries before the break, puts the rows after it aside, and charges every pool
with the most that any witness tells: the whole entries, every promise that can still be read among
the rows that do not fit (whatever became of it), and the heads that were kept elsewhere. So it may
charge too much, and never less than one of its witnesses tells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from hashlib import sha256

import rfc8785

from privacy.entries import Event, Repaired, Reserved, read_event, require_words
from privacy.errors import LedgerConflict
from privacy.heads import Head
from privacy.ledger_state import LedgerState
from privacy.loss import Rho
from privacy.pools import exact, lineage, rounded
from privacy.windows import month_of


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is stored: its place, its canonical JSON and its digest. Not checked."""

    index: int
    entry: str
    digest: str


def repair(
    state: LedgerState,
    *,
    reason: str,
    who: str,
    at: datetime,
    known_length: int,
    sealed_away: int,
    evidence: str,
    charged: tuple[tuple[str, Rho], ...],
) -> Repaired:
    """Make every promise count as spent, and charge no pool less than before.

    This is the one rule that takes a time before the ledger's: a clock that ran ahead is a break
    too, and what was dated after `at` counts in its month.

    Raises:
        LedgerConflict: a pool would be charged less than it was.
        InvalidBound: no reason, or nobody who gives it; a time without a zone.
    """
    month_of(at)
    require_words(reason=reason, who=who)
    amounts = dict(charged)
    for name, amount in state.charged.items():
        if name not in amounts or exact(amounts[name]) < amount:
            raise LedgerConflict(name, "would be charged less after the repair than before")
    return Repaired(
        reason=reason,
        who=who,
        at=at,
        known_length=known_length,
        sealed_away=sealed_away,
        evidence=evidence,
        charged=charged,
    )


def repaired(
    state: LedgerState,
    *,
    lost: Sequence[Row],
    heads: Iterable[Head],
    reason: str,
    who: str,
    at: datetime,
) -> Repaired:
    """Return the event that repairs a ledger.

    Args:
        state: of the whole entries before the break.
        lost: the rows that do not fit.
        heads: what was kept elsewhere, as far as it can be read.
        reason: why it is repaired.
        who: who answers for it.
        at: now, with a time zone.

    Raises:
        InvalidBound: no reason, or nobody who gives it; a time without a zone.
    """
    kept = list(heads)
    told = [event for row in lost if (event := read_event(row.entry)) is not None]
    charged = state.charged
    for event in told:
        if isinstance(event, Repaired):
            _raise_to(charged, event.charged)
    for promise in _promises(state, told):
        for name in lineage(promise.pool):
            charged[name] = charged.get(name, 0) + exact(promise.rho)
    for head in kept:
        _raise_to(charged, head.charged.items())
    return repair(
        state,
        reason=reason,
        who=who,
        at=at,
        known_length=max([state.length, *(head.length for head in kept)]),
        sealed_away=len(lost),
        evidence=evidence_of(lost),
        charged=tuple((name, rounded(charged[name])) for name in sorted(charged)),
    )


def evidence_of(rows: Iterable[Row]) -> str:
    """Return the SHA-256 over rows: a canonical JSON list of [index, entry, digest], all text."""
    texts = [[str(part) for part in astuple(row)] for row in rows]
    return sha256(rfc8785.dumps(texts)).hexdigest()


def _raise_to(charged: dict[str, int], amounts: Iterable[tuple[str, Rho]]) -> None:
    for name, rho in amounts:
        charged[name] = max(charged.get(name, 0), exact(rho))


def _promises(state: LedgerState, told: Iterable[Event]) -> Iterable[Reserved]:
    """Return each promise that the state does not know, once, at the most it was told to be."""
    promises: dict[str, Reserved] = {}
    for event in told:
        if isinstance(event, Reserved) and event.request not in state.reservations:
            known = promises.get(event.request)
            if known is None or event.rho > known.rho:
                promises[event.request] = event
    return [promise for promise in promises.values() if all(promise.pool.split("/"))]
