"""Saved questions and monitors on the Ask screen."""

import re

from fastapi.testclient import TestClient

from tests.api.conftest import SignIn
from tests.api.test_monitors import MONITOR

FORM = {"purpose": "product_insight", "measure1": "median", "of1": "income", "by": "region"}


def test_a_question_is_saved_listed_and_asked_again_and_nothing_is_spent(
    sign_in: SignIn,
) -> None:
    analyst, advisor = sign_in("analyst"), sign_in("advisor")
    analyst.post("/ask/saved", data=FORM | {"name": "What people earn <b>"})
    shown = advisor.get("/ask").text
    assert "What people earn &lt;b&gt;" in shown
    assert "the median of Income, by Region" in shown
    assert "saved by analyst" in shown
    assert analyst.get("/api/v1/runs").json() == []
    (again,) = re.findall(r'class="card-title" href="([^"]+)"', shown)
    form = advisor.get(again.replace("&amp;", "&")).text
    assert '<option value="median" selected' in form
    assert '<option value="income" selected' in form


def test_only_who_saved_a_question_may_forget_it(sign_in: SignIn) -> None:
    analyst, advisor = sign_in("analyst"), sign_in("advisor")
    analyst.post("/ask/saved", data=FORM | {"name": "earnings"})
    (place,) = re.findall(r"/ask/saved/[0-9a-f]{16}/forget", analyst.get("/ask").text)
    assert place not in advisor.get("/ask").text
    assert "earnings" in advisor.post(place).text
    assert "earnings" not in analyst.post(place).text
    assert sign_in("auditor").post(place).status_code == 403


def test_without_a_name_or_with_a_senseless_question_nothing_breaks(analyst: TestClient) -> None:
    analyst.post("/ask/saved", data=FORM)
    assert "Saved questions" not in analyst.get("/ask").text
    analyst.post("/ask/saved", data={"purpose": "nonsense", "name": "odd", "measure1": "mean"})
    assert "Not as it is" in analyst.get("/ask").text


def test_a_monitor_stands_with_its_schedule_and_its_price(analyst: TestClient) -> None:
    analyst.post("/api/v1/monitors", json=MONITOR | {"every_s": 7 * 86400})
    shown = analyst.get("/ask").text
    assert "Questions that ask themselves again" in shown
    assert re.search(r"<td>7 days</td>\s*<td class=\"n\">0 / 3</td>\s*<td class=\"n\">ε 0.", shown)
    assert "does it shift" in shown
    assert "每隔" in analyst.get("/ask", headers={"Accept-Language": "zh"}).text
