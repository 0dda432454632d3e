"""Labels and evidence over HTTP, and the pages of runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from sqlalchemy import text

from federation.coordinator.runs import Runs
from federation.coordinator.settings import CoordinatorSettings
from federation.coordinator.verify import verify
from federation.database import open_database

SignIn = Callable[[str], TestClient]

QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "epsilon": 1.0,
    "reason": "who lives where",
}
LABEL = {
    "kind": "question",
    "rho": 0.1,
    "epsilon": 1.0,
    "delta": 1e-6,
    "released_at": "2026-11-22T00:00:00+00:00",
}


def labelled(keys: dict[str, object]) -> dict[str, object]:
    """Complete a label with text, so that every form can be written."""
    from federation.coordinator.label_forms import CLAIMS  # noqa: PLC0415 - for this only

    every = [key for parts in CLAIMS.values() for names in parts.values() for key in names]
    bound = {"departments": 1, "clients": 1, "rows_per_department": 1}
    given = {"contribution_bound": bound, "cohort": ["lending", "wealth"], "approver": "nobody"}
    return dict.fromkeys(every, "标签") | given | keys


@pytest.fixture
def released(analyst: TestClient, runs: Runs) -> str:
    place = analyst.post("/api/v1/questions", json=QUESTION).headers["Location"]
    taken = runs.take()
    assert taken is not None
    runs.end_released(taken.id, result={"rows": []}, label=labelled(LABEL), now=1)
    return str(place)


def test_a_label_is_read_in_every_form(analyst: TestClient, released: str) -> None:
    label = analyst.get(f"{released}/label").json()
    assert label["rho"] == 0.1
    claims = analyst.get(f"{released}/label", params={"form": "claims"}).json()
    assert claims["privacy guarantee"]["privacy parameters"]["rho"] == 0.1
    record = analyst.get(f"{released}/label", params={"form": "registry"}).json()
    assert record["deployment"]["privacy_loss"]["privacy_parameters"]["rho"] == 0.1


@pytest.mark.parametrize("form", ["label", "claims", "registry"])
def test_yaml_says_the_same(analyst: TestClient, released: str, form: str) -> None:
    answer = analyst.get(f"{released}/label.yaml", params={"form": form})
    assert answer.headers["content-type"].startswith("application/yaml")
    assert (
        yaml.safe_load(answer.text)
        == analyst.get(f"{released}/label", params={"form": form}).json()
    )


def test_a_run_without_a_release_has_no_label(analyst: TestClient) -> None:
    place = analyst.post("/api/v1/questions", json=QUESTION).headers["Location"]
    answer = analyst.get(f"{place}/label")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:infosandbox:problem:no-label")
    assert analyst.get(f"{place}/label.yaml", params={"form": "poem"}).status_code == 422


def test_an_auditor_takes_evidence_away_that_checks_out(
    analyst: TestClient, sign_in: SignIn
) -> None:
    analyst.post("/api/v1/questions", json=QUESTION)
    analyst.post("/api/v1/questions", json=QUESTION | {"epsilon": 12.0})
    answer = sign_in("auditor").get("/api/v1/evidence")
    assert answer.headers["content-disposition"].endswith('"evidence.jsonl"')
    report = verify(answer.content)
    assert report.findings == ()
    assert report.runs == 2


def test_a_damaged_ledger_is_a_problem_and_not_half_a_file(
    sign_in: SignIn, coordinator: CoordinatorSettings
) -> None:
    with open_database(coordinator.database).begin() as database:
        database.execute(text("UPDATE privacy_ledger SET digest = 'x'"))
    answer = sign_in("auditor").get("/api/v1/evidence")
    assert answer.status_code == 503
    assert answer.json()["type"].endswith(":ledger-broken")


def test_pages_of_runs_lead_to_each_other(analyst: TestClient, tmp_path: Path) -> None:
    assert tmp_path.exists()
    for number in range(5):
        analyst.post("/api/v1/questions", json=QUESTION | {"epsilon": 1 + number / 10})
    seen, place = [], "/api/v1/runs?limit=2"
    while place:
        answer = analyst.get(place)
        seen += [run["id"] for run in answer.json()]
        place = answer.links.get("next", {}).get("url", "")
    assert seen == [run["id"] for run in analyst.get("/api/v1/runs").json()]
    assert len(seen) == 5
    assert analyst.get("/api/v1/runs", params={"before": "0" * 16}).status_code == 404
    assert analyst.get("/api/v1/runs", params={"before": "x"}).status_code == 422
