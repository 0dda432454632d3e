"""A training under way: read how far it is, stop it."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.people.roles import Role
from tests.api.test_plans import QUESTION, TRAINING, spent


def test_a_training_that_waits_for_its_turn_has_not_been_asked_of_anybody(
    analyst: TestClient,
) -> None:
    run = analyst.post("/api/v1/trainings", json=TRAINING).json()
    found = analyst.get(f"/api/v1/runs/{run['id']}/training").json()
    assert (found["rounds"], found["asked"], found["done"]) == (2, 0, 0)
    assert found["epsilon"] == 0
    assert set(found["departments"].values()) == {"not asked yet"}


def test_a_question_is_no_training(analyst: TestClient) -> None:
    run = analyst.post("/api/v1/questions", json=QUESTION).json()
    assert analyst.get(f"/api/v1/runs/{run['id']}/training").json() is None


@pytest.mark.parametrize(
    ("route", "body"), [("/api/v1/trainings", TRAINING), ("/api/v1/questions", QUESTION)]
)
def test_its_asker_stops_a_run_before_its_turn_for_nothing(
    analyst: TestClient, route: str, body: dict[str, Any]
) -> None:
    run = analyst.post(route, json=body).json()
    assert spent(analyst) > 0
    stopped = analyst.post(f"/api/v1/runs/{run['id']}/stop").json()
    assert stopped["refusal"]["code"] == "RunStopped"
    assert spent(analyst) == 0
    again = analyst.post(f"/api/v1/runs/{run['id']}/stop")
    assert again.status_code == 409
    assert again.json()["type"].endswith("run-not-stoppable")


def test_only_its_asker_or_an_officer_stops_a_run(sign_in: Any) -> None:
    run = sign_in(Role.ANALYST).post("/api/v1/questions", json=QUESTION).json()
    place = f"/api/v1/runs/{run['id']}/stop"
    assert sign_in(Role.ADVISOR).post(place).status_code == 403
    assert sign_in(Role.PRIVACY_OFFICER).post(place).json()["state"] == "refused"


def test_a_training_without_rounds_takes_its_recipe(analyst: TestClient) -> None:
    body = {k: v for k, v in TRAINING.items() if k not in {"rounds", "local_steps"}}
    plan = analyst.post("/api/v1/trainings", json=body | {"clients": 25_000}).json()["plan"]
    assert (plan["rounds"], plan["local_steps"], plan["learning_rate"]) == (6, 10, 3.0)
