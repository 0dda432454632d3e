"""Requests become events: checked on their own, then against where the client stands. Pure."""

from collections.abc import Mapping

from consent.clients import checked_client_id
from consent.errors import ClockSkew, InvalidRequest
from consent.events import (
    ChangeNotice,
    Event,
    Expire,
    Kind,
    ObjectForFamily,
    ObjectTo,
    Request,
    SetLevel,
    WithdrawFamilyObjection,
    WithdrawObjection,
)
from consent.levels import Level, level_of
from consent.register import SECOND, Standing

CLOCK_TOLERANCE_S = 300
"""How far two clocks may be apart. Between clocks that close, the register's order decides."""
LAST_SECOND = 2**32 - 1
"""The latest end of an authorization, in the year 2106; an epoch carries it in four bytes."""
_LONGEST_ID = 128
_LONGEST_NOTICE = 200


def check(request: Request) -> None:
    """Refuse a request that no standing could make good; it comes from outside, not trusted.

    Raises:
        InvalidClientId, UnknownLevel: by their values.
        InvalidRequest: a notice that is no name, or a withdrawal with an end.
    """
    checked_client_id(request.client)
    if isinstance(request, ChangeNotice):
        _check_text("notice", request.notice, _LONGEST_NOTICE)
    if isinstance(request, SetLevel):
        level = level_of(request.level)
        if level is Level.NONE and request.expires_at is not None:
            raise InvalidRequest("expires_at", "belongs to an authorization, not to a withdrawal")


def check_id(event_id: str) -> None:
    """Refuse the id of a request that cannot name an event; InvalidRequest."""
    _check_text("id", event_id, _LONGEST_ID)


def event_of(request: Request, standing: Standing, *, event_id: str, at: int, seq: int) -> Event:
    """Return the event that a checked request becomes at its place in the register.

    Args:
        request: of the standing's client.
        standing: before the request.
        event_id: names the event.
        at: microseconds since the Unix epoch.
        seq: the event's place.

    Raises:
        InvalidRequest: the end of an authorization is not after the request.
        ClockSkew: a request that opens something is dated well before what it would undo: it came
            late, or a clock is wrong. One that closes something is taken whatever its date.
    """
    undone = _undone(request, standing)
    if undone is not None and at < undone - CLOCK_TOLERANCE_S * SECOND:
        raise ClockSkew(CLOCK_TOLERANCE_S)
    level, expires_at, purpose, notice = _facts(request)
    if expires_at is not None and not at < expires_at * SECOND <= LAST_SECOND * SECOND:
        raise InvalidRequest("expires_at", "is not after the request, or beyond the year 2105")
    kind = _KINDS.get(type(request)) or _kind(standing.level, level or Level.NONE)
    return Event(
        seq=seq,
        id=event_id,
        client=request.client,
        kind=kind,
        at=at,
        level=level,
        expires_at=expires_at,
        purpose=purpose,
        notice=notice,
    )


def repeats(request: Request, event: Event) -> bool:
    """Say whether an event is what this request became when it was first recorded."""
    kinds = [_KINDS[type(request)]] if type(request) in _KINDS else _SETS_LEVEL
    facts = event.level, event.expires_at, event.purpose, event.notice
    return request.client == event.client and event.kind in kinds and facts == _facts(request)


_KINDS: Mapping[type[Request], Kind] = {
    ObjectTo: Kind.OBJECTED,
    WithdrawObjection: Kind.OBJECTION_WITHDRAWN,
    ObjectForFamily: Kind.FAMILY_OBJECTED,
    WithdrawFamilyObjection: Kind.FAMILY_OBJECTION_WITHDRAWN,
    ChangeNotice: Kind.NOTICE_CHANGED,
    Expire: Kind.EXPIRED,
}
_SETS_LEVEL = (Kind.GIVEN, Kind.RAISED, Kind.LOWERED, Kind.WITHDRAWN)


def _facts(request: Request) -> tuple[Level | None, int | None, str, str]:
    """Return the level, its end, the purpose and the notice that a request is about."""
    match request:
        case SetLevel():
            return Level(request.level), request.expires_at, "", ""
        case Expire():
            return Level.NONE, None, "", ""
        case ObjectTo() | WithdrawObjection():
            return None, None, request.purpose.name, ""
        case ChangeNotice():
            return None, None, "", request.notice
        case ObjectForFamily() | WithdrawFamilyObjection():
            return None, None, "", ""


def _undone(request: Request, standing: Standing) -> int | None:
    """Return when that was done which a request would open again; None if it opens nothing."""
    match request:
        case SetLevel():
            return standing.at if request.level > Level.NONE else None
        case WithdrawObjection():
            return standing.objections.get(request.purpose.name)
        case WithdrawFamilyObjection():
            return standing.family_objected_at
        case _:
            return None


def _kind(before: Level, after: Level) -> Kind:
    if after is Level.NONE:
        return Kind.WITHDRAWN
    if before in (Level.NONE, after):
        return Kind.GIVEN
    return Kind.RAISED if after > before else Kind.LOWERED


def _check_text(what: str, text: str, longest: int) -> None:
    if not 0 < len(text) <= longest or not text.isprintable():
        raise InvalidRequest(what, f"is not 1 to {longest} printable characters")
