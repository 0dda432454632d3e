import contextlib
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest
from fastapi.testclient import TestClient

from api.errors import KeyReused, RequestInFlight
from api.idempotency import KEPT_S, LOST_S, Answer, Answers
from federation.database import open_database

SignIn = Callable[[str], TestClient]
KEY = {"Idempotency-Key": "monday-1"}
QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "epsilon": 1.0,
    "reason": "who lives where",
}
DEAR = QUESTION | {"epsilon": 9.0}
LEVEL = "/api/v1/clients/c0001/level"


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return Answers(open_database(f"sqlite:///{tmp_path}/answers.db"))


def begin(answers: Answers, *, request: str = "r", now: int = 0) -> Answer | None:
    return answers.begin("k", request, place="/p", now=now)


def test_a_stored_answer_comes_back_whole(answers: Answers) -> None:
    given = Answer(status=202, body=b'{"a":1}', headers={"Location": "/x"})
    assert begin(answers) is None
    answers.keep("k", given)
    assert begin(answers, now=1) == given


def test_a_request_under_way_is_not_begun_again(answers: Answers) -> None:
    begin(answers)
    with pytest.raises(RequestInFlight):
        begin(answers, now=LOST_S - 1)


def test_another_request_is_refused_under_way_or_not(answers: Answers) -> None:
    begin(answers)
    with pytest.raises(KeyReused):
        begin(answers, request="other")
    answers.keep("k", Answer(body=b"{}"))
    with pytest.raises(KeyReused):
        begin(answers, request="other")


def test_a_dead_process_does_not_hold_a_key_for_ever(answers: Answers) -> None:
    begin(answers)
    assert begin(answers, now=LOST_S) is None


def test_an_answer_is_kept_for_a_day(answers: Answers) -> None:
    begin(answers)
    answers.keep("k", Answer(body=b"{}"))
    assert begin(answers, now=KEPT_S - 1) is not None
    assert begin(answers, now=KEPT_S) is None


def test_only_one_of_many_begins(answers: Answers) -> None:
    gate, begun = Barrier(8), []

    def race() -> None:
        gate.wait()
        with contextlib.suppress(RequestInFlight):
            begun.append(begin(answers))

    threads = [Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert begun == [None]


def spent(client: TestClient) -> float:
    firm = client.get("/api/v1/budget").json()[0]
    used: float = firm["spent_rho"] + firm["reserved_rho"]
    return used


def test_a_double_click_spends_once_and_is_answered_twice(analyst: TestClient) -> None:
    first = analyst.post("/api/v1/questions", json=QUESTION, headers=KEY)
    once = spent(analyst)
    again = analyst.post("/api/v1/questions", json=QUESTION, headers=KEY)
    assert again.content == first.content
    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert spent(analyst) == once > 0


def test_a_refused_request_leaves_its_key_free(analyst: TestClient) -> None:
    refused = analyst.post("/api/v1/questions", json=QUESTION | {"by": ["shoe"]}, headers=KEY)
    assert refused.status_code == 422
    assert analyst.post("/api/v1/questions", json=QUESTION, headers=KEY).status_code == 202


def test_a_question_under_way_answers_409(analyst: TestClient, answers: Answers) -> None:
    class UnderWay(Answers):
        def keep(self, key: str, answer: Answer) -> None:
            """Never ends."""

    analyst.app.state.answers = UnderWay(answers._engine)  # type: ignore[attr-defined]
    assert analyst.post("/api/v1/questions", json=QUESTION, headers=KEY).status_code == 202
    answer = analyst.post("/api/v1/questions", json=QUESTION, headers=KEY)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":request-in-flight")


def test_one_callers_key_is_nothing_to_another(sign_in: SignIn) -> None:
    first = sign_in("analyst").post("/api/v1/questions", json=QUESTION, headers=KEY)
    other = sign_in("advisor").post("/api/v1/questions", json=QUESTION | {"by": []}, headers=KEY)
    assert (first.status_code, other.status_code) == (202, 202)


def test_an_opinion_is_given_once(sign_in: SignIn) -> None:
    run = sign_in("analyst").post("/api/v1/questions", json=DEAR).json()["id"]
    officer, place = sign_in("privacy_officer"), f"/api/v1/approvals/{run}"
    opinion = {"opinion": "approve", "reason": "worth it"}
    first = officer.post(place, json=opinion, headers=KEY)
    assert officer.post(place, json=opinion, headers=KEY).content == first.content
    changed = officer.post(place, json=opinion | {"opinion": "decline"}, headers=KEY)
    assert changed.json()["type"].endswith(":key-reused")


def test_a_repeated_level_does_not_undo_what_came_between(steward: TestClient) -> None:
    first = steward.put(LEVEL, json={"level": 3}, headers=KEY)
    steward.put(LEVEL, json={"level": 0})
    again = steward.put(LEVEL, json={"level": 3}, headers=KEY)
    assert again.content == first.content
    assert steward.get(LEVEL).json()["level"] == 0


def test_an_erasure_reaches_the_stored_answers(steward: TestClient) -> None:
    steward.put(LEVEL, json={"level": 3}, headers=KEY)
    engine = steward.app.state.desk.engine  # type: ignore[attr-defined]
    assert steward.delete("/api/v1/clients/c0001").status_code == 200
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM idempotency").scalar() == 0


def test_a_repeated_objection_does_not_undo_what_came_between(steward: TestClient) -> None:
    place = "/api/v1/clients/c0001/objections/product_insight"
    first = steward.put(place, headers=KEY)
    steward.delete(place)
    assert steward.put(place, headers=KEY).content == first.content
    assert steward.get("/api/v1/clients/c0001/standing").json()["objections"] == []
    assert steward.delete(place, headers=KEY).json()["type"].endswith(":key-reused")
