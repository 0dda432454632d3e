import re

import pytest

from api.problems import INTERNAL, MALFORMED, TABLE, Kind
from api.web.language import gettext
from api.web.page_route import NO_PAGE
from api.web.problem_words import advice, kind_named

KINDS = (*TABLE.values(), MALFORMED, INTERNAL, NO_PAGE)
NAMES = {"SuperLink", "SQL", "SELECT"}
"""Words that are the same in every language."""


def english(text: str) -> set[str]:
    """Return the words of a text that a reader of Chinese alone cannot read."""
    return set(re.findall(r"[A-Za-z]{2,}", text)) - NAMES


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_problem_is_told_in_chinese_alone(kind: Kind) -> None:
    for text in (gettext("zh", kind.title), advice(kind.slug, "zh")):
        assert re.search(r"[\u4e00-\u9fff]", text)
        assert not english(text)
    assert advice(kind.slug, "zh").endswith("。")


def test_english_words_would_be_found() -> None:
    assert english("预算不足 please ask SuperLink") == {"please", "ask"}


def test_in_english_the_detail_says_what_to_do() -> None:
    assert advice("budget-exceeded", "en") == ""


def test_a_refusal_of_a_run_is_found_by_its_code() -> None:
    kind = kind_named("BudgetExceeded")
    assert kind is not None
    assert kind.slug == "budget-exceeded"
    assert kind_named("NeverHeardOf") is None
