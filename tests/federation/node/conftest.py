"""A department's own tools on a node whose worker has heard of the newest epoch, and a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.node.answer import answer
from federation.node.own import OwnNode, open_own
from federation.node.own_model import OwnModel, open_model
from federation.node.settings import load_settings
from federation.training_layout import architecture_of
from models.architectures import size
from models.files import save

SECONDS = 1_800_000_000
TRAINING: dict[str, Any] = {
    "kind": "training",
    "target": "defaulted",
    "features": ("age", "education", "income"),
}


@pytest.fixture
def own() -> Callable[[Any], OwnNode]:
    """Return a function that brings the newest epoch to risk's worker and opens its tools."""

    def opened(firm: Any) -> OwnNode:
        plan = firm.plan(rho=0.001, reason=f"epoch {firm.epoch} of {id(firm)}")
        assert answer(firm.nodes["risk"], firm.ask(plan, "tokens", "risk"), SECONDS).code == "ok"
        return open_own(load_settings(firm.folder / "risk" / "node.toml"))

    return opened


@pytest.fixture
def model_of(tmp_path: Path) -> Callable[..., OwnModel]:
    """Return a function that opens a model of a plan, with weights that all differ."""

    def opened(firm: Any, node: OwnNode, **changes: Any) -> OwnModel:
        plan = firm.plan(**TRAINING | {"rounds": 1, "local_steps": 1} | changes)
        file = tmp_path / "model.safetensors"
        architecture = architecture_of(plan, firm.catalogue)
        save(file, architecture, np.linspace(-1.0, 1.5, size(architecture)))
        return open_model(file, plan, node)

    return opened
