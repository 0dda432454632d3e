"""What is remembered of the erased: keyed marks, of use only to whoever has the key and an id."""

import hmac

import sqlalchemy as sa

from consent import tables
from consent.register import SECOND

HELD_S = 24 * 3600
"""Seconds for which a place that an erasure left is given to nobody; no snapshot holds as long."""
_MARK = b"infosandbox/erased-client/v1\x00"
_HOUSEHOLD = b"infosandbox/erased-household/v1\x00"


def mark_of(key: bytes, client_id: str) -> str:
    """Return what is remembered of an erased client: HMAC-SHA256 under the register's key."""
    return hmac.digest(key, _MARK + client_id.encode(), "sha256").hex()


def household_mark(key: bytes, household_id: str) -> str:
    """Return what is remembered of a household, while its places are held."""
    return hmac.digest(key, _HOUSEHOLD + household_id.encode(), "sha256").hex()


def hold_place(connection: sa.Connection, household_id: str, *, at: int, key: bytes) -> None:
    """Keep every place that a household has given so far from new clients, for ``HELD_S``.

    So no two clients of a household have one place in two departments' snapshots at a time.

    Args:
        connection: in the transaction that erases one of the household's clients, before it does.
        household_id: normalized (sensitive); only its mark is kept, and only for this while.
        at: microseconds since the Unix epoch.
        key: of the marks (secret).
    """
    own, held = tables.standings.c, tables.held_places
    mark = household_mark(key, household_id)
    last = sa.select(sa.func.max(own.place)).where(own.household_id == household_id)
    free = max(connection.execute(last).scalar_one() + 1, held_places(connection, at).get(mark, 0))
    connection.execute(held.delete().where(held.c.mark == mark))
    connection.execute(held.insert().values(mark=mark, place=free, until=at + HELD_S * SECOND))


def held_places(connection: sa.Connection, at: int) -> dict[str, int]:
    """Return the first free place by household's mark, if held still; the others are forgotten."""
    held = tables.held_places
    connection.execute(held.delete().where(held.c.until <= at))
    return {row.mark: row.place for row in connection.execute(sa.select(held))}
