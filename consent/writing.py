"""One transaction of the register: what clients ask becomes events, and standings follow them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeAlias

import sqlalchemy as sa

from consent import tables
from consent.clients import checked_client_id
from consent.errors import (
    ConsentError,
    InvalidClientId,
    InvalidRow,
    RequestReused,
    UnknownClient,
    UnknownLevel,
)
from consent.events import Event, Kind, Request
from consent.intake import event_of, repeats
from consent.levels import Level, level_of
from consent.marks import held_places, household_mark, mark_of
from consent.register import Standing, advance
from consent.turns import Ticket

Within: TypeAlias = Callable[[sa.Connection, Sequence[Event]], None]
"""Writes what belongs to new events into the transaction that writes them."""

REF_BYTES = 16
_PART = 1000
_FAMILY = (Kind.FAMILY_OBJECTED, Kind.FAMILY_OBJECTION_WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Checked requests, each with its id (sensitive, hidden), made at ``at`` microseconds.

    repeated: some of them may have been recorded before, under the same id.
    """

    requests: Sequence[tuple[str, Request]] = field(repr=False)
    at: int
    repeated: bool


@dataclass(slots=True, kw_only=True)
class _Page:
    """What a transaction will write, and what it rests on; sensitive, hidden."""

    seq: int
    standings: dict[str, Standing] = field(repr=False)
    known: dict[str, Event] = field(repr=False)
    events: list[Event] = field(default_factory=list, repr=False)


def checked_rows(rows: Iterable[tuple[str, str, int]]) -> dict[str, tuple[str, Level]]:
    """Return client id → (household id, level) of the rows of a load; sensitive.

    Raises:
        InvalidClientId, InvalidRow: names the row by its number.
    """
    checked: dict[str, tuple[str, Level]] = {}
    for number, (client_id, household_id, level) in enumerate(rows, start=1):
        try:
            checked_client_id(client_id)
            checked_client_id(household_id)
            standing = level_of(level)
        except InvalidClientId as error:
            raise InvalidClientId(error.reason, row=number) from None
        except UnknownLevel:
            raise InvalidRow(number, "has a level that is not 0 to 4") from None
        if client_id in checked:
            raise InvalidRow(number, "repeats a client of an earlier row") from None
        checked[client_id] = (household_id, standing)
    return checked


def nothing_else(_connection: sa.Connection, _events: Sequence[Event]) -> None:
    """Write nothing beside the events."""


def enter(
    connection: sa.Connection,
    checked: Mapping[str, tuple[str, Level]],
    *,
    at: int,
    key: bytes,
    within: Within,
) -> int:
    """Enter those of the checked clients whom the register does not know, and return the head.

    One who was erased enters at level 0, whatever the row says. key: of the marks (secret).
    """
    head = tables.lock(connection)
    known = {row.client_id for row in _standings(connection, checked)}
    if known.issuperset(checked):
        return head
    places, closed = _households(connection)
    erased, held = (
        set(connection.scalars(sa.select(tables.erased.c.mark))),
        held_places(connection, at),
    )
    events: list[Event] = []
    rows: list[dict[str, object]] = []
    standings: list[dict[str, object]] = []
    for client, (household, given) in checked.items():
        if client in known:
            continue
        level = Level.NONE if erased and mark_of(key, client) in erased else given
        place = places.get(household, 0)
        if held:
            place = max(place, held.get(household_mark(key, household), 0))
        places[household] = place + 1
        ref = token_hex(REF_BYTES)
        event = Event(
            seq=head + len(events) + 1,
            id=token_hex(16),
            client=client,
            kind=Kind.ENTERED,
            at=at,
            level=level,
            household=household,
            place=place,
        )
        events.append(event)
        rows.append(tables.event_row(event, ref))
        row = tables.standing_row(client, advance(None, event))
        standings.append(row | {"ref": ref, "family_closed": household in closed})
    connection.execute(tables.events.insert(), rows)
    connection.execute(tables.standings.insert(), standings)
    within(connection, events)
    return set_head(connection, head + len(events))


def write(
    connection: sa.Connection, tickets: Sequence[Ticket[Ask, list[int]]], *, within: Within
) -> None:
    """Record what each ticket asks, all or none of it, and settle the ticket.

    A ticket that is refused leaves no trace and does not hold up the others. The tickets are
    settled in force only when the caller's transaction is committed.
    """
    head = tables.lock(connection)
    asks = [ticket.ask for ticket in tickets]
    rows = _standings(connection, (r.client for ask in asks for _, r in ask.requests))
    refs = {row.client_id: row.ref for row in rows}
    page = _Page(
        seq=head,
        standings={row.client_id: tables.standing_of(row) for row in rows},
        known=_known(connection, asks),
    )
    before = dict(page.standings)
    for ticket in tickets:
        try:
            ticket.got = _carry_out(page, ticket.ask)
        except ConsentError as refusal:
            ticket.refused = refusal
    if not page.events:
        return
    connection.execute(
        tables.events.insert(), [tables.event_row(e, refs[e.client]) for e in page.events]
    )
    changed = {c: s for c, s in page.standings.items() if s is not before[c]}
    if changed:
        _update(connection, changed)
    _number_purposes(connection, page.events)
    _close_families(connection, page)
    within(connection, page.events)
    set_head(connection, page.seq)


def _carry_out(page: _Page, ask: Ask) -> list[int]:
    """Add one ticket's events to the page, or raise and leave the page as it was."""
    standings: dict[str, Standing] = {}
    events: dict[str, Event] = {}
    opened = []
    for event_id, request in ask.requests:
        earlier = events.get(event_id) or page.known.get(event_id)
        if earlier is not None:
            if not repeats(request, earlier):
                raise RequestReused
            opened.append(earlier.seq)
            continue
        standing = standings.get(request.client) or page.standings.get(request.client)
        if standing is None:
            raise UnknownClient
        seq = page.seq + len(events) + 1
        event = event_of(request, standing, event_id=event_id, at=ask.at, seq=seq)
        events[event_id] = event
        standings[request.client] = advance(standing, event)
        opened.append(seq)
    page.standings.update(standings)
    page.known.update(events)
    page.events.extend(events.values())
    page.seq += len(events)
    return opened


def _standings(connection: sa.Connection, clients: Iterable[str]) -> list[sa.Row[Any]]:
    own = tables.standings
    return [
        row
        for part in _parts(clients)
        for row in connection.execute(sa.select(own).where(own.c.client_id.in_(part)))
    ]


def _known(connection: sa.Connection, asks: Iterable[Ask]) -> dict[str, Event]:
    """Return the events that earlier requests of the same ids became."""
    ids = {name for ask in asks if ask.repeated for name, _ in ask.requests}
    found = (tables.events_where(connection, tables.events.c.id.in_(p)) for p in _parts(ids))
    return {event.id: event for events in found for event in events}


def _parts(values: Iterable[str]) -> Iterable[list[str]]:
    """Cut many values into parts that every database takes in one statement."""
    ordered = sorted(set(values))
    return (ordered[start : start + _PART] for start in range(0, len(ordered), _PART))


def _update(connection: sa.Connection, changed: Mapping[str, Standing]) -> None:
    rows = [tables.standing_row(client, standing) for client, standing in changed.items()]
    statement = tables.standings.update().where(
        tables.standings.c.client_id == sa.bindparam("named")
    )
    connection.execute(statement, [{**row, "named": row["client_id"]} for row in rows])


def _number_purposes(connection: sa.Connection, events: Iterable[Event]) -> None:
    """Give a purpose that is objected to for the first time the next bit, for good."""
    objected = {event.purpose for event in events if event.kind is Kind.OBJECTED}
    if not objected:
        return
    known = set(connection.execute(sa.select(tables.purposes.c.name)).scalars())
    new = [
        {"bit": bit, "name": name}
        for bit, name in enumerate(sorted(objected - known), start=len(known))
    ]
    if new:
        connection.execute(tables.purposes.insert(), new)


def _close_families(connection: sa.Connection, page: _Page) -> None:
    """Close or open the family fields of every member of the households that were asked about."""
    last = {page.standings[e.client].household: e.seq for e in page.events if e.kind in _FAMILY}
    own = tables.standings.c
    for household, seq in last.items():
        query = sa.select(sa.func.count(own.family_objected_at)).where(
            own.household_id == household
        )
        closed = connection.execute(query).scalar_one() > 0
        connection.execute(
            tables.standings.update()
            .where(own.household_id == household, own.family_closed != closed)
            .values(
                family_closed=closed,
                changed_seq=sa.case((own.changed_seq > seq, own.changed_seq), else_=seq),
            )
        )


def _households(connection: sa.Connection) -> tuple[dict[str, int], set[str]]:
    """Return every household's next free place, and which have their family fields closed."""
    own = tables.standings.c
    last = sa.select(own.household_id, sa.func.max(own.place).label("place"))
    closed = sa.select(own.household_id).where(own.family_closed).distinct()
    return (
        {
            row.household_id: row.place + 1
            for row in connection.execute(last.group_by(own.household_id))
        },
        set(connection.execute(closed).scalars()),
    )


def set_head(connection: sa.Connection, seq: int) -> int:
    """Write the register's newest epoch down, and return it."""
    connection.execute(tables.head.update().values(seq=seq))
    return seq
