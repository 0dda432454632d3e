"""Drawing a model card as one page: no script, no file beside it, ready to print."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from api.cards.drawing import influence_bars, interval_bar, reliability, scale_of, short
from api.cards.words import words_in
from privacy.odds_text import Language

NOT_STATED = "not stated"


def card_page(card: Mapping[str, Any], language: Language) -> str:
    """Return a card as HTML in one language; what is "not stated" is printed so.

    Args:
        card: as federation.coordinator.model_card gives it.
        language: "en" or "zh".
    """
    words = words_in(language)

    def stated(value: object) -> str:
        """Print a value as people read it."""
        match value:
            case None | "" | "not stated":
                return words[NOT_STATED]
            case bool():
                return words["yes" if value else "no"]
            case float():
                return f"{value:.4g}"
            case list() | tuple():
                return ", ".join(map(str, value)) or words[NOT_STATED]
            case _:
                return str(value)

    def titled(entry: Mapping[str, Any], key: str = "title") -> str:
        """Return a title in the page's language."""
        found = entry[f"{key}_zh" if language == "zh" else key]
        return stated(found)

    def by_influence(
        told: Sequence[Mapping[str, Any]], fields: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return what each field moves, with its title, the largest first."""
        titles = {field["name"]: titled(field) for field in fields}
        found = [{**one, "title": titles[one["label"]]} for one in told]
        return sorted(found, key=lambda one: -float(one["value"]))

    return _template().render(
        card=card,
        language=language,
        w=words,
        stated=stated,
        titled=titled,
        day=_day,
        short=short,
        scale_of=scale_of,
        interval_bar=interval_bar,
        reliability=reliability,
        influence_bars=influence_bars,
        by_influence=by_influence,
    )


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("card.html")
