"""One department's clients, a question's exact sums over them, and releases of those sums."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from consent.catalogue import Catalogue, Field
from consent.purposes import Purpose
from federation import layout
from federation.coordinator.question_result import question_result
from federation.node.columns import present
from federation.node.features import cells
from federation.node.question_sums import bounded, meets
from federation.node.records import Records
from federation.question_plan import QuestionPlan
from privacy.mechanisms import Release, draw_noise, release
from privacy.noise_shares import Noise, share_sigma
from privacy.units import NeighboringRelation

COMMON = {"title": "-", "departments": ("advisory", "research", "risk"), "level": 1}
CATALOGUE = Catalogue(
    name="test",
    departments=("advisory", "research", "risk"),
    purposes=(Purpose(name="review", title="-"),),
    fields=tuple(
        Field.model_validate(COMMON | {"purposes": ("review",)} | facts, strict=False)
        for facts in (
            {"name": "age", "kind": "number", "lower": 18, "upper": 98, "edges": (30, 50, 70)},
            {"name": "income", "kind": "number", "lower": -1000, "upper": 9000},
            {"name": "spend", "kind": "number", "lower": 0, "upper": 8000},
            {
                "name": "wealth",
                "kind": "number",
                "lower": -50_000,
                "upper": 500_000,
                "transform": "signed_log",
            },
            {"name": "city", "kind": "category", "categories": tuple("abcdefgh")},
            {"name": "sex", "kind": "category", "categories": ("f", "m")},
            {"name": "late", "kind": "flag"},
        )
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Clients of one department, by field: numbers, or codes of labels."""

    columns: dict[str, npt.NDArray[Any]]

    @property
    def records(self) -> Records:
        size = len(next(iter(self.columns.values())))
        return Records(
            department="risk",
            fields=tuple(self.columns),
            client_ids=tuple(f"C{n}" for n in range(size)),
            columns=self.columns,
            opened={name: present(column) for name, column in self.columns.items()},
        )

    def without(self, row: int) -> "World":
        return World(columns={n: np.delete(c, row) for n, c in self.columns.items()})

    def exact(self, plan: QuestionPlan) -> list[npt.NDArray[np.int64]]:
        """Sum every block as a node does, over all of these clients."""
        records = self.records
        counted = records.complete(plan.fields)
        for condition in plan.where:
            counted &= meets(condition, CATALOGUE.field(condition.field), records)
        cell = np.where(counted, cells(records, layout.by_fields(plan, CATALOGUE)), -1)
        return [
            bounded(block, plan, records, CATALOGUE, cell).values
            for block in layout.question_blocks(plan, CATALOGUE)
        ]


def _uniform(label: str, n: int) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1) from a hash: the same on every machine."""
    words = np.frombuffer(hashlib.shake_256(label.encode()).digest(8 * n), np.uint64)
    return (words >> np.uint64(11)) * 2.0**-53


def clients(n: int) -> World:
    """Make clients whose income, spending and wealth go together, some values absent."""
    draw = {name: _uniform(name, n) for name in ("age", "a", "b", "c", "city", "sex", "late")}
    income = 500 + 5000 * draw["a"] ** 2 + 2000 * draw["b"]
    columns: dict[str, npt.NDArray[Any]] = {
        "age": 15 + 90 * draw["age"],
        "income": np.where(draw["c"] < 0.02, np.nan, income),
        "spend": 0.4 * income + 3000 * draw["c"],
        "wealth": np.sign(draw["a"] - 0.2) * np.expm1(12 * np.abs(draw["a"] - 0.2)),
        "city": np.minimum((9 * draw["city"] ** 2).astype(np.int64), 7),
        "sex": np.where(draw["sex"] < 0.02, -1, (draw["sex"] < 0.6).astype(np.int64)),
        "late": (draw["late"] < 0.3).astype(np.int64),
    }
    return World(columns=columns)


def question(**changes: Any) -> QuestionPlan:
    values: dict[str, Any] = {
        "catalogue": CATALOGUE.digest(),
        "purpose": "review",
        "cohort": ("advisory", "research", "risk"),
        "reason": "a test",
        "statistics": ({"kind": "count"},),
        "rho": 0.01,
    }
    return QuestionPlan.model_validate(values | changes)


def released(
    plan: QuestionPlan, exact: list[npt.NDArray[np.int64]], noise: Noise = draw_noise
) -> list[Release]:
    """Add the cohort's noise shares to exact sums."""
    found = []
    shape = {"cohort": len(plan.cohort), "tolerance": plan.tolerance}
    for block, sums in zip(layout.question_blocks(plan, CATALOGUE), exact, strict=True):
        sigma = share_sigma(sensitivity=block.sensitivity, rho=block.rho, **shape)
        noised = sums + sum(noise(sigma, block.size) for _ in plan.cohort)
        found.append(
            release(
                block.name,
                noised,
                sensitivity=block.sensitivity,
                scale=block.scale,
                rho=block.rho,
                unit=plan.unit,
                relation=NeighboringRelation.ADD_OR_REMOVE,
                bound=plan.bound,
                **shape,
            )
        )
    return found


def silence(_sigma: int, size: int) -> npt.NDArray[np.int64]:
    """Noise that happens to be zero."""
    return np.zeros(size, np.int64)


@pytest.fixture(scope="session")
def world() -> World:
    return clients(4000)


@pytest.fixture(scope="session")
def many() -> World:
    return clients(30_000)


@pytest.fixture(scope="session")
def ask() -> Callable[..., QuestionPlan]:
    return question


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return CATALOGUE


@pytest.fixture(scope="session")
def noiseless() -> Callable[[QuestionPlan, World], list[dict[str, Any]]]:
    """Return a function that answers a question with noise that happens to be zero."""

    def answered(plan: QuestionPlan, world: World) -> list[dict[str, Any]]:
        releases = released(plan, world.exact(plan), silence)
        rows: list[dict[str, Any]] = question_result(plan, CATALOGUE, releases)["rows"]
        return rows

    return answered


@pytest.fixture(scope="session")
def noised() -> Callable[..., list[dict[str, Any]]]:
    """Return a function that answers from exact sums with fresh noise, or a saboteur's."""

    def answered(
        plan: QuestionPlan, exact: list[npt.NDArray[np.int64]], noise: Noise = draw_noise
    ) -> list[dict[str, Any]]:
        releases = released(plan, exact, noise)
        rows: list[dict[str, Any]] = question_result(plan, CATALOGUE, releases)["rows"]
        return rows

    return answered


@pytest.fixture(scope="session")
def uniform() -> Callable[[str, int], npt.NDArray[np.float64]]:
    return _uniform


@pytest.fixture(scope="session")
def silent() -> Callable[[QuestionPlan, World], list[Release]]:
    """Return a function that releases a question's sums with noise that happens to be zero."""
    return lambda plan, world: released(plan, world.exact(plan), silence)
