"""Monitors and the SQL door over HTTP: saved, listed, stopped; parsed, never executed."""

from typing import Any

from fastapi.testclient import TestClient

QUESTION: dict[str, Any] = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "rho": 0.001,
    "reason": "does it shift",
}
MONITOR = {"question": QUESTION, "every_s": 3600, "ticks": 3}


def test_a_monitor_is_saved_listed_and_stopped(analyst: TestClient) -> None:
    saved = analyst.post("/api/v1/monitors", json=MONITOR)
    assert saved.status_code == 201, saved.text
    place = saved.headers["Location"]
    assert analyst.get(place).json() == saved.json()
    assert [one["id"] for one in analyst.get("/api/v1/monitors").json()] == [saved.json()["id"]]
    pools = analyst.get("/api/v1/budget").json()
    assert max(pool["reserved_rho"] for pool in pools) > 0.0029
    assert analyst.delete(place).json()["state"] == "stopped"
    assert all(pool["reserved_rho"] == 0 for pool in analyst.get("/api/v1/budget").json())
    assert analyst.get("/api/v1/monitors/" + "0" * 16).status_code == 404


def test_a_period_beyond_the_budget_is_refused(analyst: TestClient) -> None:
    dear = MONITOR | {"question": QUESTION | {"rho": 0.01}, "ticks": 1000}
    assert analyst.post("/api/v1/monitors", json=dear).status_code == 409


def test_a_select_is_asked_and_an_attempt_at_more_is_refused(analyst: TestClient) -> None:
    asked = {key: QUESTION[key] for key in ("purpose", "rho", "reason")}
    sql = {"sql": "SELECT region, count(*) FROM clients GROUP BY region"}
    run = analyst.post("/api/v1/sql", json=asked | sql)
    assert run.status_code == 202, run.text
    again = analyst.post("/api/v1/questions", json=QUESTION)
    assert again.json()["id"] == run.json()["id"]
    worse = {"sql": "SELECT region, count(*) FROM clients; DROP TABLE runs"}
    refused = analyst.post("/api/v1/sql", json=asked | worse)
    assert refused.status_code == 422
    assert refused.json()["type"].endswith(":sql-refused")


def test_a_query_of_a_megabyte_is_refused(analyst: TestClient) -> None:
    asked = {key: QUESTION[key] for key in ("purpose", "rho", "reason")}
    flags = " AND ".join(["buys_bonds"] * 70_000)
    sql = f"SELECT count(*) FROM clients WHERE {flags}"  # noqa: S608 - parsed, never executed
    assert len(sql) > 1_000_000
    refused = analyst.post("/api/v1/sql", json=asked | {"sql": sql})
    assert refused.status_code in {413, 422}
    assert refused.json()["type"].startswith("urn:infosandbox:problem:")
    assert analyst.get("/api/v1/runs").json() == []
