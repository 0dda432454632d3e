import pytest
from fastapi.testclient import TestClient

from consent.store import Register

PATH = "/api/v1/clients/c0001/level"


def test_a_steward_reads_a_level(steward: TestClient) -> None:
    shown = steward.get(PATH).json()
    assert shown["level"] == 4
    assert shown["title"] == "full family finances"
    assert shown["title_zh"] == "家庭财务全貌"


def test_a_withdrawal_is_in_the_register_when_it_is_acknowledged(
    steward: TestClient, register: Register
) -> None:
    before = register.head()
    answer = steward.put(PATH, json={"level": 0})
    assert answer.status_code == 200
    assert answer.json()["epoch"] == register.head() == before + 1
    assert answer.json()["effective"] == "next plan"
    assert register.level("c0001") == 0


def test_raising_is_as_easy_as_lowering(steward: TestClient) -> None:
    path = "/api/v1/clients/c0002/level"
    assert steward.put(path, json={"level": 3}).json()["level"]["level"] == 3
    assert steward.get(path).json()["level"] == 3


def test_a_change_makes_the_same_question_a_new_one(
    steward: TestClient, analyst: TestClient
) -> None:
    question = {
        "purpose": "product_insight",
        "statistics": [{"kind": "count"}],
        "epsilon": 1.0,
        "reason": "before and after",
    }
    first = analyst.post("/api/v1/questions", json=question).json()["id"]
    steward.put(PATH, json={"level": 0})
    assert analyst.post("/api/v1/questions", json=question).json()["id"] != first


@pytest.mark.parametrize("body", [{}, {"level": 5}, {"level": -1}, {"level": "2"}, {"level": 1.5}])
def test_a_level_that_is_none_changes_nothing(
    steward: TestClient, register: Register, body: dict[str, object]
) -> None:
    before = register.head()
    assert steward.put(PATH, json=body).status_code == 422
    assert register.head() == before


def test_an_unknown_client_is_not_made(steward: TestClient, register: Register) -> None:
    answer = steward.put("/api/v1/clients/c9999/level", json={"level": 4})
    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":unknown-client")
    assert "c9999" not in answer.text
    assert register.head() == 2


def test_an_id_may_hold_a_slash(steward: TestClient) -> None:
    answer = steward.get("/api/v1/clients/eu%2F7/level")
    assert answer.json()["type"].endswith(":unknown-client")
