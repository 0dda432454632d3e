"""Erasing a client: the register's events stay, and nothing says any more whose they were.

Every client has a key of their own: a random reference of 16 bytes, under which their events stand.
It is kept in the client's row of standings and nowhere else, so deleting that row shreds it: the
events of one reference can still be seen to belong together, not to whom.

Guarantee: the reference is uniform and independent of the client's id, so the events alone say
nothing of it. Whoever kept a copy of the row (a backup) can undo this until the copy is gone.
"""

from collections.abc import Callable
from secrets import token_hex

import sqlalchemy as sa

from consent import tables
from consent.errors import UnknownClient
from consent.events import Event, Kind
from consent.levels import Level
from consent.marks import hold_place, mark_of
from consent.writing import Within, set_head

Destroy = Callable[[sa.Connection], None]
"""Destroys what else names the client, in the same transaction."""


def forget(
    connection: sa.Connection,
    client_id: str,
    *,
    at: int,
    key: bytes,
    within: Within,
    destroy: Destroy,
) -> int:
    """Withdraw a client, delete the row that names the client, and return the new epoch.

    From that epoch on no delta holds the client, and every node drops what it was told before. A
    family objection of the client stays in force for the household until a remaining member takes
    it back: nobody's family fields are opened by an erasure. The client's place is given to no new
    client of the household while a snapshot may still hold the client at it.

    Args:
        connection: in a transaction of its own.
        client_id: normalized (sensitive).
        at: microseconds since the Unix epoch.
        key: of the marks that keep an old file from bringing the client back (secret).
        within: writes what belongs to the withdrawal, as for every event.
        destroy: called last.

    Raises:
        UnknownClient: there is no such client; nothing was changed.
    """
    head = tables.lock(connection)
    own = tables.standings
    row = connection.execute(
        sa.select(own.c.ref, own.c.household_id).where(own.c.client_id == client_id)
    ).first()
    if row is None:
        raise UnknownClient
    event = Event(
        seq=head + 1,
        id=token_hex(16),
        client=client_id,
        kind=Kind.WITHDRAWN,
        at=at,
        level=Level.NONE,
    )
    connection.execute(tables.events.insert().values(**tables.event_row(event, row.ref)))
    within(connection, [event])
    hold_place(connection, row.household_id, at=at, key=key)
    connection.execute(own.delete().where(own.c.client_id == client_id))
    mark = mark_of(key, client_id)
    if (
        connection.execute(sa.select(tables.erased).where(tables.erased.c.mark == mark)).first()
        is None
    ):
        connection.execute(tables.erased.insert().values(mark=mark))
    connection.execute(tables.head.update().values(erased=event.seq))
    destroy(connection)
    return set_head(connection, event.seq)
