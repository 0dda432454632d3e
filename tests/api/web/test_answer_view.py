"""Every statistic has its card and its lines of CSV, in both languages."""

from typing import Any

import pytest

from api.web.answer_csv import to_csv
from api.web.answer_view import Card, cards_of
from federation.coordinator.question_result import question_result
from federation.question_plan import QuestionPlan
from tests.federation.statistics.conftest import CATALOGUE, clients, question, released, silence
from tests.federation.statistics.test_templates import EVERY, KINDS

FIGURE = {"value": 100.0, "half_width": 5.0, "low": 95.0, "high": 105.0}
FIGURE |= {"overall": 9.0, "overall_low": 91.0, "overall_high": 109.0}
NOTE = {"note": "too few clients to tell"}
WORLD = clients(2000)


def answered(*statistics: dict[str, Any], **changes: Any) -> tuple[QuestionPlan, dict[str, Any]]:
    plan = question(statistics=statistics, rho=50.0, **changes)
    releases = released(plan, WORLD.exact(plan), silence)
    return plan, question_result(plan, CATALOGUE, releases)


def cards(*statistics: dict[str, Any], **changes: Any) -> tuple[Card, ...]:
    return cards_of(*answered(*statistics, **changes), CATALOGUE, "en")


@pytest.mark.parametrize("statistic", EVERY[1:], ids=KINDS[1:])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_statistic_has_a_card_and_a_line_of_csv_for_each_figure(
    statistic: dict[str, Any], language: Any
) -> None:
    plan, result = answered(statistic, by=("sex",))
    count, *found = cards_of(plan, result, CATALOGUE, language)
    assert [row.name for row in count.rows] == ["f", "m"]
    figures = [row for card in found for row in card.rows]
    assert len(figures) == str(result["rows"]).count("'value'") - 2
    for row in figures:
        assert row.overall[0] <= row.noise[0] <= row.figure.value <= row.noise[1] <= row.overall[1]
    text = to_csv((count, *found), "the caveat", language).splitlines()
    assert len(text) == 1 + 2 + len(figures) + 2
    assert all(len(line.split(",")) >= 9 for line in text[1:-2])


def test_lists_are_named_by_what_they_are_of() -> None:
    _count, median = cards({"kind": "quantiles", "field": "wealth", "at": (0.25, 0.75)})
    assert [row.name for row in median.rows] == ["25% are below", "75% are below"]
    assert median.verdict.kind == "range"
    _count, _age, trend = cards(EVERY[1], EVERY[-1])
    assert (trend.group, [row.name for row in trend.rows]) == ("Everybody", ["-", "-"])
    assert trend.verdict.kind in {"rose", "fell"}


def test_a_part_is_told_in_percent_and_a_ranking_says_what_is_too_close() -> None:
    _count, part = cards(EVERY[4])
    assert part.unit == "%"
    assert 25 < part.rows[0].figure.value < 35
    plan, result = answered(EVERY[8])
    (ranking,) = result["rows"][0]["tops"].values()
    ranking[0]["too_close_to_call"] = True
    assert [row.tie for row in cards_of(plan, result, CATALOGUE, "en")[1].rows] == [True, False]


def test_no_end_of_a_count_is_below_zero() -> None:
    result = {"rows": [{"cell": {}, "count": FIGURE | {"low": 0.0, "overall_low": 0.0}}]}
    (card,) = cards_of(question(), result, CATALOGUE, "en")
    assert card.rows[0].noise == (0.0, 105.0)
    assert card.span.low == 0.0


def test_what_could_not_be_told_has_no_figure() -> None:
    result = {"rows": [{"cell": {}, "count": NOTE, "histograms": {"city": [NOTE]}}]}
    plan = question(statistics=({"kind": "histogram", "field": "city"},))
    found = cards_of(plan, result, CATALOGUE, "en")
    assert [card.rows[0].figure for card in found] == [None, None]
    assert found[0].verdict.kind == "none"
    assert "clients,,Everybody,,,,,,".lower() in to_csv(found, "-", "en").lower()


def test_no_cell_of_the_csv_is_a_formula() -> None:
    result = {"rows": [{"cell": {"city": "=1+1"}, "count": FIGURE}]}
    text = to_csv(cards_of(question(by=("city",)), result, CATALOGUE, "en"), "@caveat", "en")
    assert "'=1+1,,100.0,95.0,105.0,91.0,109.0" in text
    assert "'@caveat" in text
