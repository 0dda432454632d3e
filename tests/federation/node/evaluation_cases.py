"""Evaluations of every kind of model at the nodes of the test firm, exact, before any noise."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.catalogue import load_catalogue
from federation.alignment import owners
from federation.coordinator.evaluation_result import evaluation_result
from federation.evaluation_layout import evaluation_tables, join_payload
from federation.evaluation_plan import EvaluationPlan
from federation.node.admission import Admitted, admit
from federation.node.evaluation_task import evaluation_sum, evaluation_tokens
from federation.plans import digest, read_plan
from federation.training_layout import architecture_of
from federation.training_plan import TrainingPlan
from models.architectures import size
from models.files import save
from models.parameters import last_layer
from tests.federation.conftest import CATALOGUE, Firm

NOW = 1_800_000_000
Counts = npt.NDArray[np.int64]

HELD_BY = ("research", "risk")
KINDS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "binary": ({"features": ("age", "education")}, {"group": "education"}),
    "multiclass": ({"target": "education", "features": ("age", "defaulted")}, {"group": "age"}),
    "ordinal": (
        {"target": "age", "objective": "ordinal", "features": ("defaulted", "education")},
        {"group": "education"},
    ),
    "count": (
        {"target": "age", "objective": "count", "features": ("defaulted", "education")},
        {"group": "education", "error_cap": 20.0},
    ),
    "amount": (
        {"target": "income", "features": ("age", "education"), "cohort": HELD_BY},
        {"group": "education"},
    ),
    "personal": (
        {"features": ("age", "education"), "hidden": (3,), "personal": True},
        {"group": "education", "personal_attempt": 5},
    ),
}
"""By what a model learns: its training, and its evaluation."""


def training_of(firm: Any, kind: str, **changes: Any) -> TrainingPlan:
    plan = firm.plan(kind="training", **KINDS[kind][0] | changes)
    assert isinstance(plan, TrainingPlan)
    return plan


def model_of(firm: Any, kind: str, folder: Path) -> bytes:
    """The file of a model whose predictions spread, and the last layers where they are personal."""
    training = training_of(firm, kind)
    architecture = architecture_of(training, firm.catalogue)
    weights = 3 * np.sin(np.arange(1.0, 1 + size(architecture)))
    save(folder / f"{kind}.safetensors", architecture, weights)
    if training.personal:
        for place, node in enumerate(firm.nodes.values()):
            mine = weights[last_layer(architecture)] + place
            node.learned.keep_personal((digest(training).hex(), 5), mine)
    return (folder / f"{kind}.safetensors").read_bytes()


def planned(
    firm: Any, file: bytes, kind: str = "binary", *, holdout: float = 0.0, **changes: Any
) -> EvaluationPlan:
    training = training_of(firm, kind, holdout=holdout)
    values = {
        "kind": "evaluation",
        **{key: getattr(training, key) for key in ("catalogue", "purpose", "cohort", "unit")},
        "training": training.model_dump(mode="json"),
        "run": "0123456789abcdef",
        "sha256": sha256(file).hexdigest(),
        "bins": 8,
        "rho": 8.0,
        "reason": "a test",
    }
    plan = read_plan(values | KINDS[kind][1] | changes)
    assert isinstance(plan, EvaluationPlan)
    return plan


def admitted(firm: Any, plan: Any, leg: str, department: str, attempt: int) -> Admitted:
    permit = firm.permit(plan, leg, attempt=attempt)
    heard = firm.announcements(plan.cohort)
    ask = firm.ask(plan, leg, department, permit=permit, announcements=heard)
    return admit(firm.nodes[department], ask, NOW)


def exact(
    firm: Any, plan: EvaluationPlan, file: bytes, attempt: int, *, honest: bool = True
) -> Counts:
    """The cohort's counts before noise, as the nodes count; a saboteur lets everyone own all."""
    owned: dict[str, bytes] = dict.fromkeys(plan.cohort, b"")
    if plan.owned:
        lists = {}
        for department in plan.cohort:
            leg = admitted(firm, plan, "tokens", department, attempt)
            sent = evaluation_tokens(firm.nodes[department], leg, plan)
            lists[department] = np.frombuffer(sent, dtype=np.uint8).reshape(-1, 16)
        owned = {
            d: np.packbits(f if honest else np.ones_like(f)).tobytes()
            for d, f in owners(lists).items()
        }
    total = np.zeros(evaluation_tables(plan, firm.catalogue).size, dtype=np.int64)
    for department in plan.cohort:
        leg = admitted(firm, plan, "sum", department, attempt)
        payload = join_payload(file, owned[department])
        total += evaluation_sum(firm.nodes[department], leg, plan, payload).values
    return total


def told_of(kind: str) -> dict[str, Any]:
    """What an asker reads of a model that is often right, with a group of too few."""
    catalogue = load_catalogue(CATALOGUE)
    nowhere: Any = None
    firm = Firm(folder=nowhere, enrolment=nowhere, catalogue=catalogue, rows={}, levels={})
    plan = planned(firm, b"", kind)
    counts = []
    for groups, rows, columns in evaluation_tables(plan, catalogue).shapes:
        near = np.arange(columns) / (columns - 1) - np.arange(rows)[:, np.newaxis] / (rows - 1)
        table = np.tile(np.round(900 * np.exp(-((3 * near) ** 2))), (groups, 1, 1))
        table[-1] = 0
        counts.append(table.ravel())
    return evaluation_result(plan, catalogue, np.concatenate(counts).tolist())


def moved(firm: Any, plan: EvaluationPlan, file: bytes, **honesty: bool) -> list[float]:
    """How far, in sensitivities, the counts move when each of some clients leaves everywhere."""
    tables = evaluation_tables(plan, firm.catalogue)
    before = exact(firm, plan, file, 1000, **honesty)
    distances = []
    for number, client in enumerate(("CL00001", "CL00006", "CL00009", "CL00030")):
        for department, rows in firm.rows.items():
            firm.write(department, {c: row for c, row in rows.items() if c != client})
        firm.epoch += 1
        after = exact(firm, plan, file, 2000 + number, **honesty)
        distances.append(float(np.linalg.norm(before - after)) / tables.sensitivity)
    return distances
