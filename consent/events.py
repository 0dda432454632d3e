"""What clients ask of the register, and the immutable events that their requests become.

A request says what a client wants; the register gives it its place in the order and writes down
what it meant there: setting level 3 is "raised" after level 1, and "lowered" after level 4.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from consent.levels import Level
from consent.purposes import Purpose


class Kind(StrEnum):
    """What happened. The first five set a level; the others leave it as it is."""

    ENTERED = "entered"
    """The firm entered the client into the register, at the level the client had given it."""
    GIVEN = "given"
    """From nothing, or the same level again, perhaps with another end."""
    RAISED = "raised"
    LOWERED = "lowered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    """The end of the authorization was written down; it had ended by itself, at that date."""
    OBJECTED = "objected"
    """To one purpose."""
    OBJECTION_WITHDRAWN = "objection_withdrawn"
    FAMILY_OBJECTED = "family_objected"
    """To any use of the family fields of the client's household."""
    FAMILY_OBJECTION_WITHDRAWN = "family_objection_withdrawn"
    NOTICE_CHANGED = "notice_changed"
    """The client was shown another privacy notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLevel:
    """Set the authorization (0 withdraws), for good or until ``expires_at``.

    client: the normalized id (sensitive, hidden). expires_at: seconds since the Unix epoch.
    """

    client: str = field(repr=False)
    level: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTo:
    """Keep everything of this client from one purpose. client: sensitive, hidden."""

    client: str = field(repr=False)
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawObjection:
    """Open what the level opens to the purpose again. client: sensitive, hidden."""

    client: str = field(repr=False)
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectForFamily:
    """Close the family fields of every member of the household. client: sensitive, hidden."""

    client: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawFamilyObjection:
    """Take this member's objection back; another member's stays. client: sensitive, hidden."""

    client: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeNotice:
    """Write down which privacy notice the client was shown. client: sensitive, hidden."""

    client: str = field(repr=False)
    notice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Write down that an authorization has ended. client: sensitive, hidden."""

    client: str = field(repr=False)


Request: TypeAlias = (
    SetLevel
    | ObjectTo
    | WithdrawObjection
    | ObjectForFamily
    | WithdrawFamilyObjection
    | ChangeNotice
    | Expire
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one client's authorization, as it stands in the register.

    seq: position in the register, 1 for the first event; it is also the epoch the event opens.
    id: given by whoever asked, to ask again safely; no two events share one.
    at: microseconds since the Unix epoch. client, household: normalized ids (sensitive, hidden).
    level: of the kinds that set one. expires_at: seconds since the Unix epoch, None for good.
    purpose: of an objection. notice: of a changed notice. household, place: of ``ENTERED``; the
    place is 0 for the household's first client.
    """

    seq: int
    id: str
    client: str = field(repr=False)
    kind: Kind
    at: int
    level: Level | None = None
    expires_at: int | None = None
    purpose: str = ""
    notice: str = ""
    household: str = field(default="", repr=False)
    place: int = 0
