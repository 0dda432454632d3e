"""What to do about a problem, in Chinese; in English the problem's own detail says it."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from api.problems import TABLE, Kind
from api.web.language import LOCALE, Language

_NAMED: Final = {error.__name__: kind for error, kind in TABLE.items()}


def advice(slug: str, language: Language) -> str:
    """Return what to do about a problem of a type, by the last part of its URI; "" in English."""
    return "" if language == "en" else _texts().get(slug, "")


def kind_named(code: str) -> Kind | None:
    """Return what a run's refusal looks like, by its code; None for one of another version."""
    return _NAMED.get(code)


@lru_cache
def _texts() -> Mapping[str, str]:
    return tomllib.loads((LOCALE / "zh" / "problems.toml").read_text(encoding="utf-8"))
