"""A released answer as people read it: a card for each statistic, with a verdict over it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.web.charts import Span, span_of
from api.web.figures import percent
from api.web.language import Language, gettext
from api.web.verdicts import Figure, Verdict, over_time, spread, verdict
from api.web.words import field_title, label_title, measure
from consent.catalogue import Catalogue
from consent.errors import UnknownField
from federation.question_plan import QuestionPlan
from federation.statistics.counting import Count
from federation.statistics.template import Template


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_EVERYBODY = _("Everybody")
_BELOW = _("%(part)s are below")
_WHOLE = 100
_VERDICTS = {"quantiles": spread, "trend": over_time}
_COUNTED = frozenset({"count", "histogram", "top", "short"})
_Lines = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One line of a card. ``figure`` is None where nothing is told; ``tie``: too close to call."""

    name: str
    figure: Figure | None
    noise: tuple[float, float] = (0.0, 0.0)
    overall: tuple[float, float] = (0.0, 0.0)
    tie: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One statistic: over all cells, or over the parts of one cell, which ``group`` then names.

    counted: its figures are clients. digits: after the point; None as it fits.
    """

    title: str
    group: str
    unit: str
    counted: bool
    digits: int | None
    rows: tuple[Measured, ...]
    span: Span
    verdict: Verdict


def cards_of(
    plan: QuestionPlan, result: Mapping[str, Any], catalogue: Catalogue, language: Language
) -> tuple[Card, ...]:
    """Return a question's cards: the count's, then each statistic's in the plan's order.

    Args:
        plan: the question.
        result: as its run released it.
        catalogue: for titles and units.
        language: of the titles.
    """
    rows = result["rows"]
    names = [_name(row["cell"], language) for row in rows]
    more = [s for s in plan.statistics if not isinstance(s, Count)]
    asked: list[Template] = [*more] if plan.short else [Count(), *more]
    return tuple(
        _card(statistic, group, lines, catalogue, language)
        for statistic in asked
        for group, lines in _lines(statistic, rows, names)
    )


def _lines(
    statistic: Template, rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> Iterator[tuple[str, _Lines]]:
    """Yield the lines of each card of a statistic: of lists of figures, a card for each cell."""
    entries = [row[statistic.group] for row in rows]
    if not isinstance(statistic, Count):
        entries = [entry[statistic.key] for entry in entries]
    if not any(isinstance(entry, list) for entry in entries):
        yield "", list(zip(names, entries, strict=True))
        return
    for name, entry in zip(names, entries, strict=True):
        yield name, [(str(part.get("label", part.get("at", ""))), part) for part in entry]


def _card(
    statistic: Template, group: str, lines: _Lines, catalogue: Catalogue, language: Language
) -> Card:
    plan = statistic.model_dump(mode="json")
    kind = plan["kind"]
    scale = _WHOLE if kind == "proportion" else 1
    rows = tuple(
        _measured(_line_name(kind, name, catalogue, language), figure, scale)
        for name, figure in lines
    )
    told = [row.figure for row in rows if row.figure]
    title = measure(plan, catalogue, language)
    return Card(
        title=title[:1].upper() + title[1:],
        group=group,
        unit="%" if kind == "proportion" else _unit(kind, statistic.fields, catalogue),
        counted=kind in _COUNTED,
        digits=0 if any(abs(f.value) >= _WHOLE for f in told) else None,
        rows=rows,
        span=span_of([end for row in rows if row.figure for end in row.overall]),
        verdict=_VERDICTS.get(kind, verdict)(told),
    )


def _measured(name: str, figure: Mapping[str, Any], scale: float) -> Measured:
    if "value" not in figure:
        return Measured(name=name, figure=None)
    ends = {end: scale * figure[end] for end in ("low", "high", "overall_low", "overall_high")}
    half = scale * figure.get("half_width", (figure["high"] - figure["low"]) / 2)
    return Measured(
        name=name,
        figure=Figure(name=name, value=scale * figure["value"], half=half),
        noise=(ends["low"], ends["high"]),
        overall=(ends["overall_low"], ends["overall_high"]),
        tie=bool(figure.get("too_close_to_call")),
    )


def _name(cell: Mapping[str, str], language: Language) -> str:
    labels = (label_title(label, language) for label in cell.values())
    return " · ".join(labels) or gettext(language, _EVERYBODY)


def _line_name(kind: str, name: str, catalogue: Catalogue, language: Language) -> str:
    """Return what a line is called: a cell, a label, a month, or a part of the clients."""
    if kind == "quantiles" and name:
        return gettext(language, _BELOW) % {"part": percent(float(name), language)}
    if kind == "trend":
        return field_title(name, catalogue, language)
    return label_title(name, language)


def _unit(kind: str, fields: Sequence[str], catalogue: Catalogue) -> str:
    units = [_unit_of(field, catalogue) for field in fields]
    match kind:
        case "mean" | "sum" | "quantiles" | "trend":
            return units[0]
        case "variance":
            return f"{units[0]}²" if units[0] else ""
        case "ratio":
            return "" if units[0] == units[1] else f"{units[0]} / {units[1]}"
        case _:
            return ""


def _unit_of(field: str, catalogue: Catalogue) -> str:
    try:
        return catalogue.field(field).unit
    except UnknownField:
        return ""
