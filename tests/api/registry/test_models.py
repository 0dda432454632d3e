"""The model registry over HTTP and in a terminal, on one version that a training released."""

from collections.abc import Callable
from hashlib import sha256

import numpy as np
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import load

from federation.coordinator.settings import CoordinatorSettings

PLACE = "/api/v1/models/buys_bonds/1"
IN_USE = {"stage": "in use", "reason": "the first one that is good enough"}


def test_a_version_is_listed_and_read_with_its_label(analyst: TestClient, trained: str) -> None:
    (listed,) = analyst.get("/api/v1/models").json()
    assert (listed["name"], listed["version"], listed["stage"]) == ("buys_bonds", 1, None)
    read = analyst.get(PLACE).json()
    assert {key: read[key] for key in listed} == listed
    assert read["run"] == read["label"]["run"] == trained
    assert read["epsilon"] <= 2.0


def test_weights_are_safetensors_with_their_digest(analyst: TestClient, trained: str) -> None:
    answer = analyst.get(f"{PLACE}/weights")
    assert answer.headers["X-SHA256"] == sha256(answer.content).hexdigest()
    assert load(answer.content)["weights"].dtype == np.float64
    assert trained not in answer.headers["Content-Disposition"]


def test_a_damaged_file_is_refused_by_its_name(
    analyst: TestClient, trained: str, coordinator: CoordinatorSettings
) -> None:
    path = coordinator.models / f"{trained}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    answer = analyst.get(f"{PLACE}/weights")
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("model-file-invalid")
    assert path.name in answer.json()["detail"]


@pytest.mark.parametrize("place", ["churn", "churn/1", "buys_bonds/2", "buys_bonds/2/weights"])
def test_an_unknown_version_is_a_problem(analyst: TestClient, trained: str, place: str) -> None:
    assert trained
    answer = analyst.get(f"/api/v1/models/{place}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("model-unknown")


def test_a_stage_is_given_with_a_reason_and_kept(analyst: TestClient, trained: str) -> None:
    assert trained
    assert analyst.post(f"{PLACE}/stage", json=IN_USE).json()["stage"] == "in use"
    (staged,) = analyst.get("/api/v1/models/buys_bonds").json()["stages"]
    assert (staged["who"], staged["reason"]) == ("analyst", IN_USE["reason"])
    without = {"stage": "in use", "reason": ""}
    assert analyst.post(f"{PLACE}/stage", json=without).status_code == 422


def test_only_an_analyst_gives_a_stage(sign_in: Callable[[str], TestClient], trained: str) -> None:
    assert trained
    assert sign_in("auditor").post(f"{PLACE}/stage", json=IN_USE).status_code == 403


EVALUATION = {
    "purpose": "bond_model",
    "model": "buys_bonds",
    "group": "region",
    "epsilon": 1.0,
    "reason": "how good it is",
}


def test_an_evaluation_is_priced_and_accepted(analyst: TestClient, trained: str) -> None:
    price = analyst.post("/api/v1/price", json=EVALUATION | {"kind": "evaluation"}).json()
    assert price["epsilon"] <= 1.0
    answer = analyst.post("/api/v1/evaluations", json=EVALUATION)
    assert answer.status_code == 202
    assert answer.json()["plan"]["run"] == trained
    assert answer.json()["plan"]["cohort"] == ["lending", "wealth"]


def test_an_evaluation_of_a_damaged_model_is_refused_by_its_name(
    analyst: TestClient, trained: str, coordinator: CoordinatorSettings
) -> None:
    path = coordinator.models / f"{trained}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    before = analyst.get("/api/v1/budget").json()
    answer = analyst.post("/api/v1/evaluations", json=EVALUATION)
    assert answer.status_code == 503
    assert path.name in answer.json()["detail"]
    assert analyst.get("/api/v1/budget").json() == before
