from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.errors import TokensInvalid
from api.people.accounts import Accounts
from api.people.people import People
from api.people.roles import Role
from api.settings import Settings
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database

WORDS = "correct horse battery"
Open = Callable[[str], TestClient]
PEOPLE = "/api/v1/people"


def test_an_officer_makes_an_account_that_its_person_opens(open_session: Open) -> None:
    officer = open_session("privacy_officer")
    made = officer.post(PEOPLE, json={"name": "wei", "role": "advisor"})
    assert made.status_code == 201
    assert not made.json()["person"]["ready"]
    link = made.json()["setup_path"].partition("link=")[2]
    browser = TestClient(officer.app)
    body = {"link": link, "password": WORDS}
    assert browser.post("/api/v1/setup", json=body).status_code == 204
    assert browser.post("/api/v1/setup", json=body).status_code == 404
    signed = browser.post("/api/v1/sign-in", json={"name": "wei", "password": WORDS})
    assert signed.json()["role"] == "advisor"


def test_a_new_password_ends_every_session(open_session: Open) -> None:
    officer, advisor = open_session("privacy_officer"), open_session("advisor")
    renewed = officer.post(f"{PEOPLE}/advisor_person/link").json()
    assert advisor.get("/api/v1/me").status_code == 200
    link = renewed["setup_path"].partition("link=")[2]
    officer.post("/api/v1/setup", json={"link": link, "password": WORDS})
    assert advisor.get("/api/v1/me").status_code == 401


def test_a_closed_account_is_out_at_once(open_session: Open) -> None:
    officer, advisor = open_session("privacy_officer"), open_session("advisor")
    assert officer.delete(f"{PEOPLE}/advisor_person").json()["closed_at"] is not None
    assert advisor.get("/api/v1/me").status_code == 401


def test_a_steward_makes_accounts_of_clients_only(open_session: Open) -> None:
    steward = open_session("steward")
    client = {"name": "c-two", "role": "client", "client_id": "c0002"}
    assert steward.post(PEOPLE, json=client).status_code == 201
    for role in ("advisor", "privacy_officer", "steward"):
        answer = steward.post(PEOPLE, json={"name": "eve", "role": role})
        assert answer.status_code == 403
        assert answer.json()["type"].endswith(":grant-refused")
    assert steward.post(f"{PEOPLE}/privacy_officer_person/link").status_code == 403
    assert steward.delete(f"{PEOPLE}/privacy_officer_person").status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "wei", "role": "client"}, 422),
        ({"name": "wei", "role": "advisor", "client_id": "c0001"}, 422),
        ({"name": "wei", "role": "client", "client_id": "c9999"}, 404),
        ({"name": "Wei Wu", "role": "advisor"}, 422),
        ({"name": "wei", "role": "king"}, 422),
        ({"name": "advisor_person", "role": "advisor"}, 409),
        ({"name": "analyst", "role": "advisor"}, 409),
    ],
)
def test_a_wrong_account_is_refused(open_session: Open, body: dict[str, str], status: int) -> None:
    assert open_session("privacy_officer").post(PEOPLE, json=body).status_code == status


def test_accounts_are_listed_page_by_page_without_clients(open_session: Open) -> None:
    auditor = open_session("auditor")
    page = auditor.get(PEOPLE, params={"limit": 5})
    names = [line["name"] for line in page.json()]
    further = page.headers["link"].partition("<")[2].partition(">")[0]
    names += [line["name"] for line in auditor.get(further).json()]
    assert names == sorted(names)
    assert len(names) == 8
    assert "c0001" not in page.text


def test_a_client_sees_its_own_and_nobody_elses(open_session: Open, people: People) -> None:
    client = open_session("client")
    for place in ("level", "receipts", "uses"):
        assert client.get(f"/api/v1/clients/c0001/{place}").status_code == 200
        for other in ("c0002", "c9999", "C0001", "c0001/../c0002"):
            answer = client.get(f"/api/v1/clients/{other}/{place}")
            assert answer.status_code in {403, 404}, other
    changed = client.put("/api/v1/clients/c0001/level", json={"level": 0})
    assert changed.json()["level"]["level"] == 0
    assert client.put("/api/v1/clients/c0002/level", json={"level": 4}).status_code == 403
    assert people.accounts.get("client_person").client_id == "c0001"


def test_the_first_start_tells_of_a_link_and_a_later_one_does_not(settings: Settings) -> None:
    told: list[str] = []
    with TestClient(create_app(settings, first_start=told.append)) as browser:
        link = told[0].partition("link=")[2]
        body = {"link": link, "password": WORDS, "name": "mei"}
        assert browser.post("/api/v1/setup", json=body).status_code == 204
        body = {"name": "mei", "password": WORDS}
        assert browser.post("/api/v1/sign-in", json=body).json()["role"] == "privacy_officer"
    with TestClient(create_app(settings, first_start=told.append)):
        assert len(told) == 1


def test_a_token_and_an_account_of_one_name_have_one_role(settings: Settings) -> None:
    engine = open_database(load_coordinator_settings(settings.coordinator).database)
    Accounts(engine).add(name="analyst", role=Role.PRIVACY_OFFICER, made_by="test", now=1)
    with pytest.raises(TokensInvalid, match="another role"), TestClient(create_app(settings)):
        pass


def test_no_officer_becomes_two(open_session: Open) -> None:
    officer = open_session("privacy_officer")
    made = officer.post(PEOPLE, json={"name": "sock", "role": "privacy_officer"})
    renewed = officer.post(f"{PEOPLE}/privacy_officer_person/link")
    closed = officer.delete(f"{PEOPLE}/privacy_officer_person")
    assert [made.status_code, renewed.status_code, closed.status_code] == [403] * 3
    assert made.json()["type"].endswith(":grant-refused")
