"""The registry's tables: versions count up, one is in use, stages keep who and why."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from federation.coordinator.code_version import code_version
from federation.coordinator.errors import ModelUnknown
from federation.coordinator.registry import Registry, Stage, Version
from federation.database import open_database


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    yield Registry(engine)
    engine.dispose()


def trained(registry: Registry, run: str, name: str = "churn") -> Version:
    return registry.add(
        name, run=run, plan="a" * 64, file=f"{run}.safetensors", sha256="b" * 64, code="1", at=7
    )


def test_versions_of_a_name_count_up_from_one(registry: Registry) -> None:
    assert [trained(registry, run).version for run in ("r1", "r2")] == [1, 2]
    assert trained(registry, "r3", "bonds").version == 1
    assert [one.run for one in registry.all("churn")] == ["r1", "r2"]
    assert registry.get("churn", 2) == registry.all()[1]


def test_a_run_is_one_version(registry: Registry) -> None:
    trained(registry, "r1")
    with pytest.raises(IntegrityError):
        trained(registry, "r1", "bonds")


def test_an_unknown_version_is_refused_by_its_name(registry: Registry) -> None:
    trained(registry, "r1")
    with pytest.raises(ModelUnknown, match="version 2 of a model 'churn'"):
        registry.get("churn", 2)


def test_the_version_in_use_is_retired_by_the_next_one(registry: Registry) -> None:
    first, second = trained(registry, "r1"), trained(registry, "r2")
    assert registry.stage_of(first) is None
    registry.stage(first, Stage.IN_USE, who="ann", reason="the first one", at=8)
    registry.stage(second, Stage.IN_USE, who="bob", reason="a better one", at=9)
    stages = {v.version: registry.stage_of(v) for v in (first, second)}
    assert {n: s.stage for n, s in stages.items() if s} == {1: Stage.RETIRED, 2: Stage.IN_USE}
    assert [(s.version, s.who, s.reason) for s in registry.stages("churn")] == [
        (1, "ann", "the first one"),
        (2, "bob", "a better one"),
        (1, "bob", "a better one"),
    ]


def test_putting_the_version_in_use_again_does_not_retire_it(registry: Registry) -> None:
    first = trained(registry, "r1")
    for reason in ("now", "still"):
        registry.stage(first, Stage.IN_USE, who="ann", reason=reason, at=8)
    found = registry.stage_of(first)
    assert found is not None
    assert (found.stage, found.reason) == (Stage.IN_USE, "still")


def test_figures_from_outside_are_kept_beside_a_run_once(registry: Registry) -> None:
    assert registry.comparison("r1") is None
    registry.keep_comparison("r1", {"alone": {"risk": 0.7}})
    assert registry.comparison("r1") == {"alone": {"risk": 0.7}}
    with pytest.raises(sa.exc.IntegrityError):
        registry.keep_comparison("r1", {"alone": {"risk": 0.9}})


def test_the_code_version_is_the_package_s_and_a_digest_of_its_sources() -> None:
    version, digest = code_version().split("+")
    assert version.count(".") == 2
    assert len(bytes.fromhex(digest)) == 32
