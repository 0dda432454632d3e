import re

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "epsilon": 1.0,
    "reason": "how many there are",
}
LABELS = {"pool", "window", "method", "route", "status"}
NAMES = {
    "infosandbox_budget_epsilon",
    "infosandbox_spent_epsilon",
    "infosandbox_remaining_rho",
    "infosandbox_coordinator_alive",
    "infosandbox_witness_refusing",
    "infosandbox_http_requests",
    "infosandbox_http_requests_created",
}


def read(client: TestClient) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        family.name: {tuple(sorted(s.labels.items())): s.value for s in family.samples}
        for family in families
    }


def test_spending_moves_the_gauge_and_not_the_budget(analyst: TestClient) -> None:
    firm = (("pool", "firm"), ("window", "lifetime"))
    before = read(analyst)
    analyst.post("/api/v1/questions", json=QUESTION)
    after = read(analyst)
    assert before["infosandbox_spent_epsilon"][firm] == 0
    assert after["infosandbox_spent_epsilon"][firm] > 0.9
    assert after["infosandbox_budget_epsilon"] == before["infosandbox_budget_epsilon"]


def test_nothing_is_told_but_policy_and_requests(analyst: TestClient) -> None:
    analyst.get("/api/v1/runs")
    found = read(analyst)
    assert set(found) == NAMES
    assert {label for rows in found.values() for row in rows for label, _ in row} == LABELS


def test_a_path_and_a_method_are_no_labels(analyst: TestClient, anyone: TestClient) -> None:
    analyst.get("/api/v1/clients/canary/level")
    anyone.request('X"canary', "/api/v1/canary")
    anyone.request("CANARY", "/canary%0A")
    text = analyst.get("/metrics").text
    assert not re.search("canary", text, re.IGNORECASE)
    assert 'route="/api/v1/clients/{client_id:path}/level"' in text
    assert 'method="other"' in text
