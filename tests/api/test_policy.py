import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

SignIn = Callable[[str], TestClient]
POLICY = "/api/v1/policy"
PROPOSALS = POLICY + "/proposals"
YES = {"opinion": "approve", "reason": "as the board decided"}


@pytest.fixture
def officer(sign_in: SignIn) -> TestClient:
    return sign_in("privacy_officer")


@pytest.fixture
def second(sign_in: SignIn) -> TestClient:
    return sign_in("second_officer")


def changed(client: TestClient, **figures: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the policy and change it; return the new one and the header of what was read."""
    read = client.get(POLICY)
    body = read.json() | {"reason": "as we discussed"} | figures
    return body, {"If-Match": read.headers["etag"]}


def put(client: TestClient, **figures: Any) -> Any:
    body, header = changed(client, **figures)
    return client.put(POLICY, json=body, headers=header)


def budget(client: TestClient) -> float:
    given: float = client.get("/api/v1/budget").json()[0]["budget_epsilon"]
    return given


def test_a_policy_that_allows_less_holds_at_once(officer: TestClient, tiny_folder: Path) -> None:
    answer = put(officer, firm={"epsilon": 30.0}, automatic_epsilon=1.0)
    assert answer.status_code == 200
    assert answer.headers["etag"] == officer.get(POLICY).headers["etag"]
    assert budget(officer) == pytest.approx(30.0, rel=1e-3)
    file = tomllib.loads((tiny_folder / "policy.toml").read_text())
    assert (file["firm"], file["automatic_epsilon"]) == ({"epsilon": 30.0}, 1.0)
    assert file["reason"] == "as we discussed"


def test_the_new_limit_is_the_one_that_plans_meet(officer: TestClient, sign_in: SignIn) -> None:
    put(officer, automatic_epsilon=0.5)
    question = {
        "purpose": "product_insight",
        "statistics": [{"kind": "count"}],
        "epsilon": 1.0,
        "reason": "how many there are",
    }
    run = sign_in("analyst").post("/api/v1/questions", json=question).json()
    assert run["state"] == "waiting"


@pytest.mark.parametrize(
    "figures",
    [
        {"automatic_epsilon": 9.0},
        {"firm": {"epsilon": 41.0}},
        {"minimum_cohort": 3, "automatic_epsilon": 8.5},
        {"purposes": {"product_insight": {"epsilon": 21.0}}},
    ],
)
def test_a_policy_that_allows_more_waits_for_another_officer(
    officer: TestClient, second: TestClient, figures: dict[str, Any]
) -> None:
    if "purposes" in figures:
        figures = {"purposes": officer.get(POLICY).json()["purposes"] | figures["purposes"]}
    before = officer.get(POLICY)
    answer = put(officer, **figures)
    assert answer.status_code == 202
    assert officer.get(POLICY).headers["etag"] == before.headers["etag"]
    place = answer.headers["location"]
    raised = [c for c in second.get(place).json()["changes"] if c["raises"]]
    assert len(raised) == 1
    own = officer.post(place, json=YES)
    assert own.json()["type"].endswith(":own-proposal")
    assert second.post(place, json=YES).json()["state"] == "approved"
    for key, value in figures.items():
        held = officer.get(POLICY).json()[key]
        assert value == held or value.items() <= held.items() or key in {"purposes", "firm"}
    assert second.post(place, json=YES).json()["type"].endswith(":proposal-ended")


def test_who_proposed_and_approved_stands_in_the_ledger(
    officer: TestClient, second: TestClient
) -> None:
    place = put(officer, firm={"epsilon": 41.0}).headers["location"]
    second.post(place, json=YES)
    desk = officer.app.state.desk  # type: ignore[attr-defined]
    event = desk.ledger.entries()[-1].event
    assert event.who == "privacy_officer, approved by second_officer: as the board decided"
    assert event.reason == "as we discussed"
    assert budget(officer) == pytest.approx(41.0, rel=1e-3)


def test_a_declined_policy_never_holds(officer: TestClient, second: TestClient) -> None:
    place = put(officer, firm={"epsilon": 41.0}).headers["location"]
    no = {"opinion": "decline", "reason": "too much"}
    assert second.post(place, json=no).json()["state"] == "declined"
    assert budget(officer) == pytest.approx(40.0, rel=1e-3)


def test_of_two_officers_the_later_is_told_what_changed(
    officer: TestClient, second: TestClient
) -> None:
    mine, my_tag = changed(officer, automatic_epsilon=1.0)
    yours, your_tag = changed(second, minimum_cohort=3)
    assert officer.put(POLICY, json=mine, headers=my_tag).status_code == 200
    answer = second.put(POLICY, json=yours, headers=your_tag)
    assert answer.status_code == 412
    assert answer.json()["changed"] == ["automatic_epsilon"]
    assert officer.get(POLICY).json()["automatic_epsilon"] == 1.0


def test_a_proposal_against_an_older_policy_is_stale(
    officer: TestClient, second: TestClient
) -> None:
    place = put(officer, firm={"epsilon": 41.0}).headers["location"]
    put(second, automatic_epsilon=1.0)
    assert second.get(place).json()["state"] == "stale"
    assert second.post(place, json=YES).status_code == 409
    assert [line["state"] for line in officer.get(PROPOSALS).json()] == ["stale"]


def test_a_change_says_which_policy_it_changes(officer: TestClient) -> None:
    body, _ = changed(officer)
    assert officer.put(POLICY, json=body).status_code == 428
    assert officer.put(POLICY, json=body, headers={"If-Match": '"x"'}).status_code == 412


@pytest.mark.parametrize(
    ("figures", "slug"),
    [
        ({"delta": 1e-7}, "policy-fixed"),
        ({"purposes": {}}, "policy-fixed"),
        ({"firm": {"epsilon": -1}}, "request-invalid"),
        ({"firm": {"epsilon": 8, "month_epsilon": 9}}, "request-invalid"),
        ({"surprise": 1}, "request-invalid"),
    ],
)
def test_what_cannot_change_is_refused(
    officer: TestClient, figures: dict[str, Any], slug: str
) -> None:
    answer = put(officer, **figures)
    assert answer.json()["type"].endswith(f":{slug}"), answer.text


def test_a_purpose_nobody_knows_gets_no_budget(officer: TestClient) -> None:
    purposes = officer.get(POLICY).json()["purposes"] | {"gossip": {"epsilon": 1.0}}
    assert put(officer, purposes=purposes).json()["type"].endswith(":unknown-purpose")


def test_a_budget_below_what_is_spent_changes_nothing(
    officer: TestClient, sign_in: SignIn, tiny_folder: Path
) -> None:
    question = {
        "purpose": "product_insight",
        "statistics": [{"kind": "count"}],
        "epsilon": 5.0,
        "reason": "how many there are",
    }
    assert sign_in("analyst").post("/api/v1/questions", json=question).status_code == 202
    before = (tiny_folder / "policy.toml").read_text()
    purposes = officer.get(POLICY).json()["purposes"] | {"product_insight": {"epsilon": 1.0}}
    answer = put(officer, purposes=purposes, firm={"epsilon": 39.0})
    assert answer.json()["type"].endswith(":budget-below-spent")
    assert (tiny_folder / "policy.toml").read_text() == before
    assert budget(officer) == pytest.approx(40.0, rel=1e-3)


def test_a_double_click_proposes_once(officer: TestClient) -> None:
    body, header = changed(officer, firm={"epsilon": 41.0})
    header |= {"Idempotency-Key": "click"}
    answers = [officer.put(POLICY, json=body, headers=header) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len(officer.get(PROPOSALS).json()) == 1


def test_proposals_come_in_pages(officer: TestClient) -> None:
    for epsilon in (41.0, 42.0, 43.0):
        put(officer, firm={"epsilon": epsilon})
    page = officer.get(PROPOSALS, params={"limit": 2})
    further = page.headers["link"].partition("<")[2].partition(">")[0]
    found = [*page.json(), *officer.get(further).json()]
    assert [line["policy"]["firm"]["epsilon"] for line in found] == [43.0, 42.0, 41.0]
