"""The register's events into the transparency log, in the very transaction that writes them."""

import secrets
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from consent import tables
from consent.epochs import pseudonym
from consent.events import Event, Kind
from consent.log_store import Log
from consent.register import SECOND, Standing, advance
from consent.salt_store import Salts
from consent.writing import Within
from federation.change_log import ClientChange, log_changes

_PART = 1000
"""Clients asked for in one statement, so that every database takes it."""


def logging_changes(log: Log, salts: Salts, receipts_key: bytes) -> Within:
    """Return what a register calls in each of its transactions, so that every event is logged.

    Args:
        log: of the register's own database.
        salts: of the same database.
        receipts_key: makes the clients' pseudonyms in receipts (secret).
    """

    def within(connection: sa.Connection, events: Sequence[Event]) -> None:
        changes = _changes(connection, events, receipts_key)
        log_changes(connection, changes, log=log, salts=salts, draw=secrets.token_bytes)

    return within


def principal_of(receipts_key: bytes, client_id: str) -> str:
    """Return a client's pseudonym in receipts, 32 hexadecimal digits; InvalidClientId."""
    return pseudonym(receipts_key, client_id).hex()


def standings_after(events: Sequence[Event]) -> dict[int, Standing]:
    """Return where a client stood after each event, by its number. Pure; sensitive.

    Args:
        events: all of one client's, oldest first.
    """
    standing: Standing | None = None
    after: dict[int, Standing] = {}
    for event in events:
        standing = advance(standing, event)
        after[event.seq] = standing
    return after


def _changes(
    connection: sa.Connection, events: Sequence[Event], receipts_key: bytes
) -> list[ClientChange]:
    levels = _levels_after(connection, events)
    return [
        ClientChange(
            epoch=event.seq,
            at=event.at // SECOND,
            client_id=event.client,
            principal=principal_of(receipts_key, event.client),
            change=event.kind.value,
            level=levels[event.seq],
            purpose=event.purpose,
        )
        for event in events
    ]


def _levels_after(connection: sa.Connection, events: Sequence[Event]) -> Mapping[int, int]:
    """Return the level in force after each event; a client who just entered has no history."""
    levels = {e.seq: int(e.level or 0) for e in events if e.kind is Kind.ENTERED}
    clients = sorted({e.client for e in events if e.kind is not Kind.ENTERED})
    for start in range(0, len(clients), _PART):
        part = clients[start : start + _PART]
        histories: dict[str, list[Event]] = {client: [] for client in part}
        for event in tables.events_where(connection, tables.standings.c.client_id.in_(part)):
            histories[event.client].append(event)
        for history in histories.values():
            levels |= {seq: int(s.level) for seq, s in standings_after(history).items()}
    return levels
