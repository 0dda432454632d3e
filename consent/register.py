"""The register as a pure fold: immutable events in, one standing per client out.

Order is the sequence number's, not the clock's or the arrival's. Three rules make it safe: at one
instant the event that closes wins over the one that opens, whichever came first; an event seen
before changes nothing; and an authorization with an end opens nothing from that second on, whether
or not anyone wrote the end down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consent.errors import UnknownClient
from consent.events import Event, Kind
from consent.levels import Level

SECOND = 1_000_000
"""Events are timed in microseconds, ends of authorizations in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one client stands. Everything in it is about one person; the household is hidden.

    place: among the household's clients, 0 for the first. level: given at ``at`` (microseconds)
    until ``expires_at`` (seconds), None for good. objections: purpose → when it was objected to.
    family_objected_at: when this client objected for the household, or None. notice: shown last.
    seq: of the last event that changed any of it.
    """

    household: str = field(repr=False)
    place: int
    level: Level
    at: int
    expires_at: int | None
    objections: Mapping[str, int]
    family_objected_at: int | None
    notice: str
    seq: int

    def level_at(self, now: int) -> Level:
        """Return the level in force at ``now``, in seconds since the Unix epoch."""
        ended = self.expires_at is not None and now >= self.expires_at
        return Level.NONE if ended else self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the departments are told of one client after an event (ids sensitive, hidden).

    seq: of the last event that changed any of it, a family objection in the household included.
    """

    client_id: str = field(repr=False)
    household_id: str = field(repr=False)
    place: int
    level: Level
    expires_at: int | None
    objections: frozenset[str]
    family_closed: bool
    seq: int


def advance(standing: Standing | None, event: Event) -> Standing:
    """Return a client's standing after one more of the client's own events.

    Events must come in the order of their sequence numbers. One at or before the standing's is a
    replay; that one, and one without effect, return the very standing they were given.

    Raises:
        UnknownClient: the client never entered the register.
    """
    if standing is None:
        if event.kind is not Kind.ENTERED:
            raise UnknownClient
        return Standing(
            household=event.household,
            place=event.place,
            level=event.level or Level.NONE,
            at=event.at,
            expires_at=event.expires_at,
            objections={},
            family_objected_at=None,
            notice="",
            seq=event.seq,
        )
    if event.seq <= standing.seq or not _has_effect(standing, event):
        return standing
    return _changed(standing, event)


def _has_effect(standing: Standing, event: Event) -> bool:
    """Say whether an event changes a standing: at one instant, what closes wins."""
    match event.kind:
        case Kind.ENTERED:
            return False  # a client enters once: loading a file again cannot undo a withdrawal
        case Kind.EXPIRED:
            end = standing.expires_at
            return end is not None and end * SECOND <= event.at and standing.level > Level.NONE
        case Kind.OBJECTION_WITHDRAWN:
            return standing.objections.get(event.purpose, event.at) != event.at
        case Kind.FAMILY_OBJECTION_WITHDRAWN:
            return standing.family_objected_at not in (None, event.at)
        case Kind.OBJECTED | Kind.FAMILY_OBJECTED | Kind.NOTICE_CHANGED | Kind.WITHDRAWN:
            return True
        case Kind.GIVEN | Kind.RAISED | Kind.LOWERED:
            return standing.level is not Level.NONE or standing.at != event.at


def _changed(standing: Standing, event: Event) -> Standing:
    level, at, expires_at = standing.level, standing.at, standing.expires_at
    objections, family, notice = standing.objections, standing.family_objected_at, standing.notice
    match event.kind:
        case Kind.OBJECTED:
            objections = {**objections, event.purpose: event.at}
        case Kind.OBJECTION_WITHDRAWN:
            objections = {p: when for p, when in objections.items() if p != event.purpose}
        case Kind.FAMILY_OBJECTED:
            family = event.at
        case Kind.FAMILY_OBJECTION_WITHDRAWN:
            family = None
        case Kind.NOTICE_CHANGED:
            notice = event.notice
        case _:
            level, at, expires_at = event.level or Level.NONE, event.at, event.expires_at
    return Standing(
        household=standing.household,
        place=standing.place,
        level=level,
        at=at,
        expires_at=expires_at,
        objections=objections,
        family_objected_at=family,
        notice=notice,
        seq=event.seq,
    )


def fold(events: Iterable[Event]) -> Mapping[str, Standing]:
    """Return every client's standing (ids are sensitive) after all events, in whatever order.

    An event that is there twice, under one id or under one number, counts once.
    """
    standings: dict[str, Standing] = {}
    seen: set[str] = set()
    for event in sorted(events, key=lambda event: event.seq):
        if event.id not in seen:
            seen.add(event.id)
            standings[event.client] = advance(standings.get(event.client), event)
    return standings
