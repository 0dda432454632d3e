"""Why one field of one client is closed, for that client's own eyes, and what would open it.

The same rules as ``decisions``, one client at a time and in words. Nothing here may be shown to
anyone but the client and the steward who helps the client: every line tells of one person.
"""

from dataclasses import dataclass
from enum import StrEnum

from consent.catalogue import Catalogue
from consent.levels import Level
from consent.register import Standing


class Because(StrEnum):
    """The rule that closes a field."""

    PURPOSE = "purpose"
    LEVEL = "level"
    EXPIRED = "expired"
    OBJECTION = "objection"
    FAMILY = "family"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """One reason why a field is closed for a purpose, and what would have to happen to open it.

    needed: the field's level. text and remedy are in English and in Chinese.
    """

    field: str
    purpose: str
    needed: Level
    because: Because
    text: str
    text_zh: str
    remedy: str
    remedy_zh: str


def explain(
    catalogue: Catalogue,
    field: str,
    purpose: str,
    standing: Standing,
    *,
    family_closed: bool,
    now: int,
) -> tuple[Closed, ...]:
    """Return every reason why a client's field is closed for a purpose; none if it is open.

    Args:
        catalogue: names the field and the purpose. Public.
        field: its name. Public.
        purpose: its name. Public.
        standing: of the client. Sensitive, and so is what is returned.
        family_closed: whether any member of the household objects. Sensitive.
        now: seconds since the Unix epoch.

    Raises:
        UnknownField, UnknownPurpose: the catalogue has no such name.
    """
    asked, wanted = catalogue.field(field), catalogue.purpose(purpose)
    level = asked.level
    rule = next(
        (r for r in catalogue.rules if r.field == field and purpose not in r.only_for), None
    )
    reasons = []
    if purpose not in asked.purposes:
        others = ", ".join(asked.purposes)
        reasons.append(
            (
                Because.PURPOSE,
                rule.text if rule else f"This field is never used for {wanted.title}.",
                rule.text_zh
                if rule and rule.text_zh
                else f"此字段不用于{_zh(wanted.title_zh, purpose)}。",
                f"Nothing you do opens it; it is used for {others} only.",
                f"您无需操作：它只用于 {others}。",
            )
        )
    if standing.level < level:
        reasons.append(
            (
                Because.LEVEL,
                f"It needs level {level:d} ({level.title}); you gave level {standing.level:d}.",
                f"需要第 {level:d} 级（{level.title_zh}）；您已授权第 {standing.level:d} 级。",
                f"Raise your authorization to level {level:d} or higher.",
                f"将授权提升至第 {level:d} 级或更高。",
            )
        )
    elif standing.level_at(now) < level:
        reasons.append(
            (
                Because.EXPIRED,
                "The authorization you gave has ended.",
                "您的授权已到期。",
                f"Give level {level:d} or higher again.",
                f"重新授权第 {level:d} 级或更高。",
            )
        )
    if purpose in standing.objections:
        reasons.append(
            (
                Because.OBJECTION,
                f"You objected to {wanted.title}.",
                f"您已反对{_zh(wanted.title_zh, purpose)}。",
                "Withdraw your objection to this purpose.",
                "撤回您对此用途的反对。",
            )
        )
    if family_closed and asked.of_family:
        reasons.append(
            (
                Because.FAMILY,
                "A member of your household objected to the use of family fields.",
                "您的家庭成员已反对使用家庭信息。",
                "Everyone in the household who objected has to withdraw the objection.",
                "由提出反对的每位家庭成员撤回反对。",
            )
        )
    return tuple(
        Closed(
            field=field,
            purpose=purpose,
            needed=level,
            because=because,
            text=text,
            text_zh=text_zh,
            remedy=remedy,
            remedy_zh=remedy_zh,
        )
        for because, text, text_zh, remedy, remedy_zh in reasons
    )


def _zh(title_zh: str, name: str) -> str:
    return title_zh or name
