"""The builder: every measure of the form is a question that can be priced, and comes back again."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.web.builder import KINDS, Draft, draft_again, draft_of, months, open_fields
from api.web.forms import Fields
from consent.catalogue import Catalogue, Field
from consent.purposes import Purpose
from federation.coordinator.spelling import spelled

COMMON = {"title": "-", "departments": ("lending", "wealth"), "level": 1, "purposes": ("review",)}
NUMBERS = [f"paid_2005_0{month}" for month in (4, 5, 6)] + ["income"]
CATALOGUE = Catalogue(
    name="test",
    departments=("lending", "wealth"),
    purposes=(Purpose(name="review", title="-"), Purpose(name="other", title="-")),
    fields=(
        *(
            Field.model_validate(
                COMMON | {"name": name, "kind": "number", "lower": 0, "upper": 9, "edges": (3, 6)},
                strict=False,
            )
            for name in NUMBERS
        ),
        Field.model_validate(
            COMMON | {"name": "region", "kind": "category", "categories": ("n", "s")}, strict=False
        ),
    ),
)


def drafted(**form: Any) -> Draft:
    values = {name: value if isinstance(value, list) else [value] for name, value in form.items()}
    return draft_of(Fields({"purpose": ["review"]} | values), CATALOGUE)


def asked(**form: Any) -> dict[str, Any]:
    found: dict[str, Any] = drafted(measure1="mean", of1="income", **form).request(CATALOGUE)
    return found


OF = {"proportion": "region=n", "top": "region", "trend": "paid_2005_04"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_measure_can_be_priced_and_asked_again_from_its_plan(
    analyst: TestClient, kind: str
) -> None:
    of = {"proportion": "region=north", "top": "region", "histogram": "income"}.get(kind, "income")
    form = {"purpose": "product_insight", "measure1": kind, "of1": of, "other1": "patience"}
    shown = analyst.get("/ask", params=form | {"within": "100"}).text
    assert ("priced" in shown) == (kind != "trend")  # this firm has no field for each month
    draft = drafted(measure1=kind, of1=OF.get(kind, "income"), other1="paid_2005_05", by="region")
    plan = spelled(draft.request(CATALOGUE), CATALOGUE)
    again = draft_again(plan | {"cohort": ["lending", "wealth"]}, CATALOGUE)
    assert again is not None
    assert spelled(again.request(CATALOGUE), CATALOGUE)["statistics"] == plan["statistics"]


def test_a_window_of_months_is_a_trend_and_one_month_is_a_field() -> None:
    trend = {"measure1": "trend", "of1": "paid_2005_04"}
    assert drafted(**trend).request(CATALOGUE)["statistics"][1]["months"] == NUMBERS[:3]
    later = drafted(**trend, since="2005_05").request(CATALOGUE)
    assert later["statistics"][1]["months"] == NUMBERS[1:3]
    month = {"since": "2005_06", "until": "2005_06"}
    june = drafted(measure1="mean", of1="paid_2005_04", **month).request(CATALOGUE)
    assert june["statistics"][1]["field"] == "paid_2005_06"
    assert asked(**month)["statistics"][1]["field"] == "income"
    assert months(open_fields("review", CATALOGUE)) == ["2005_04", "2005_05", "2005_06"]
    assert months(open_fields("other", CATALOGUE)) == []


def test_two_measures_of_two_groups_are_one_question() -> None:
    more = {"measure2": "median", "of2": "income", "only": ["region=n", "income=below 3"]}
    found = asked(**more)
    assert [one["kind"] for one in found["statistics"]] == ["count", "mean", "quantiles"]
    assert [one["field"] for one in found["where"]] == ["region", "income"]
    assert "measure2" in drafted(**more, measure1="sum", of1="income").query()


@pytest.mark.parametrize("form", [{"measure1": "theft", "of1": "income"}, {"measure1": "mean"}])
def test_what_is_no_measure_counts_alone(form: dict[str, str]) -> None:
    assert drafted(**form).request(CATALOGUE)["statistics"] == [{"kind": "count"}]


def test_what_the_form_has_no_room_for_does_not_come_back() -> None:
    plan = {"purpose": "review", "by": [], "where": [], "cohort": ["lending"], "reason": "-"}
    fits = plan | {"statistics": [{"kind": "mean", "field": "income", "weight": 2.0}]}
    assert draft_again(fits, CATALOGUE) is not None
    for statistic in (
        {"kind": "sum", "field": "income", "cap": 5.0},
        {"kind": "top", "field": "region", "k": 1},
        {"kind": "quantiles", "field": "income", "at": [0.1, 0.9]},
    ):
        assert draft_again(plan | {"statistics": [statistic]}, CATALOGUE) is None


def test_what_a_person_chose_stands_in_the_form_again(analyst: TestClient) -> None:
    form = {"purpose": "product_insight", "measure2": "proportion", "of2": "region=north"}
    shown = analyst.get("/ask", params=form | {"measure1": "ratio", "of1": "income"}).text
    assert re.search(r'value="region=north" selected', shown)
    assert re.search(r'<option value="ratio" selected', shown)
