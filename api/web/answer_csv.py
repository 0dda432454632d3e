"""An answer as CSV: a line for each figure, with the ends of both its intervals and the caveat."""

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Final

from api.web.answer_view import Card
from api.web.language import Language, gettext


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_HEAD: Final = (
    _("Statistic"),
    _("Unit"),
    _("Group"),
    _("Part"),
    _("About"),
    _("95 % from, noise only"),
    _("95 % to, noise only"),
    _("95 % from, noise and sampling"),
    _("95 % to, noise and sampling"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(cards: Sequence[Card], caveat: str, language: Language) -> str:
    """Write an answer's cards; a figure that is not told has blanks for numbers."""
    text = StringIO()
    out = csv.writer(text)
    out.writerow([gettext(language, head) for head in _HEAD])
    for card in cards:
        for row in card.rows:
            group, part = (card.group, row.name) if card.group else (row.name, "")
            numbers = (row.figure.value, *row.noise, *row.overall) if row.figure else [""] * 5
            out.writerow([*map(_plain, (card.title, card.unit, group, part)), *numbers])
    out.writerow([])
    out.writerow([_plain(caveat)])
    return text.getvalue()


def _plain(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
