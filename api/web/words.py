"""Plans, runs and roles in words. The texts are English and are translated when they are shown."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.web.language import Language, gettext
from consent.catalogue import Catalogue
from consent.errors import UnknownField, UnknownPurpose
from federation.coordinator.runs import Run


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


ROLES: Final[Mapping[str, str]] = {
    "analyst": _("Risk analyst"),
    "researcher": _("Researcher"),
    "advisor": _("Advisor"),
    "privacy_officer": _("Privacy officer"),
    "steward": _("Consent steward"),
    "auditor": _("Auditor"),
    "node_operator": _("Node operator"),
    "client": _("Client"),
}
STATES: Final[Mapping[str, str]] = {
    "waiting": _("Waits for two officers"),
    "accepted": _("Waiting for its turn"),
    "running": _("Running"),
    "released": _("Released"),
    "refused": _("Refused"),
}
STAGES: Final[Mapping[str, str]] = {
    "on trial": _("on trial"),
    "in use": _("in use"),
    "retired": _("retired"),
}
FLAGS: Final[Mapping[str, str]] = {"yes": _("yes"), "no": _("no")}
_QUESTION = {
    (False, False): _("How many clients"),
    (False, True): _("How many clients, by %(by)s"),
    (True, False): _("How many clients, and the mean of %(mean)s"),
    (True, True): _("How many clients, and the mean of %(mean)s, by %(by)s"),
}
_ONLY = _(" (only %(field)s: %(labels)s)")
_TRAINING = _("A model of %(target)s from %(count)s fields")
_AND = _(" and ")
_OTHER = _("A release of kind %(kind)s")
FIRM = _("The whole firm")


def plan_in(run: Run) -> dict[str, Any]:
    """Return a run's plan as JSON: its kind may be one that this page knows nothing of."""
    plan: dict[str, Any] = json.loads(run.plan)
    return plan


def asked(plan: Mapping[str, Any], catalogue: Catalogue, language: Language) -> str:
    """Say what a plan asks, in one line, with the titles of the fields."""
    match plan["kind"]:
        case "question":
            means = [s["field"] for s in plan["statistics"] if s["kind"] == "mean"]
            text = gettext(language, _QUESTION[bool(means), bool(plan["by"])]) % {
                "mean": listed(means, catalogue, language),
                "by": listed(plan["by"], catalogue, language),
            }
            return text + _narrowed(plan.get("where", ()), catalogue, language)
        case "training":
            title = field_title(plan["target"], catalogue, language)
            given = {"target": title, "count": len(plan["features"])}
            return gettext(language, _TRAINING) % given
        case kind:
            return gettext(language, _OTHER) % {"kind": kind}


def _narrowed(where: Sequence[Mapping[str, Any]], catalogue: Catalogue, language: Language) -> str:
    """Say whom a question keeps to, or nothing if to nobody."""
    return "".join(
        gettext(language, _ONLY)
        % {
            "field": field_title(condition["field"], catalogue, language),
            "labels": ", ".join(
                gettext(language, FLAGS[v]) if v in FLAGS else v for v in condition["one_of"]
            ),
        }
        for condition in where
    )


def listed(names: Sequence[str], catalogue: Catalogue, language: Language) -> str:
    """Return the titles of fields, joined by "and"."""
    titles = (field_title(name, catalogue, language) for name in names)
    return gettext(language, _AND).join(titles)


def field_title(name: str, catalogue: Catalogue, language: Language) -> str:
    """Return the title of a field, or its name if the catalogue has it no more."""
    try:
        field = catalogue.field(name)
    except UnknownField:
        return name
    return field.title_zh if language == "zh" and field.title_zh else field.title


def purpose_title(name: str, catalogue: Catalogue, language: Language) -> str:
    """Return the title of a purpose, or its name if the catalogue has it no more."""
    try:
        purpose = catalogue.purpose(name)
    except UnknownPurpose:
        return name
    return purpose.title_zh if language == "zh" and purpose.title_zh else purpose.title


def pool_title(pool: str, catalogue: Catalogue, language: Language) -> str:
    """Return the title of a pool: the firm, or a purpose."""
    _firm, _slash, name = pool.partition("/")
    return purpose_title(name, catalogue, language) if name else gettext(language, FIRM)
