"""One client's standing as the client reads it: what is open and why, the family, the stewards.

Everything here is about one person: it goes into a page that is never kept, and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from api.web.language import Language, gettext
from api.web.words import field_title, purpose_title
from consent.explanations import Because, Closed
from consent.register import Standing
from federation.coordinator.desk import Desk
from federation.coordinator.explaining import closed_fields
from federation.coordinator.steward_acts import Act, What


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


KINDS: Final[dict[str, str]] = {
    "question": _("a question"),
    "training": _("a model"),
    "evaluation": _("how well a model does"),
    "cube": _("tables of pairs of facts"),
}
_ACTS: Final[dict[What, str]] = {
    What.LOOKED: _("Looked at the choices"),
    What.ENTERED: _("Entered the client into the register"),
    What.CHANGED: _("Changed the choices"),
    What.ERASED: _("Erased the client"),
}
_CHANGES: Final[dict[str, str]] = {
    "given": _("Gave level %(level)s"),
    "raised": _("Raised to level %(level)s"),
    "lowered": _("Lowered to level %(level)s"),
    "withdrawn": _("Withdrew everything"),
    "objected": _("Objected to: %(purpose)s"),
    "objection_withdrawn": _("Took back the objection to: %(purpose)s"),
    "family_objected": _("Objected for the family"),
    "family_objection_withdrawn": _("Took the family objection back"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one field is closed, and what would open it."""

    title: str
    text: str = field(repr=False)
    remedy: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeLine:
    """One purpose: the titles of the fields that are open to it, and why the others are not."""

    name: str
    title: str
    objected: bool = field(repr=False)
    open: tuple[str, ...] = field(repr=False)
    closed: tuple[Reason, ...] = field(repr=False)


def purpose_lines(
    client_id: str, standing: Standing, desk: Desk, language: Language, *, now: datetime
) -> list[PurposeLine]:
    """Return every purpose with what is open to it now; fields that are never for it are left out.

    Args:
        client_id: normalized (sensitive).
        standing: the client's (sensitive).
        desk: of the coordinator.
        language: of the page.
        now: with a time zone.
    """
    lines = []
    for purpose in desk.catalogue.purposes:
        reasons = closed_fields(client_id, purpose.name, desk, now=now)
        never = {reason.field for reason in reasons if reason.because is Because.PURPOSE}
        closed = [reason for reason in reasons if reason.field not in never]
        shut = {reason.field for reason in closed}
        lines.append(
            PurposeLine(
                name=purpose.name,
                title=purpose_title(purpose.name, desk.catalogue, language),
                objected=purpose.name in standing.objections,
                open=tuple(
                    field_title(each.name, desk.catalogue, language)
                    for each in desk.catalogue.fields
                    if each.name not in shut | never
                ),
                closed=tuple(_reason(reason, desk, language) for reason in closed),
            )
        )
    return lines


def family_fields(desk: Desk, language: Language) -> list[str]:
    """Return the titles of the fields that tell of a whole household."""
    family = (each.name for each in desk.catalogue.fields if each.of_family)
    return [field_title(name, desk.catalogue, language) for name in family]


def acts_told(acts: Sequence[Act], desk: Desk, language: Language) -> list[tuple[Act, str]]:
    """Return what stewards did, each in words."""
    return [(act, _act(act, desk, language)) for act in acts]


def _act(act: Act, desk: Desk, language: Language) -> str:
    text = _ACTS[act.what]
    if act.kind is not None:
        text = _CHANGES.get(act.kind.value, text)
    told = {
        "level": "" if act.level is None else act.level,
        "purpose": purpose_title(act.purpose, desk.catalogue, language) if act.purpose else "",
    }
    return gettext(language, text) % told


def _reason(reason: Closed, desk: Desk, language: Language) -> Reason:
    zh = language == "zh"
    return Reason(
        title=field_title(reason.field, desk.catalogue, language),
        text=reason.text_zh if zh else reason.text,
        remedy=reason.remedy_zh if zh else reason.remedy,
    )
