import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from io import StringIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.people.people import People
from api.settings import Settings

WORDS = "correct horse battery"
Open = Callable[[str], TestClient]
ME = "/api/v1/me"


@pytest.fixture
def browser(anyone: TestClient, people: People) -> TestClient:
    people.accounts.set_password("advisor_person", WORDS, now=1)
    return TestClient(anyone.app)


def sign_in(browser: TestClient, password: str = WORDS, name: str = "advisor_person") -> int:
    body = {"name": name, "password": password}
    return browser.post("/api/v1/sign-in", json=body).status_code


def test_a_person_signs_in_and_out(browser: TestClient) -> None:
    assert browser.get(ME).status_code == 401
    assert sign_in(browser) == 200
    me = browser.get(ME).json()
    assert (me["name"], me["role"]) == ("advisor_person", "advisor")
    token = {"X-CSRF-Token": me["csrf_token"]}
    kept = browser.cookies["session"]
    assert browser.post("/api/v1/sign-out", headers=token).status_code == 204
    assert browser.get(ME).status_code == 401
    browser.cookies.set("session", kept)
    assert browser.get(ME).status_code == 401


def test_a_wrong_password_and_an_unknown_name_look_alike(browser: TestClient) -> None:
    wrong = browser.post("/api/v1/sign-in", json={"name": "advisor_person", "password": "x"})
    nobody = browser.post("/api/v1/sign-in", json={"name": "nobody", "password": "x"})
    assert wrong.json() == nobody.json()
    assert wrong.status_code == 401


def test_the_cookie_over_https_is_bound_to_the_host(browser: TestClient) -> None:
    browser.base_url = "https://testserver"
    answer = browser.post("/api/v1/sign-in", json={"name": "advisor_person", "password": WORDS})
    cookie = SimpleCookie(answer.headers["set-cookie"])["__Host-session"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "lax")
    assert browser.get(ME).status_code == 200


def test_a_planted_cookie_opens_nothing_after_signing_in(browser: TestClient) -> None:
    sign_in(browser)
    planted = browser.cookies["session"]
    browser.headers["X-CSRF-Token"] = browser.get(ME).json()["csrf_token"]
    sign_in(browser)
    assert browser.cookies["session"] != planted
    attacker = TestClient(browser.app, cookies={"session": planted})
    assert attacker.get(ME).status_code == 401


@pytest.mark.parametrize("cookie", ["x", "é", "a" * 5000, "%00"])
def test_an_invented_cookie_is_nobodys(browser: TestClient, cookie: str) -> None:
    header = {"Cookie": f"session={cookie}".encode()}
    assert browser.get(ME, headers=header).status_code == 401


def test_an_expired_session_says_where_to_come_back_to(browser: TestClient, people: People) -> None:
    past = int(time.time()) - 1801
    browser.cookies.set("session", people.sessions.open("advisor_person", past))
    problem = browser.get(ME).json()
    assert problem["type"].endswith(":not-signed-in")
    assert problem["next"] == ME


def test_a_person_who_fails_too_often_waits(browser: TestClient) -> None:
    statuses = [sign_in(browser, "wrong") for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    answer = browser.post("/api/v1/sign-in", json={"name": "advisor_person", "password": WORDS})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert sign_in(browser, "wrong", name="somebody_else") == 401


def test_an_address_that_fails_too_often_waits(browser: TestClient, people: People) -> None:
    for _ in range(30):
        people.by_address.take("testclient", time.monotonic())
    assert sign_in(browser) == 429


def test_success_does_not_count(browser: TestClient) -> None:
    for _ in range(12):
        assert sign_in(browser) == 200
        browser.cookies.clear()


def test_a_password_is_in_no_answer_and_no_log(browser: TestClient, log: StringIO) -> None:
    canary = "canary\r\n injected password"
    answer = browser.post("/api/v1/sign-in", json={"name": "x", "password": canary})
    other = browser.post("/api/v1/sign-in", json={"name": "X Y", "password": canary})
    link = browser.post("/api/v1/setup", json={"link": canary, "password": canary})
    assert [answer.status_code, other.status_code, link.status_code] == [401, 422, 404]
    said = answer.text + other.text + link.text + log.getvalue()
    assert "canary" not in said
    assert "injected" not in said


def test_a_person_is_limited_in_all_they_ask(
    settings: Settings, tokens: dict[str, str], tmp_path: Path
) -> None:
    slow = tmp_path / "people.toml"
    slow.write_text("[rates]\nrequest_burst = 2\nrequest_every_s = 60\n")
    with TestClient(create_app(settings.model_copy(update={"people": slow}))) as browser:
        bearer = {name: {"Authorization": f"Bearer {tokens[name]}"} for name in tokens}
        asked = [browser.get(ME, headers=bearer["advisor"]).status_code for _ in range(3)]
        assert asked == [200, 200, 429]
        assert browser.get(ME, headers=bearer["auditor"]).status_code == 200
