"""The register as a pure fold: immutable events in, one standing per client out.

Order is the sequence number's, not the clock's or the arrival's. Two rules make it safe: at one
instant a withdrawal (level 0) wins over anything else, and an event seen before changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consent.levels import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSet:
    """A client gave, raised, lowered or withdrew an authorization.

    client: the normalized id (sensitive, hidden). at: microseconds since the Unix epoch.
    seq: position in the register, 1 for the first event; it is also the epoch the event opens.
    """

    client: str = field(repr=False)
    level: Level
    at: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one client stands: the level in force, since when, and the event that set it."""

    level: Level
    at: int
    seq: int


def advance(standing: Standing | None, event: LevelSet) -> Standing:
    """Return a client's standing after one more of the client's own events.

    Events must come in the order of their sequence numbers; one at or before the standing's is a
    replay and changes nothing.
    """
    if standing is not None:
        if event.seq <= standing.seq:
            return standing
        if standing.level is Level.NONE and event.at == standing.at:
            return standing
    return Standing(level=event.level, at=event.at, seq=event.seq)


def fold(events: Iterable[LevelSet]) -> Mapping[str, Standing]:
    """Return every client's standing (ids are sensitive) after all events, in whatever order."""
    standings: dict[str, Standing] = {}
    for event in sorted(events, key=lambda event: event.seq):
        standings[event.client] = advance(standings.get(event.client), event)
    return standings
