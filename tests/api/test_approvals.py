"""Approvals over HTTP: two officers, blind to each other, never the asker."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

SignIn = Callable[[str], TestClient]

DEAR = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "epsilon": 12.0,
    "reason": "a dear question",
}
YES = {"opinion": "approve", "reason": "the yearly review needs it"}
NO = {"opinion": "decline", "reason": "ask for less"}


@pytest.fixture
def place(analyst: TestClient) -> str:
    answer = analyst.post("/api/v1/questions", json=DEAR)
    assert answer.status_code == 202
    assert answer.json()["state"] == "waiting"
    assert answer.json()["new"]
    return str(answer.headers["Location"])


def approval(place: str) -> str:
    return place.replace("/runs/", "/approvals/")


def spent(client: TestClient) -> float:
    firm = client.get("/api/v1/budget").json()[0]
    return float(firm["spent_rho"] + firm["reserved_rho"])


def test_a_price_says_whether_two_people_must_agree(analyst: TestClient) -> None:
    dear = analyst.post("/api/v1/price", json=DEAR | {"kind": "question"}).json()
    cheap = analyst.post("/api/v1/price", json=DEAR | {"kind": "question", "epsilon": 1.0}).json()
    assert (dear["needs_approval"], cheap["needs_approval"]) == (True, False)


def test_a_dear_question_waits_and_costs_nothing(
    analyst: TestClient, place: str, sign_in: SignIn
) -> None:
    assert spent(analyst) == 0
    (waiting,) = sign_in("privacy_officer").get("/api/v1/approvals").json()
    assert waiting["run"]["id"] in place
    assert (waiting["given"], waiting["may_decide"]) == (0, True)
    assert waiting["plan"]["by"] == ["region"]


def test_two_approvals_accept_it(analyst: TestClient, place: str, sign_in: SignIn) -> None:
    first = sign_in("privacy_officer").post(approval(place), json=YES)
    assert first.status_code == 200
    assert first.json()["run"]["state"] == "waiting"
    second = sign_in("second_officer").post(approval(place), json=YES).json()
    assert second["run"]["state"] == "accepted"
    assert [one["officer"] for one in second["opinions"]] == ["privacy_officer", "second_officer"]
    assert spent(analyst) > 0
    assert sign_in("auditor").get("/api/v1/approvals").json() == []


@pytest.mark.parametrize("first", [YES, NO])
def test_the_first_opinion_is_nobody_s_business(
    analyst: TestClient, place: str, sign_in: SignIn, first: dict[str, str]
) -> None:
    sign_in("privacy_officer").post(approval(place), json=first)
    for other in ("second_officer", "auditor"):
        seen = sign_in(other).get(approval(place)).json()
        assert (seen["given"], seen["opinions"]) == (1, [])
        assert seen["run"]["state"] == "waiting"
    assert analyst.get(place).json()["state"] == "waiting"


def test_one_voice_against_it_refuses_it(analyst: TestClient, place: str, sign_in: SignIn) -> None:
    sign_in("privacy_officer").post(approval(place), json=NO)
    sign_in("second_officer").post(approval(place), json=YES)
    run = analyst.get(place).json()
    assert (run["state"], run["refusal"]["code"]) == ("refused", "Declined")
    assert spent(analyst) == 0


REFUSALS = [
    ({"opinion": "approve"}, 422, "request-invalid"),
    ({"opinion": "approve", "reason": "  a "}, 422, "reason-needed"),
    ({"opinion": "perhaps", "reason": "why not"}, 422, "request-invalid"),
    (NO, 409, "opinion-given"),
]


@pytest.mark.parametrize(("body", "status", "slug"), REFUSALS)
def test_an_opinion_that_cannot_be_taken_is_a_problem(
    place: str, sign_in: SignIn, body: dict[str, str], status: int, slug: str
) -> None:
    officer = sign_in("privacy_officer")
    if slug == "opinion-given":
        assert officer.post(approval(place), json=YES).status_code == 200
    answer = officer.post(approval(place), json=body)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, slug)


def test_a_run_that_waits_for_nobody_takes_no_opinion(analyst: TestClient, sign_in: SignIn) -> None:
    run = analyst.post("/api/v1/questions", json=DEAR | {"epsilon": 1.0}).headers["Location"]
    answer = sign_in("privacy_officer").post(approval(run), json=YES)
    assert answer.json()["type"].endswith(":not-waiting")
    missing = sign_in("privacy_officer").get("/api/v1/approvals/0123456789abcdef")
    assert missing.status_code == 404


def test_the_second_asker_finds_the_run_that_waits(analyst: TestClient, place: str) -> None:
    again = analyst.post("/api/v1/questions", json=DEAR | {"reason": "for another reason"})
    assert again.headers["Location"] == place
    assert not again.json()["new"]
