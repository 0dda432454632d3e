from datetime import datetime

import pytest
from fastapi.testclient import TestClient

from federation.coordinator.runs import Runs

QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "epsilon": 1.0,
    "reason": "who lives where",
}
TRAINING = {
    "purpose": "bond_model",
    "target": "buys_bonds",
    "features": ["region", "income", "patience"],
    "rounds": 2,
    "local_steps": 5,
    "epsilon": 2.0,
    "reason": "the shared model",
}


def spent(client: TestClient, pool: str = "firm") -> float:
    pools = {line["pool"]: line for line in client.get("/api/v1/budget").json()}
    used: float = pools[pool]["spent_rho"] + pools[pool]["reserved_rho"]
    return used


def test_a_question_is_accepted_and_can_be_followed(analyst: TestClient) -> None:
    answer = analyst.post("/api/v1/questions", json=QUESTION)
    assert answer.status_code == 202
    assert not answer.json()["free"]
    run = analyst.get(answer.headers["Location"]).json()
    assert run["state"] == "accepted"
    assert run["asker"] == "analyst"
    assert run["plan"]["cohort"] == ["lending", "wealth"]
    assert run["result"] is run["label"] is run["refusal"] is None
    assert [r["id"] for r in analyst.get("/api/v1/runs").json()] == [run["id"]]


def test_a_training_is_accepted(analyst: TestClient) -> None:
    answer = analyst.post("/api/v1/trainings", json=TRAINING)
    assert answer.status_code == 202
    assert answer.json()["plan"]["features"] == ["income", "patience", "region"]


def test_a_question_reserves_what_its_price_said(analyst: TestClient) -> None:
    price = analyst.post("/api/v1/price", json=QUESTION | {"kind": "question"}).json()
    assert price["epsilon"] <= 1.0
    assert spent(analyst) == 0
    analyst.post("/api/v1/questions", json=QUESTION)
    assert spent(analyst) == pytest.approx(price["rho"])
    assert spent(analyst, "firm/product_insight") == pytest.approx(price["rho"])


def test_the_same_key_and_plan_is_the_same_run(analyst: TestClient) -> None:
    key = {"Idempotency-Key": "monday-1"}
    first = analyst.post("/api/v1/questions", json=QUESTION, headers=key)
    once = spent(analyst)
    again = analyst.post("/api/v1/questions", json=QUESTION, headers=key)
    assert again.json()["id"] == first.json()["id"]
    assert spent(analyst) == once


def test_the_same_key_with_another_plan_is_refused(analyst: TestClient) -> None:
    key = {"Idempotency-Key": "monday-1"}
    analyst.post("/api/v1/questions", json=QUESTION, headers=key)
    once = spent(analyst)
    other = analyst.post("/api/v1/questions", json=QUESTION | {"by": []}, headers=key)
    assert other.status_code == 422
    assert other.json()["type"] == "urn:infosandbox:problem:key-reused"
    assert spent(analyst) == once


def test_an_answered_question_is_free_and_says_when_it_was_answered(
    analyst: TestClient, runs: Runs
) -> None:
    first = analyst.post("/api/v1/questions", json=QUESTION).json()
    taken = runs.take()
    assert taken is not None
    runs.end_released(taken.id, result={"rows": []}, label={"rho": 1.0}, now=1_700_000_000)
    once = spent(analyst)
    again = analyst.post("/api/v1/questions", json=QUESTION | {"reason": "asked again"})
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert again.json()["free"]
    assert datetime.fromisoformat(again.json()["first_answered_at"]).timestamp() == 1_700_000_000
    assert again.json()["result"] == {"rows": []}
    assert spent(analyst) == once


def test_a_refused_run_says_why(analyst: TestClient, runs: Runs) -> None:
    place = analyst.post("/api/v1/questions", json=QUESTION).headers["Location"]
    taken = runs.take()
    assert taken is not None
    runs.end_refused(taken.id, code="DepartmentMissing", text="No answer from wealth", now=1)
    run = analyst.get(place).json()
    assert run["state"] == "refused"
    assert run["refusal"] == {"code": "DepartmentMissing", "text": "No answer from wealth"}


REFUSALS = [
    ({"by": ["shoe_size"]}, 422, "unknown-field"),
    ({"purpose": "gossip"}, 422, "unknown-purpose"),
    ({"by": ["debt"], "cohort": ["lending", "wealth"]}, 403, "purpose-not-open"),
    ({"statistics": [{"kind": "mean", "field": "region"}]}, 422, "plan-invalid"),
    ({"cohort": ["lending", "treasury"]}, 422, "plan-invalid"),
    ({"epsilon": -1}, 422, "request-invalid"),
    ({"epsilon": "NaN"}, 422, "request-invalid"),
    ({"rho": 0.1}, 422, "plan-invalid"),
    ({"cohort": ["lending"]}, 422, "request-invalid"),
    ({"catalogue": "0" * 64}, 422, "request-invalid"),
    ({"statistics": [{"kind": "median", "field": "income"}]}, 422, "request-invalid"),
]


@pytest.mark.parametrize(("change", "status", "slug"), REFUSALS)
def test_a_refused_question_spends_nothing_and_leaves_no_run(
    analyst: TestClient, change: dict[str, object], status: int, slug: str
) -> None:
    answer = analyst.post("/api/v1/questions", json=QUESTION | change)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:infosandbox:problem:{slug}")
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert spent(analyst) == 0
    assert analyst.get("/api/v1/runs").json() == []


def test_the_budget_refuses_before_the_work(analyst: TestClient) -> None:
    statuses = []
    for number in range(6):
        body = QUESTION | {"epsilon": 7.9 + number / 1000}
        statuses.append(analyst.post("/api/v1/questions", json=body).status_code)
    assert 202 in statuses
    assert 409 in statuses
    assert statuses == sorted(statuses)
    budget = {line["pool"]: line for line in analyst.get("/api/v1/budget").json()}
    assert all(line["remaining_rho"] >= 0 for line in budget.values())


def test_an_unknown_run_is_a_problem(analyst: TestClient) -> None:
    answer = analyst.get("/api/v1/runs/0123456789abcdef")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":run-unknown")


def test_an_unknown_path_is_a_problem(analyst: TestClient) -> None:
    answer = analyst.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_beyond_the_limit_is_not_read(analyst: TestClient) -> None:
    answer = analyst.post("/api/v1/questions", content=b"x" * 70_000)
    assert answer.status_code == 413
    assert answer.json()["type"].endswith(":body-too-large")


def test_a_body_in_pieces_is_capped_too(analyst: TestClient) -> None:
    answer = analyst.post("/api/v1/questions", content=(b"x" * 1000 for _ in range(100)))
    assert answer.status_code == 413


def test_the_catalogue_is_named_by_its_digest(analyst: TestClient) -> None:
    shown = analyst.get("/api/v1/catalogue").json()
    assert len(shown["digest"]) == 64
    assert [f["name"] for f in shown["catalogue"]["fields"]][:2] == ["region", "income"]


def test_the_description_is_served_without_a_page_from_elsewhere(analyst: TestClient) -> None:
    assert analyst.get("/api/v1/openapi.json").status_code == 200
    assert analyst.get("/docs").status_code == 404
    assert analyst.get("/redoc").status_code == 404
