"""Every screen for every role: it opens for those it is offered to, and for nobody else."""

import re

import pytest
from fastapi.testclient import TestClient

from api.auth import STAFF_ROLES
from api.web.screens import SCREENS
from tests.api.conftest import SignIn
from tests.api.test_plans import QUESTION, TRAINING


@pytest.fixture
def asked(sign_in: SignIn) -> str:
    analyst = sign_in("analyst")
    analyst.post("/api/v1/trainings", json=TRAINING)
    analyst.post("/api/v1/questions", json=QUESTION | {"epsilon": 12.0, "by": ["income"]})
    run: str = analyst.post("/api/v1/questions", json=QUESTION).json()["id"]
    return run


@pytest.mark.parametrize("role", [role.value for role in STAFF_ROLES])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_screen_opens_for_the_roles_it_is_offered_to(
    sign_in: SignIn, role: str, language: str, asked: str
) -> None:
    person = sign_in(role)
    person.headers["Accept-Language"] = language
    readers = {"analyst", "researcher", "advisor", "privacy_officer", "auditor", "node_operator"}
    runs = {f"/answers/{asked}": readers, f"/ledger/runs/{asked}": readers, "/answers": readers}
    for path, roles in ({s.path: s.roles for s in SCREENS} | runs).items():
        answer = person.get(path)
        assert answer.status_code == (200 if role in roles else 403), path
        assert len(re.findall(r"<h1[ >]", answer.text)) == 1, path
        assert "<main" in answer.text


def test_a_question_is_asked_once_however_often_it_is_clicked(analyst: TestClient) -> None:
    form = {"purpose": "product_insight", "by": "region", "within": "40"}
    shown = analyst.get("/ask", params=form).text
    hidden = dict(re.findall(r'name="(priced|key)" value="([^"]+)"', shown))
    sent = form | hidden | {"reason": "who lives where"}
    places = {
        analyst.post("/ask", data=sent, follow_redirects=False).headers["location"]
        for _ in range(2)
    }
    assert len(places) == 1
    assert len(analyst.get("/api/v1/runs").json()) == 1


def test_nothing_is_asked_at_another_price_than_was_shown(analyst: TestClient) -> None:
    form = {"purpose": "product_insight", "within": "40", "reason": "why not", "priced": "0.1"}
    answer = analyst.post("/ask", data=form)
    assert answer.status_code == 422
    assert "nothing was asked" in answer.text
    assert analyst.get("/api/v1/runs").json() == []


def test_a_refused_question_comes_with_cheaper_ones(analyst: TestClient) -> None:
    form = {"purpose": "product_insight", "measure1": "mean", "of1": "income"}
    form |= {"within_other": "0.4"}
    answer = analyst.get("/ask", params=form)
    assert "These would do" in answer.text
    assert "within" in answer.text


@pytest.mark.parametrize("within", ["-1", "0", "nan", "inf", "1e999", "forty"])
def test_a_senseless_error_is_no_failure_of_ours(analyst: TestClient, within: str) -> None:
    assert analyst.get("/ask", params={"within_other": within}).status_code == 200
    assert analyst.get("/studio", params={"error_step": within}).status_code == 200


def test_one_officer_s_opinion_stays_hidden_from_the_other(sign_in: SignIn, asked: str) -> None:
    first, second = sign_in("privacy_officer"), sign_in("second_officer")
    (waiting,) = first.get("/api/v1/approvals").json()
    run = waiting["run"]["id"]
    assert run != asked
    given = first.post(f"/approvals/{run}", data={"opinion": "approve", "reason": "a fine reason"})
    assert "a fine reason" in given.text
    for path in ("/approvals", "/ledger", f"/ledger/runs/{run}"):
        assert "a fine reason" not in second.get(path).text
        assert "privacy_officer</td>" not in second.get(path).text
    second.post(f"/approvals/{run}", data={"opinion": "approve", "reason": "the same here"})
    assert "a fine reason" in second.get("/approvals").text


def test_an_asker_s_opinion_is_not_taken(sign_in: SignIn, asked: str) -> None:
    assert asked
    (waiting,) = sign_in("auditor").get("/api/v1/approvals").json()
    place = f"/approvals/{waiting['run']['id']}"
    for role in ("analyst", "auditor"):
        answer = sign_in(role).post(place, data={"opinion": "approve", "reason": "because"})
        assert answer.status_code == 403


def test_a_steward_raises_and_withdraws_in_one_step_and_no_address_names_the_client(
    steward: TestClient,
) -> None:
    shown = steward.post("/consent", data={"client_id": "c0001"})
    assert "In force now: level 4" in shown.text
    change = {"client_id": "c0001", "change": "level", "value": "0"}
    done = steward.post("/consent/change", data=change)
    assert "In force now: level 0" in done.text
    assert "Receipts" in done.text
    assert "c0001" not in str(done.url)
    assert done.headers["cache-control"] == "no-store"


def test_an_objection_is_made_and_taken_back(steward: TestClient) -> None:
    asked = {"client_id": "c0001", "value": "bond_model"}
    objected = steward.post("/consent/change", data=asked | {"change": "object"})
    assert objected.text.count(">objected<") == 1
    allowed = steward.post("/consent/change", data=asked | {"change": "allow"})
    assert ">objected<" not in allowed.text
    family = steward.post("/consent/change", data=asked | {"change": "object_family"})
    assert "Take the family objection back" in family.text


@pytest.mark.parametrize("change", ["level", "object", "nonsense"])
def test_a_senseless_change_changes_nothing(steward: TestClient, change: str) -> None:
    told = {"client_id": "c0001", "change": change, "value": "99"}
    steward.post("/consent/change", data=told)
    assert "level 4" in steward.post("/consent", data={"client_id": "c0001"}).text


def test_an_unknown_client_is_said_without_the_number(steward: TestClient) -> None:
    answer = steward.post("/consent", data={"client_id": "c9999"})
    assert answer.status_code == 404
    assert "c9999" not in answer.text


def test_invalid_unicode_in_a_form_is_no_failure_of_ours(analyst: TestClient) -> None:
    sent = b"purpose=product_insight&reason=%ff%fe%00&within=40"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert analyst.post("/ask", content=sent, headers=form).status_code == 422


def proposal(officer: TestClient, firm: str) -> dict[str, str]:
    shown = officer.get("/studio", params={"replay": "1", "pool.firm": firm}).text
    return dict(re.findall(r'name="(base|pool\.[^"]+)" value="([^"]+)"', shown)) | {
        "pool.firm": firm
    }


def test_a_policy_that_allows_more_waits_for_another_officer(sign_in: SignIn) -> None:
    first, second = sign_in("privacy_officer"), sign_in("second_officer")
    sent = proposal(first, "50") | {"reason": "the board wants more"}
    waiting = first.post("/studio/propose", data=sent)
    assert "You proposed this yourself" in waiting.text
    place = re.findall(r"/approvals/policies/[0-9a-f]{16}", second.get("/approvals").text)[0]
    opinion = {"opinion": "approve", "reason": "as the board decided"}
    assert first.post(place, data=opinion).status_code == 403
    assert second.post(place, data={"opinion": "maybe", "reason": "x"}).status_code == 422
    assert "In force since" in second.post(place, data=opinion).text
    assert "50" in second.get("/studio").text


def test_two_officers_who_edit_one_policy_do_not_overwrite_each_other(sign_in: SignIn) -> None:
    first, second = sign_in("privacy_officer"), sign_in("second_officer")
    forms = [proposal(officer, firm) for officer, firm in ((first, "39"), (second, "38"))]
    reason = {"reason": "less is enough"}
    assert first.post("/studio/propose", data=forms[0] | reason).status_code == 200
    late = second.post("/studio/propose", data=forms[1] | reason)
    assert late.status_code == 412
    assert second.post("/studio/propose", data=proposal(second, "37") | reason).status_code == 200
    senseless = proposal(second, "-1") | reason
    assert second.post("/studio/propose", data=senseless).status_code == 422


def test_a_run_is_stopped_by_its_asker_or_an_officer_only(sign_in: SignIn, asked: str) -> None:
    place = f"/answers/{asked}/stop"
    assert sign_in("advisor").post(place).status_code == 403
    stopped = sign_in("analyst").post(place)
    assert "No answer" in stopped.text
    assert sign_in("privacy_officer").post(place).status_code == 409


def test_a_question_can_keep_to_some_clients(analyst: TestClient) -> None:
    form = {"purpose": "product_insight", "only": "region=north", "by": "buys_bonds"}
    shown = analyst.get("/ask", params=form).text
    assert 'value="region=north" selected' in shown
    hidden = dict(re.findall(r'name="(priced|key)" value="([^"]+)"', shown))
    asked = analyst.post("/ask", data=form | hidden | {"reason": "only the north"})
    assert "(only Region: north)" in asked.text
    (run,) = analyst.get("/api/v1/runs").json()
    plan = analyst.get(f"/api/v1/runs/{run['id']}").json()["plan"]
    assert plan["where"] == [{"field": "region", "one_of": ["north"]}]


def test_a_condition_that_is_none_is_refused_with_a_page(analyst: TestClient) -> None:
    answer = analyst.get("/ask", params={"purpose": "product_insight", "only": "region=mars"})
    assert answer.status_code == 200
    assert "Not as it is" in answer.text
