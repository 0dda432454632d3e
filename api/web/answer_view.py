"""A released answer as people read it: one column for each measure, a verdict over each."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from api.web.charts import Span, span_of
from api.web.language import Language, gettext
from api.web.verdicts import Figure, Verdict, verdict
from api.web.words import FLAGS, field_title
from consent.catalogue import Catalogue
from consent.errors import UnknownField


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_CLIENTS = _("Clients")
_EVERYBODY = _("Everybody")
_WHOLE = 100
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One figure of a column. ``figure`` is None where there were too few clients to tell."""

    name: str
    figure: Figure | None
    wider: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One measure over all cells. ``field`` is None for the count; ``digits``: None as it fits."""

    field: str | None
    title: str
    unit: str
    digits: int | None
    rows: tuple[Measured, ...]
    span: Span
    verdict: Verdict


def columns_of(
    result: Mapping[str, Any], label: Mapping[str, Any], catalogue: Catalogue, language: Language
) -> tuple[Column, ...]:
    """Return a question's columns: the count, then each mean.

    Args:
        result: as the run released it.
        label: of the run, which has the wider intervals.
        catalogue: for titles and units.
        language: of the titles.
    """
    rows = result["rows"]
    names = [_name(row["cell"], language) for row in rows]
    wide = label.get("interval_with_sampling", {})
    counts = [(row["count"], None) for row in rows]
    found = [_column(None, names, counts, catalogue, language)]
    for group, key in _figures_of(rows):
        widths = wide.get(f"mean {key}") if group == "means" else None
        spread = widths if isinstance(widths, list) else [None] * len(rows)
        figures = [(row[group][key], w) for row, w in zip(rows, spread, strict=True)]
        column = _column(key, names, figures, catalogue, language)
        found.append(column)
    return tuple(found)


def _figures_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the groups and keys of what is one figure a row; lists are shown as they are."""
    first = rows[0] if rows else {}
    return [
        (group, key)
        for group in first
        if group not in ("cell", "count") and isinstance(first[group], dict)
        for key in first[group]
        if all(_one_figure(row[group][key]) for row in rows)
    ]


def _one_figure(figure: object) -> bool:
    return isinstance(figure, dict) and ("half_width" in figure or "note" in figure)


def _column(
    field: str | None,
    names: Sequence[str],
    figures: Sequence[tuple[Mapping[str, Any], object]],
    catalogue: Catalogue,
    language: Language,
) -> Column:
    rows = []
    for name, (figure, wider) in zip(names, figures, strict=True):
        told = None
        if "half_width" in figure:
            told = Figure(name=name, value=figure["value"], half=figure["half_width"])
        width = float(wider) if isinstance(wider, int | float) else None
        rows.append(Measured(name=name, figure=told, wider=width))
    told_ = [row.figure for row in rows if row.figure]
    reach = [(r.figure.value, r.wider or r.figure.half) for r in rows if r.figure]
    clients = gettext(language, _CLIENTS)
    return Column(
        field=field,
        title=clients if field is None else field_title(field, catalogue, language),
        digits=0 if any(abs(f.value) >= _WHOLE for f in told_) else None,
        unit="" if field is None else _unit(field, catalogue),
        rows=tuple(rows),
        span=span_of(reach),
        verdict=verdict(told_),
    )


def _name(cell: Mapping[str, str], language: Language) -> str:
    values = (gettext(language, FLAGS[v]) if v in FLAGS else v for v in cell.values())
    return " · ".join(values) or gettext(language, _EVERYBODY)


def _unit(field: str, catalogue: Catalogue) -> str:
    try:
        return catalogue.field(field).unit
    except UnknownField:
        return ""


def to_csv(columns: Sequence[Column], caveat: str) -> str:
    """Write an answer as CSV: each figure with the ends of its interval, and the caveat last."""
    text = StringIO()
    out = csv.writer(text)
    head = [""]
    for column in columns:
        head += [column.title, f"{column.title}: 95 % from", f"{column.title}: 95 % to"]
    out.writerow(map(_plain, head))
    for place, measured in enumerate(columns[0].rows):
        line: list[object] = [_plain(measured.name)]
        for column in columns:
            figure = column.rows[place].figure
            ends = (
                (figure.value, figure.value - figure.half, figure.value + figure.half)
                if figure
                else ("", "", "")
            )
            line += ends
        out.writerow(line)
    out.writerow([])
    out.writerow([_plain(caveat)])
    return text.getvalue()


def _plain(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
