"""One version that a training released, and a terminal beside the API that tells of it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from api.cli.main import app
from consent.catalogue import load_catalogue
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


@pytest.fixture
def trained(analyst: TestClient, runs: Runs, coordinator: CoordinatorSettings) -> str:
    """Release a training as the dispatcher does, with weights of our own; return its run."""
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


@pytest.fixture
def call(address: str, tokens: dict[str, str], tmp_path: Path) -> Callable[..., Result]:
    def run(*command: object) -> Result:
        file = tmp_path / "analyst.token"
        file.write_text(tokens["analyst"] + "\n")
        given = [*map(str, command), "--api", address, "--token", str(file)]
        return CliRunner().invoke(app, given, env={"COLUMNS": "160"})

    return run
