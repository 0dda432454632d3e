"""Sweeps over HTTP and in a terminal: priced, reserved as one sum, read, stopped."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import Result

from api.cli.sweeping import verdict_in_words
from api.people.roles import Role
from tests.api.test_plans import TRAINING, spent

SWEEP: dict[str, Any] = {
    "training": {k: v for k, v in TRAINING.items() if k != "epsilon"}
    | {"rho": 0.01, "holdout": 0.2},
    "recipes": [{}, {"learning_rate": 0.5}, {"hidden": [4]}],
    "epsilon_of_evaluation": 0.2,
}


def test_a_sweep_is_priced_begun_read_and_stopped(analyst: TestClient) -> None:
    price = analyst.post("/api/v1/sweeps/price", json=SWEEP).json()
    assert price["runs"] == 6
    assert spent(analyst) == 0
    begun = analyst.post("/api/v1/sweeps", json=SWEEP)
    assert begun.status_code == 201, begun.text
    assert spent(analyst) == pytest.approx(price["rho"])
    place = begun.headers["Location"]
    found = analyst.get(place).json()
    assert found == begun.json()
    assert [one["plan"]["learning_rate"] for one in found["recipes"]] == [1.0, 0.5, 1.0]
    assert found["recommends"] is None
    assert [one["id"] for one in analyst.get("/api/v1/sweeps").json()] == [found["id"]]
    assert analyst.get("/api/v1/sweeps", params={"before": found["id"]}).json() == []
    assert analyst.post(f"{place}/stop").json()["state"] == "stopped"
    assert spent(analyst) == 0
    assert analyst.get("/api/v1/sweeps/" + "0" * 16).status_code == 404


def test_a_sweep_beyond_the_budget_or_one_person_s_limit_is_refused(analyst: TestClient) -> None:
    dear = SWEEP | {"training": SWEEP["training"] | {"rho": 50.0}}
    refused = analyst.post("/api/v1/sweeps", json=dear)
    assert refused.json()["type"].endswith("sweep-refused")
    assert "one person" in refused.json()["detail"]
    assert spent(analyst) == 0


def test_only_its_asker_or_an_officer_stops_a_sweep(sign_in: Any) -> None:
    place = sign_in(Role.ANALYST).post("/api/v1/sweeps", json=SWEEP).headers["Location"]
    assert sign_in(Role.ADVISOR).post(f"{place}/stop").status_code == 403
    assert sign_in(Role.PRIVACY_OFFICER).post(f"{place}/stop").json()["state"] == "stopped"


def test_a_sweep_is_one_command(
    call: Callable[..., Result], analyst: TestClient, tmp_path: Path
) -> None:
    request = tmp_path / "sweep.json"
    request.write_text(json.dumps(SWEEP))
    assert "6 runs cost ε" in call("sweep", "price", request).stdout
    told = json.loads(call("sweep", "try", request, "--no-wait", "--json").stdout)
    assert "0 of 3" in call("sweep", "list").stdout
    shown = call("sweep", "show", told["id"]).stdout
    assert "learning_rate" in shown
    assert "No recipe is judged yet" in shown
    assert "stopped" in call("sweep", "stop", told["id"]).stdout
    assert analyst.get(f"/api/v1/sweeps/{told['id']}").json()["state"] == "stopped"


def test_the_verdict_admits_what_the_noise_hides() -> None:
    clear = {"recommends": {"best": 1, "alike": []}}
    assert "Take recipe 2" in verdict_in_words(clear)
    close = {"recommends": {"best": 1, "alike": [0, 2]}}
    assert "cannot" not in verdict_in_words(clear)
    assert "not let it be told from 1, 3" in verdict_in_words(close)
