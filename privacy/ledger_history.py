"""A stored history, read back, held to its head and added to: only what fits is believed."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from privacy.entries import Entry, Event, from_text, sealed
from privacy.errors import LedgerBroken
from privacy.heads import Head, check_head, head_of, head_text, read_head
from privacy.history import History
from privacy.ledger import follow, follow_read
from privacy.ledger_state import EMPTY, LedgerState
from privacy.ledger_tables import append, digest_at, kept_head, rows
from privacy.repairs import Row


def whole(connection: sa.Connection, elsewhere: Head | None, history: History) -> LedgerState:
    """Read and check the whole history.

    Args:
        connection: in a transaction.
        elsewhere: the head that was kept outside the database, if any.
        history: is told every entry on the way.

    Raises:
        LedgerBroken: names the first entry that does not fit.
    """
    state = follow_read(EMPTY, history.passing(read(rows(connection))))
    check(connection, state, elsewhere)
    return state


def check(connection: sa.Connection, state: LedgerState, elsewhere: Head | None) -> None:
    """Hold a state to the heads that were kept; the one elsewhere may be a few entries behind.

    Raises:
        LedgerBroken: names the first entry that is missing, or is there and should not be.
    """
    check_head(state, read_head(kept_head(connection)))
    if elsewhere is None or not elsewhere.length:
        return
    if elsewhere.length > state.length:
        raise LedgerBroken(state.length, f"is missing, of {elsewhere.length} that were written")
    if digest_at(connection, elsewhere.length - 1) != elsewhere.digest:
        raise LedgerBroken(elsewhere.length - 1, "is not the one that was kept elsewhere")


def caught_up(connection: sa.Connection, known: LedgerState) -> LedgerState:
    """Add what was written since a state was read.

    Raises:
        LedgerBroken: the last entry of the state no longer stands there, or what follows is wrong.
    """
    since = list(rows(connection, known.length - 1))
    check_known(known, since[0].digest if since else None)
    state = follow_read(known, read(since[1:])) if since[1:] else known
    check_head(state, read_head(kept_head(connection)))
    return state


def check_known(known: LedgerState, digest: str | None) -> None:
    """Refuse a history in which the last known entry no longer stands in its place.

    Raises:
        LedgerBroken: it does not.
    """
    if known.length and digest != known.head:
        raise LedgerBroken(known.length - 1, "is gone or was replaced")


def sound(connection: sa.Connection) -> tuple[LedgerState, list[Row]]:
    """Return the state before the first row that does not fit, and the rows from there on."""
    stored = list(rows(connection))
    seen: list[Row] = []

    def passing() -> Iterator[Row]:
        for row in stored:
            seen.append(row)
            yield row

    try:
        return follow_read(EMPTY, read(passing())), []
    except LedgerBroken:
        fitting = len(seen) - 1
        return follow_read(EMPTY, read(stored[:fitting])), stored[fitting:]


def read(stored: Iterable[Row]) -> Iterator[Entry]:
    """Read rows back as entries, each by itself checked.

    Raises:
        LedgerBroken: names the first row that cannot be read or does not match its digest.
    """
    for row in stored:
        yield from_text(row.entry, row.digest, index=row.index)


def written(connection: sa.Connection, state: LedgerState, event: Event) -> LedgerState:
    """Append an event that the rules allowed, with its head; return the state after it."""
    entry = sealed(state.length, state.head, event)
    state = follow(state, [entry])
    append(connection, entry, head_text(head_of(state)))
    return state
