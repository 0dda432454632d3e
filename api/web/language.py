"""Which language a page is in, and its words. English stands in the code, Chinese in a .po file.

The .po file is read when it is first needed, so nothing is compiled and nothing can be stale.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, get_args

from babel.messages.pofile import read_po
from fastapi import Request

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
COOKIE = "language"
LOCALE = Path(__file__).parent / "locale"


def language_of(request: Request) -> Language:
    """Return the language a person chose, or else the first of the browser's that there is."""
    wished = _wishes(request.headers.get("accept-language", ""))
    found = (_known(tag) for tag in (request.cookies.get(COOKIE, ""), *wished))
    return next((language for language in found if language), "en")


def gettext(language: Language, text: str) -> str:
    """Return a text of the console in a language; a text without a translation stays English."""
    return _words(language).get(text, text)


def ngettext(language: Language, one: str, many: str, number: int) -> str:
    """Return a text that depends on a number; Chinese has one form for all numbers."""
    return _words(language).get(one, one if number == 1 else many)


@lru_cache
def _words(language: Language) -> Mapping[str, str]:
    if language == "en":
        return {}
    with (LOCALE / language / "console.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    return {
        m.id if isinstance(m.id, str) else m.id[0]: m.string
        if isinstance(m.string, str)
        else m.string[0]
        for m in catalog
        if m.id and m.string
    }


def _known(tag: str) -> Language | None:
    main = tag.strip().lower().replace("_", "-").partition("-")[0]
    return next((language for language in LANGUAGES if language == main), None)


def _wishes(header: str) -> list[str]:
    """Return the tags of an Accept-Language header, most wanted first; nonsense is left out."""
    wishes = []
    for part in header.split(",")[:20]:
        tag, _, weight = part.partition(";q=")
        try:
            wishes.append((float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for _, tag in sorted(wishes, key=lambda wish: -wish[0])]
