from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

Open = Callable[[str], TestClient]
QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "epsilon": 1.0,
    "reason": "how many there are",
}


def ask(browser: TestClient, **headers: str) -> int:
    return browser.post("/api/v1/questions", json=QUESTION, headers=headers).status_code


def test_a_session_with_its_token_may_ask(open_session: Open) -> None:
    assert ask(open_session("advisor")) == 202


def test_a_session_without_its_token_may_read_and_nothing_else(open_session: Open) -> None:
    advisor = open_session("advisor")
    del advisor.headers["X-CSRF-Token"]
    assert advisor.get("/api/v1/runs").status_code == 200
    answer = advisor.post("/api/v1/questions", json=QUESTION)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(":csrf-refused")
    assert advisor.get("/api/v1/runs").json() == []


def test_anothers_token_is_no_use(open_session: Open) -> None:
    advisor, other = open_session("advisor"), open_session("analyst")
    assert ask(advisor, **{"X-CSRF-Token": other.headers["X-CSRF-Token"]}) == 403


@pytest.mark.parametrize("token", ["", "x", "0" * 64])
def test_an_invented_token_is_no_use(open_session: Open, token: str) -> None:
    assert ask(open_session("advisor"), **{"X-CSRF-Token": token}) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_is_refused_whatever_it_holds(
    open_session: Open, headers: dict[str, str]
) -> None:
    assert ask(open_session("advisor"), **headers) == 403


def test_our_own_pages_are_not_another_site(open_session: Open) -> None:
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert ask(open_session("advisor"), **own) == 202


def test_another_site_signs_nobody_in(anyone: TestClient) -> None:
    body = {"name": "advisor_person", "password": "whatever it is"}
    answer = anyone.post("/api/v1/sign-in", json=body, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_form_field_will_do(open_session: Open) -> None:
    advisor = open_session("advisor")
    token = advisor.headers.pop("X-CSRF-Token")
    assert advisor.post("/api/v1/sign-out", data={"csrf_token": "x"}).status_code == 403
    assert advisor.post("/api/v1/sign-out", data={"csrf_token": token}).status_code == 204


def test_a_bearer_token_needs_none(sign_in: Open) -> None:
    assert ask(sign_in("advisor"), Origin="https://evil.example") == 202
