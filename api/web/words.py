"""Plans, runs and roles in words. The texts are English and are translated when they are shown."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
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
MONITOR_STATES: Final[Mapping[str, str]] = {
    "watching": _("watching"),
    "ended": _("all its times are over"),
    "stopped": _("stopped"),
    "refused": _("refused"),
}
SWEEP_STATES: Final[Mapping[str, str]] = {
    "trying": _("Running"),
    "ended": _("every recipe was tried"),
    "stopped": _("stopped"),
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
    (True, False): _("How many clients, and %(what)s"),
    (True, True): _("How many clients, and %(what)s, by %(by)s"),
}
MEASURES: Final[Mapping[str, str]] = {
    "count": _("clients"),
    "mean": _("the mean of %(field)s"),
    "sum": _("the sum of %(field)s"),
    "variance": _("the variance of %(field)s"),
    "proportion": _("the part with %(field)s: %(labels)s"),
    "ratio": _("the ratio of %(field)s to %(other)s"),
    "correlation": _("the correlation of %(field)s and %(other)s"),
    "histogram": _("the distribution of %(field)s"),
    "top": _("the most frequent of %(field)s"),
    "quantiles": _("the quantiles of %(field)s"),
    "trend": _("the mean month by month, %(field)s to %(other)s"),
    "short": _("who is short of the level for %(field)s"),
}
_MEDIAN = _("the median of %(field)s")
_ONLY = _(" (only %(field)s: %(labels)s)")
_TRAINING = _("A model of %(target)s from %(count)s fields")
_JUDGED = _("How well a model of %(target)s does")
_DRIVEN = _("What drives the scores of a model of %(target)s")
_AND = _(" and ")
_OTHER = _("A release of kind %(kind)s")
STEPS: Final = frozenset(
    {
        _("waiting for its turn"),
        _("waiting for two people to approve it"),
        _("asking every department whether it agrees"),
        _("finding each client's owner"),
        _("adding the departments' noised sums"),
        _("adding the departments' noised scores"),
        _("adding the departments' noised shares"),
        _("matching the departments' clients"),
        _("carrying sealed matrices, part %(n)s of %(all)s"),
        _("round %(n)s of %(all)s"),
        _("released"),
        _("refused"),
    }
)
PLANS: Final[Mapping[str, str]] = {
    "question": _("questions"),
    "training": _("trainings"),
    "evaluation": _("evaluations"),
    "cube": _("cubes"),
}
LEGS: Final[Mapping[str, str]] = {
    "check": _("agreement"),
    "tokens": _("keyed tokens"),
    "sum": _("masked sum"),
    "round": _("masked update"),
    "matrices": _("sealed matrices"),
    "shares": _("masked shares"),
}
_NUMBERS = ("n", "all")
FIRM = _("The whole firm")


def plan_in(run: Run) -> dict[str, Any]:
    """Return a run's plan as JSON: its kind may be one that this page knows nothing of."""
    plan: dict[str, Any] = json.loads(run.plan)
    return plan


def asked(plan: Mapping[str, Any], catalogue: Catalogue, language: Language) -> str:
    """Say what a plan asks, in one line, with the titles of the fields."""
    match plan["kind"]:
        case "question":
            more = [s for s in plan["statistics"] if s["kind"] != "count"]
            text = gettext(language, _QUESTION[bool(more), bool(plan["by"])]) % {
                "what": _joined((measure(s, catalogue, language) for s in more), language),
                "by": listed(plan["by"], catalogue, language),
            }
            return text + _narrowed(plan.get("where", ()), catalogue, language)
        case "training":
            title = field_title(plan["target"], catalogue, language)
            given = {"target": title, "count": len(plan["features"])}
            return gettext(language, _TRAINING) % given
        case "evaluation":
            title = field_title(plan["training"]["target"], catalogue, language)
            return gettext(language, _DRIVEN if plan["explain"] else _JUDGED) % {"target": title}
        case kind:
            return gettext(language, _OTHER) % {"kind": kind}


def measure(statistic: Mapping[str, Any], catalogue: Catalogue, language: Language) -> str:
    """Say what one statistic of a question measures, within a sentence."""
    kind, months = statistic["kind"], statistic.get("months") or [""]
    other = statistic.get("over") or statistic.get("other") or months[-1]
    median = kind == "quantiles" and list(statistic["at"]) == [0.5]
    return gettext(language, _MEDIAN if median else MEASURES[kind]) % {
        "field": field_title(statistic.get("field") or months[0], catalogue, language),
        "other": field_title(other, catalogue, language),
        "labels": ", ".join(label_title(label, language) for label in statistic.get("of", ())),
    }


def label_title(label: str, language: Language) -> str:
    """Return a field's label as it is read: a flag's in words."""
    return gettext(language, FLAGS[label]) if label in FLAGS else label


def _narrowed(where: Sequence[Mapping[str, Any]], catalogue: Catalogue, language: Language) -> str:
    """Say whom a question keeps to, or nothing if to nobody."""
    return "".join(
        gettext(language, _ONLY)
        % {
            "field": field_title(condition["field"], catalogue, language),
            "labels": ", ".join(label_title(label, language) for label in condition["one_of"]),
        }
        for condition in where
    )


def stepped(step: str, language: Language) -> str:
    """Say what is happening to a run; what another version of ours wrote stays as it is."""
    names, numbers = iter(_NUMBERS), re.findall(r"\d+", step)[: len(_NUMBERS)]
    pattern = re.sub(r"\d+", lambda _: f"%({next(names)})s", step, count=len(_NUMBERS))
    if pattern not in STEPS:
        return step
    return gettext(language, pattern) % dict(zip(_NUMBERS, numbers, strict=False))


def listed(names: Sequence[str], catalogue: Catalogue, language: Language) -> str:
    """Return the titles of fields, joined by "and"."""
    return _joined((field_title(name, catalogue, language) for name in names), language)


def _joined(texts: Iterable[str], language: Language) -> str:
    return gettext(language, _AND).join(texts)


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
