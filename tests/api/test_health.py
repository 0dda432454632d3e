import time
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import text

from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.settings import CoordinatorSettings
from federation.coordinator.witness_book import Heard, WitnessBook
from federation.database import open_database


def test_health_is_open_to_everybody(anyone: TestClient) -> None:
    answer = anyone.get("/healthz")
    assert answer.status_code == 200
    said = {"status": "ok", "database": "ok", "ledger": "ok", "witnesses": "ok"}
    assert answer.json() == said


def test_health_warns_of_a_witness_that_refuses_and_goes_on(
    anyone: TestClient, coordinator: CoordinatorSettings
) -> None:
    book = WitnessBook(open_database(coordinator.database))
    book.keep(Heard(department="wealth", size=3, refusal="log_forked", at=7))
    answer = anyone.get("/healthz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["witnesses"]) == ("ok", "refusing")
    book.keep(Heard(department="wealth", size=5, refusal="", at=8))
    assert anyone.get("/healthz").json()["witnesses"] == "ok"


def test_health_fails_when_the_runs_cannot_be_read(
    anyone: TestClient, coordinator: CoordinatorSettings
) -> None:
    with open_database(coordinator.database).begin() as database:
        database.execute(text("DROP TABLE runs"))
    answer = anyone.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "failing"
    assert answer.json()["ledger"] == "ok"


def test_health_tells_no_path(anyone: TestClient, tmp_path: Path) -> None:
    assert str(tmp_path) not in anyone.get("/healthz").text


def test_readiness_waits_for_the_serverapp(
    anyone: TestClient, coordinator: CoordinatorSettings
) -> None:
    assert anyone.get("/readyz").status_code == 503
    assert anyone.get("/readyz").json()["coordinator"] == "failing"
    Heartbeat(open_database(coordinator.database)).beat(until=int(time.time()) + 60)
    answer = anyone.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert len(answer.json()["catalogue"]) == 64
    Heartbeat(open_database(coordinator.database)).beat(until=int(time.time()) - 1)
    assert anyone.get("/readyz").status_code == 503


def test_readiness_fails_with_the_database(
    anyone: TestClient, coordinator: CoordinatorSettings
) -> None:
    engine = open_database(coordinator.database)
    Heartbeat(engine).beat(until=int(time.time()) + 60)
    with engine.begin() as database:
        database.execute(text("DROP TABLE heartbeats"))
    answer = anyone.get("/readyz")
    assert (answer.status_code, answer.json()["coordinator"]) == (503, "failing")
    assert answer.json()["database"] == "ok"
