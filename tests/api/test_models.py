"""The model registry over HTTP and in a terminal, on one version that a training released."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from safetensors.numpy import load
from typer.testing import CliRunner, Result

from api.app import create_app
from api.cli.main import app
from api.settings import Settings
from federation.coordinator.labels import Facts, label
from federation.coordinator.registry import Registry
from federation.coordinator.runs import Runs
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database
from federation.plans import read_plan
from federation.training_layout import architecture_of
from models.architectures import size
from models.files import save
from privacy.loss import Delta

TRAINING = {
    "purpose": "bond_model",
    "target": "buys_bonds",
    "features": ["region", "income", "patience"],
    "rounds": 2,
    "local_steps": 5,
    "epsilon": 2.0,
    "reason": "the shared model",
}
PLACE = "/api/v1/models/buys_bonds/1"
IN_USE = {"stage": "in use", "reason": "the first one that is good enough"}


@pytest.fixture
def trained(analyst: TestClient, runs: Runs, coordinator: CoordinatorSettings) -> str:
    """Release a training as the dispatcher does, with weights of our own; return its run."""
    from consent.catalogue import load_catalogue  # noqa: PLC0415 - for this only

    analyst.post("/api/v1/trainings", json=TRAINING)
    run = runs.take()
    assert run is not None
    plan, catalogue = read_plan(run.plan), load_catalogue(coordinator.catalogue)
    architecture = architecture_of(plan, catalogue)  # type: ignore[arg-type] # it is a training's
    coordinator.models.mkdir(exist_ok=True)
    path = coordinator.models / f"{run.id}.safetensors"
    save(path, architecture, np.linspace(-1, 1, size(architecture)))
    version = Registry(open_database(coordinator.database)).add(
        "buys_bonds",
        run=run.id,
        plan=run.digest,
        file=path.name,
        sha256=sha256(path.read_bytes()).hexdigest(),
        code="1",
        at=7,
    )
    result = {"kind": "training", "model": path.name, "sha256": version.sha256}
    facts = Facts(
        run=run.id,
        delta=Delta(1e-6),
        epoch=2,
        released_at=9,
        library="opendp",
        opinions=(),
        result=result,
    )
    runs.end_released(run.id, result=result, label=label(plan, catalogue, facts), now=9)
    return run.id


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


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def call(address: str, tokens: dict[str, str], tmp_path: Path) -> Callable[..., Result]:
    def run(*command: object) -> Result:
        file = tmp_path / "analyst.token"
        file.write_text(tokens["analyst"] + "\n")
        given = [*map(str, command), "--api", address, "--token", str(file)]
        return CliRunner().invoke(app, given, env={"COLUMNS": "160"})

    return run


def test_the_registry_is_read_and_staged_in_a_terminal(
    call: Callable[..., Result], trained: str, tmp_path: Path
) -> None:
    assert "buys_bonds" in call("model", "list").stdout
    words = ("--version", 1, "--stage", "in use", "--reason", "good enough")
    assert "is in use" in call("model", "stage", "buys_bonds", *words).stdout
    shown = call("model", "show", "buys_bonds").stdout
    assert trained in shown
    assert "good enough" in shown
    out = tmp_path / "weights.safetensors"
    told = json.loads(call("model", "export", "buys_bonds", "--out", out, "--json").stdout)
    assert told["sha256"] == sha256(out.read_bytes()).hexdigest()


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


def test_an_evaluation_s_figures_are_shown_in_a_terminal(
    call: Callable[..., Result], trained: str, tmp_path: Path, runs: Runs
) -> None:
    assert trained
    request = tmp_path / "evaluation.json"
    request.write_text(json.dumps(EVALUATION))
    assert "ε = 1" in call("price", request).stdout
    assert (
        json.loads(call("evaluate", request, "--no-wait", "--json").stdout)["state"] == "accepted"
    )
    taken = runs.take()
    assert taken is not None
    told = {
        "auc": {"value": 0.81, "interval": [0.79, 0.83]},
        "ks": {"value": 0.4, "interval": [0.3, 0.5]},
        "calibration_error": {"value": 0.02, "interval": [0.0, 0.05]},
    }
    row = {"clients": {"value": 200.4, "half_width": 8.0}}
    few = row | {"group": "north", "metrics": {"note": "too few clients to tell"}}
    result = {"on": "all", "everyone": row | {"metrics": told}, "groups": [few]}
    label = {"rho": 0.05, "epsilon": 1.0, "delta": 1e-6, "privacy_unit": "client"}
    runs.end_released(taken.id, result=result, label=label, now=1)
    shown = call("evaluate", request).stdout
    assert "0.810 (0.790 to 0.830)" in shown
    assert "too few clients to tell" in shown
