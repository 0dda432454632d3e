"""The registry in a terminal, on one version that a training released."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import Result

from api.cli.tables import evaluation_tables
from federation.coordinator.runs import Runs
from tests.federation.node.evaluation_cases import KINDS, told_of

EVALUATION = {
    "purpose": "bond_model",
    "model": "buys_bonds",
    "group": "region",
    "epsilon": 1.0,
    "reason": "how good it is",
}


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
    figures = {"figures": list(told), "scored": "alike", "on": "all"}
    result = figures | {"everyone": row | {"metrics": told}, "groups": [few]}
    label = {"rho": 0.05, "epsilon": 1.0, "delta": 1e-6, "privacy_unit": "client"}
    runs.end_released(taken.id, result=result, label=label, now=1)
    shown = call("evaluate", request).stdout
    assert "0.810 (0.790 to 0.830)" in shown
    assert "too few clients to tell" in shown


def test_what_drives_a_model_s_scores_is_shown_in_a_terminal(
    call: Callable[..., Result], trained: str, tmp_path: Path, runs: Runs
) -> None:
    assert trained
    request = tmp_path / "evaluation.json"
    request.write_text(json.dumps(EVALUATION | {"explain": True}))
    call("evaluate", request, "--no-wait")
    taken = runs.take()
    assert taken is not None
    told = [{"label": "income", "value": 0.4, "interval": [0.39, 0.41]}]
    row = {"clients": {"value": 200.4, "half_width": 8.0}}
    few = row | {"group": "north", "influences": {"note": "too few clients to tell"}}
    result = {"on": "all", "everyone": row | {"influences": told}, "groups": [few]}
    label = {"rho": 0.05, "epsilon": 1.0, "delta": 1e-6, "privacy_unit": "client"}
    runs.end_released(taken.id, result=result | {"explain": True}, label=label, now=1)
    shown = call("evaluate", request).stdout
    assert "0.400 (0.390 to 0.410)" in shown
    assert "too few to tell" in shown


@pytest.mark.parametrize("kind", KINDS)
def test_the_figures_of_every_kind_of_model_are_shown_in_a_terminal(kind: str) -> None:
    page = Console(width=160, record=True)
    page.print(*evaluation_tables(told_of(kind), "how good it is"))
    shown = " ".join(page.export_text().split())
    expected = {
        "multiclass": "macro AUC",
        "ordinal": "recall",
        "count": "79.25",
        "amount": "natural",
    }
    assert expected.get(kind, "calibration error") in shown
    assert ("last layer of its own" in shown) == (kind == "personal")
