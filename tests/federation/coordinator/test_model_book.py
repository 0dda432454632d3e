"""A version as people read it: released, unchanged since it was trained, staged with a reason."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from consent.log_entries import ModelStaged, read_entry
from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.errors import ModelUnknown
from federation.coordinator.evidence_log import log_stage
from federation.coordinator.model_book import model_of, models_of, weights_of
from federation.coordinator.registry import Stage
from federation.coordinator.runs import Run
from models.architectures import Architecture
from models.errors import ModelFileInvalid
from models.files import save

AT = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = """
delta = 1e-6
automatic_epsilon = 2.0
[firm]
epsilon = 9.0
[purposes.review]
epsilon = 8.0
"""
TRAINING = {
    "kind": "training",
    "purpose": "review",
    "target": "defaulted",
    "features": ["age"],
    "rounds": 2,
    "local_steps": 3,
    "rho": 0.03,
    "reason": "a shared model",
}


@pytest.fixture
def desk(tmp_path: Path, desk_at: Callable[..., Desk]) -> Desk:
    return desk_at(tmp_path, POLICY)


def train(desk: Desk, *, release: bool = True, **changes: object) -> Run:
    """Let a run become a version, with a file of its own, as the dispatcher does."""
    run = submit(plan_of(TRAINING | changes, desk), desk, asker="ann", now=AT).run
    desk.runs.take()
    desk.settings.models.mkdir(exist_ok=True)
    path = desk.settings.models / f"{run.id}.safetensors"
    save(path, Architecture(inputs=2), np.array([0.5, -0.25, 0.125]))
    desk.registry.add(
        "defaulted",
        run=run.id,
        plan=run.digest,
        file=path.name,
        sha256=sha256(path.read_bytes()).hexdigest(),
        code="1",
        at=7,
    )
    if release:
        desk.runs.end_released(run.id, result={}, label={"rho": 0.03}, now=9)
    return run


def test_versions_are_listed_newest_first_and_only_if_released(desk: Desk) -> None:
    runs = [train(desk), train(desk, rounds=3), train(desk, rounds=4, release=False)]
    assert [model.version.run for model in models_of(desk.runs, desk.registry)] == [
        runs[1].id,
        runs[0].id,
    ]
    assert model_of(desk.runs, desk.registry, "defaulted").version.version == 2
    for version in (3, 4):
        with pytest.raises(ModelUnknown):
            model_of(desk.runs, desk.registry, "defaulted", version)
    with pytest.raises(ModelUnknown):
        models_of(desk.runs, desk.registry, "churn")


def test_without_a_number_the_version_in_use_is_meant(desk: Desk) -> None:
    train(desk)
    train(desk, rounds=3)
    first = model_of(desk.runs, desk.registry, "defaulted", 1)
    desk.registry.stage(first.version, Stage.IN_USE, who="ann", reason="it is good", at=11)
    assert model_of(desk.runs, desk.registry, "defaulted").version == first.version


def test_a_stage_is_logged_without_the_name_of_who_gave_it(desk: Desk) -> None:
    train(desk)
    model = model_of(desk.runs, desk.registry, "defaulted", 1)
    place = log_stage(desk.evidence, model.version, Stage.RETIRED, who="ann", at=11)
    data = next(iter(desk.evidence.log.entries(place, place + 1)))
    entry = read_entry(data)
    assert isinstance(entry, ModelStaged)
    assert (entry.model, entry.number, entry.stage) == ("defaulted", 1, "retired")
    assert entry.sha256 == model.version.sha256
    assert b"ann" not in data


def test_weights_are_the_bytes_that_were_trained(desk: Desk) -> None:
    train(desk)
    version = model_of(desk.runs, desk.registry, "defaulted").version
    assert sha256(weights_of(version, desk.settings.models)).hexdigest() == version.sha256


@pytest.mark.parametrize("place", [0, 20, 200, -1])
def test_a_flipped_byte_is_refused_by_the_file_s_name(desk: Desk, place: int) -> None:
    run = train(desk)
    path = desk.settings.models / f"{run.id}.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileInvalid, match=run.id):
        weights_of(model_of(desk.runs, desk.registry, "defaulted").version, desk.settings.models)


def test_a_lost_file_is_refused_by_its_name(desk: Desk) -> None:
    run = train(desk)
    (desk.settings.models / f"{run.id}.safetensors").unlink()
    with pytest.raises(ModelFileInvalid, match=run.id):
        weights_of(model_of(desk.runs, desk.registry, "defaulted").version, desk.settings.models)
