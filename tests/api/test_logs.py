"""Canaries: what a caller sends must appear in no log line and in no problem."""

import json
from io import StringIO

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from api.logs import RequestLog, json_log
from api.metrics import request_counter
from api.people.roles import STAFF_ROLES, Role

CANARY = "CANARY-7731-canary"


def lines(log: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_request_is_logged_as_its_route(
    steward: TestClient, log: StringIO, tokens: dict[Role, str]
) -> None:
    steward.put(f"/api/v1/clients/{CANARY}/level?note={CANARY}", json={"level": 2})
    (line,) = lines(log)
    assert line["event"] == "request"
    assert line["route"] == "/api/v1/clients/{client_id:path}/level"
    assert line["method"] == "PUT"
    assert line["status"] == 404
    assert CANARY not in log.getvalue()
    assert tokens[Role.STEWARD] not in log.getvalue()


SENDINGS = [
    ("GET", f"/{CANARY}", None),
    ("GET", f"/api/v1/runs/{CANARY}", None),
    ("GET", f"/api/v1/runs?limit={CANARY}", None),
    ("PUT", f"/api/v1/clients/{CANARY}/level", {"level": CANARY}),
    ("PUT", f"/api/v1/clients/{CANARY}/level", {"level": 1, CANARY: 1}),
    ("GET", f"/api/v1/clients/{CANARY}%20/level", None),
    ("POST", "/api/v1/questions", {CANARY: CANARY}),
    ("POST", "/api/v1/questions", {"purpose": CANARY, "statistics": [{"kind": CANARY}]}),
    ("POST", "/api/v1/questions", {"cohort": [CANARY, CANARY]}),
    ("POST", "/api/v1/trainings", {"features": [CANARY], "hidden": CANARY}),
    ("POST", "/api/v1/price", {"kind": CANARY}),
    ("POST", "/api/v1/price", CANARY),
]


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_nothing_a_caller_sends_comes_back_or_is_logged(
    anyone: TestClient, log: StringIO, tokens: dict[Role, str], role: Role
) -> None:
    bearer = {"Authorization": f"Bearer {tokens[role]}", "Idempotency-Key": f"{CANARY} {CANARY}"}
    for method, path, body in SENDINGS:
        answer = anyone.request(method, path, json=body, headers=bearer)
        assert answer.status_code >= 400
        assert CANARY not in answer.text
    assert CANARY not in log.getvalue()
    assert len(lines(log)) == len(SENDINGS)


def test_broken_json_is_not_quoted(analyst: TestClient, log: StringIO) -> None:
    sent = {"content-type": "application/json"}
    answer = analyst.post("/api/v1/questions", content=f'{{"{CANARY}', headers=sent)
    assert answer.status_code == 422
    assert CANARY not in answer.text + log.getvalue()


def broken_app(log: StringIO) -> FastAPI:
    app = FastAPI()

    @app.get("/clients/{client_id}")
    def fail(client_id: str) -> None:
        message = f"row of {client_id} is bad"
        raise ValueError(message)

    counter = request_counter(CollectorRegistry())
    app.add_middleware(RequestLog, log=json_log(log), requests=counter)  # type: ignore[arg-type]
    return app


def test_an_unexpected_error_is_logged_by_class_and_place_only() -> None:
    log = StringIO()
    answer = TestClient(broken_app(log)).get(f"/clients/{CANARY}")
    assert answer.status_code == 500
    assert answer.json()["type"].endswith(":internal")
    error, request = lines(log)
    assert error["error"] == "ValueError"
    assert str(error["place"]).startswith("fail:")
    assert request["status"] == 500
    assert CANARY not in answer.text + log.getvalue()


def test_a_log_of_the_path_would_be_caught(steward: TestClient, log: StringIO) -> None:
    """The saboteur: a middleware that logs what it must not."""
    steward.get(f"/api/v1/clients/{CANARY}/level")
    json_log(log).info("request", path=f"/api/v1/clients/{CANARY}/level")
    assert CANARY in log.getvalue()
