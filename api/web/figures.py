"""How numbers, amounts and times are written in each language. Nothing is computed here."""

import math
from datetime import UTC, datetime

from babel.dates import format_date, format_datetime
from babel.numbers import format_compact_decimal, format_decimal, format_percent

from api.web.language import Language

_LOCALE = {"en": "en_GB", "zh": "zh_Hans_CN"}
_COMPACT = 1e6
_WHOLE = 100
_SMALL = 0.1
_TINY = 1e-3
_MOMENT = {"en": "d MMM y, HH:mm", "zh": "y年M月d日 HH:mm"}


def number(value: float, language: Language, *, digits: int | None = None) -> str:
    """Write a number: whole from a hundred on, else with three digits that say something."""
    if not math.isfinite(value):
        return "–"
    places = max(0, 2 - math.floor(math.log10(abs(value)))) if 0 < abs(value) < _WHOLE else 0
    shape = "#,##0." + "#" * min(6, places if digits is None else digits)
    return format_decimal(value, format=shape.rstrip("."), locale=_LOCALE[language])


def compact(value: float, language: Language) -> str:
    """Write a large amount in few letters: 123.5M, 1.2亿."""
    if abs(value) < _COMPACT:
        return number(value, language)
    return format_compact_decimal(value, locale=_LOCALE[language], fraction_digits=1)


def percent(part: float, language: Language) -> str:
    """Write a part of a whole, 0 to 1, in percent."""
    shape = "#,##0.#%" if part < _SMALL else "#,##0%"
    return format_percent(part, format=shape, locale=_LOCALE[language])


def loss(value: float | None, language: Language) -> str:
    """Write ε or ρ with three digits, small ones by their power of ten."""
    if value is None:
        return "–"
    if 0 < value < _TINY:
        return f"{value:.2e}"
    return format_decimal(value, format="#,##0.###", locale=_LOCALE[language])


def day(at: datetime | float | None, language: Language) -> str:
    """Write a date, in UTC."""
    return "–" if at is None else format_date(_utc(at), format="medium", locale=_LOCALE[language])


def moment(at: datetime | float | None, language: Language) -> str:
    """Write a date and a time of day, in UTC."""
    if at is None:
        return "–"
    return format_datetime(_utc(at), format=_MOMENT[language], locale=_LOCALE[language])


def iso(at: datetime | float) -> str:
    """Write a time for machines: RFC 3339 in UTC."""
    return _utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(at: datetime | float) -> datetime:
    return at.astimezone(UTC) if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
