"""The builder's form as a question: measure × for whom × split by × when, and back again. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from api.web.forms import Fields
from consent.catalogue import Catalogue, Field

EXACT: Final = (15.0, 40.0, 100.0)
"""Clients within which a count may be off: finer, usual, coarser."""
ROWS: Final = 2
"""Measures that the form has room for, beside the count."""
_NO_REASON = "a price was asked"
_MONTH = re.compile(r"^(.+)_(\d{4}_\d{2})$")
_TOP = 3
_PLACES: Final[Mapping[str, list[float]]] = {"median": [0.5], "quartiles": [0.25, 0.5, 0.75]}


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


KINDS: Final[Mapping[str, str]] = {
    "mean": _("the mean of"),
    "sum": _("the sum of"),
    "median": _("the median of"),
    "quartiles": _("the quartiles of"),
    "variance": _("the variance of"),
    "histogram": _("the distribution of"),
    "proportion": _("the part of clients who are"),
    "top": _("the three most frequent of"),
    "trend": _("month by month, the mean of"),
    "ratio": _("the ratio of"),
    "correlation": _("the correlation of"),
}
"""Measures by name, with what stands before their field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the form. of: a field, or "field=label" for a part. other: a second field."""

    kind: str = ""
    of: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the builder holds. All of it is public.

    only: "field=label" each, which every client counted must have. since, until: months as
    "2005_04", of fields that have one for each; "" for as far as they go.
    """

    purpose: str
    measures: tuple[Measure, ...]
    by: tuple[str, ...]
    cohort: tuple[str, ...]
    only: tuple[str, ...]
    since: str
    until: str
    within: float
    reason: str

    def request(self, catalogue: Catalogue) -> dict[str, Any]:
        """Return the question as the desk takes it, without its price."""
        more = [_statistic(one, self, catalogue) for one in self.measures]
        return {
            "kind": "question",
            "purpose": self.purpose,
            "statistics": [{"kind": "count"}, *more],
            "by": list(self.by),
            "where": [condition(one) for one in self.only],
            "reason": self.reason or _NO_REASON,
        } | ({"cohort": list(self.cohort)} if self.cohort else {})

    def but(self, **changes: Any) -> Self:  # noqa: ANN401 - any of its fields
        """Return the same draft with changes."""
        return type(self)(**{name: getattr(self, name) for name in self.__slots__} | changes)

    def row(self, number: int) -> Measure:
        """Return what one row of the form holds, the first is 1."""
        return self.measures[number - 1] if number <= len(self.measures) else Measure()

    def query(self) -> dict[str, Any]:
        """Return the draft as a query of the builder."""
        values: dict[str, Any] = {
            "purpose": self.purpose,
            "by": self.by,
            "cohort": self.cohort,
            "only": self.only,
            "since": self.since,
            "until": self.until,
            "within": f"{self.within:g}",
            "reason": self.reason,
        }
        for number, one in enumerate(self.measures, 1):
            parts = {"measure": one.kind, "of": one.of, "other": one.other}
            values |= {f"{name}{number}": value for name, value in parts.items()}
        return {name: value for name, value in values.items() if value}


def draft_of(fields: Fields, catalogue: Catalogue) -> Draft:
    """Read the builder's form; what it does not say is the usual."""
    purpose = fields.one("purpose") or catalogue.purposes[0].name
    within = fields.number("within_other", 0) or fields.number("within", EXACT[1])
    cohort = tuple(sorted(set(fields.many("cohort"))))
    rows = (
        Measure(
            kind=fields.one(f"measure{number}"),
            of=fields.one(f"of{number}"),
            other=fields.one(f"other{number}"),
        )
        for number in range(1, ROWS + 1)
    )
    return Draft(
        purpose=purpose,
        measures=tuple(row for row in rows if row.kind in KINDS and row.of),
        by=tuple(dict.fromkeys(fields.many("by"))),
        cohort=() if set(cohort) == set(catalogue.departments) else cohort,
        only=tuple(dict.fromkeys(fields.many("only"))),
        since=fields.one("since"),
        until=fields.one("until"),
        within=within,
        reason=fields.one("reason"),
    )


def draft_again(plan: Mapping[str, Any], catalogue: Catalogue) -> Draft | None:
    """Return the draft that asks a question of this plan again, or None if the form has not all."""
    asked = [s for s in plan["statistics"] if s["kind"] != "count"]
    where = plan["where"]
    draft = Draft(
        purpose=plan["purpose"],
        measures=tuple(_measure(s) for s in asked),
        by=tuple(plan["by"]),
        cohort=tuple(plan["cohort"]),
        only=tuple(f"{one['field']}={one['one_of'][0]}" for one in where),
        since="",
        until="",
        within=EXACT[1],
        reason=plan["reason"],
    )
    again = draft.request(catalogue) | {"where": where}
    same = [_plain(s) for s in asked] == again["statistics"][1:]
    narrow = all(len(one["one_of"]) == 1 for one in where)
    if not (same and narrow and max(len(asked), len(plan["by"]), len(where)) <= ROWS):
        return None
    return draft.but(cohort=() if set(draft.cohort) == set(catalogue.departments) else draft.cohort)


def condition(only: str) -> dict[str, Any]:
    """Return "field=label" as a condition of a plan."""
    field, _equals, label = only.partition("=")
    return {"field": field, "one_of": [label]}


def open_fields(purpose: str, catalogue: Catalogue) -> list[Field]:
    """Return the fields that are open to a purpose."""
    return [field for field in catalogue.fields if purpose in field.purposes]


def months(fields: Sequence[Field]) -> list[str]:
    """Return the months that fields are of, "2005_04" each, in order."""
    found = (_MONTH.match(field.name) for field in fields)
    return sorted({match[2] for match in found if match})


def _statistic(measure: Measure, draft: Draft, catalogue: Catalogue) -> dict[str, Any]:
    name, _equals, label = measure.of.partition("=")
    name = _at(name, draft)
    match measure.kind:
        case "median" | "quartiles":
            return {"kind": "quantiles", "field": name, "at": _PLACES[measure.kind]}
        case "proportion":
            return {"kind": "proportion", "field": name, "of": [label or "yes"]}
        case "top":
            return {"kind": "top", "field": name, "k": _TOP}
        case "ratio" | "correlation" as kind:
            other = {"ratio": "over", "correlation": "other"}[kind]
            return {"kind": kind, "field": name, other: _at(measure.other, draft)}
        case "trend":
            return {"kind": "trend", "months": _window(name, draft, catalogue)}
        case kind:
            return {"kind": kind, "field": name}


def _at(name: str, draft: Draft) -> str:
    """Return the field of the one month that was chosen, if it is of a month."""
    match = _MONTH.match(name)
    return f"{match[1]}_{draft.since}" if match and draft.since == draft.until != "" else name


def _window(name: str, draft: Draft, catalogue: Catalogue) -> list[str]:
    """Return the fields of the same series within the months that were chosen, in order."""
    match = _MONTH.match(name)
    stem = match[1] if match else name
    found = (_MONTH.match(field.name) for field in open_fields(draft.purpose, catalogue))
    series = sorted(each[2] for each in found if each and each[1] == stem)
    until = draft.until or "9999_99"
    return [f"{stem}_{month}" for month in series if draft.since <= month <= until]


def _plain(statistic: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a statistic measures, whatever it costs."""
    return {k: v for k, v in statistic.items() if v is not None and k not in {"weight", "depth"}}


def _measure(statistic: Mapping[str, Any]) -> Measure:
    """Return the row that a statistic comes from; what the form has not, comes back otherwise."""
    kind, field = statistic["kind"], statistic.get("field", "")
    match statistic:
        case {"kind": "quantiles", "at": [_]}:
            return Measure(kind="median", of=field)
        case {"kind": "quantiles"}:
            return Measure(kind="quartiles", of=field)
        case {"kind": "proportion", "of": [label, *_]}:
            return Measure(kind=kind, of=f"{field}={label}")
        case {"kind": "trend", "months": [first, *_]}:
            return Measure(kind=kind, of=first)
        case _:
            other = statistic.get("over") or statistic.get("other") or ""
            return Measure(kind=kind, of=field, other=other)
