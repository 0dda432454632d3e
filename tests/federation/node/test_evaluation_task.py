"""The guarantee of an evaluation: a client moves the counts by at most Δ, in one cell."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation.alignment import owners
from federation.errors import ProtocolError
from federation.evaluation_layout import (
    evaluation_block,
    join_payload,
    logit_edges,
    score_edges,
    split_payload,
)
from federation.evaluation_plan import EvaluationPlan
from federation.node.admission import Admitted, admit
from federation.node.evaluation_task import evaluation_sum, evaluation_tokens
from federation.node.holdout import held_out
from federation.node.opening import opened
from federation.node.training_task import training_rows
from federation.plans import canonical, read_plan
from federation.training_layout import architecture_of
from models.architectures import size
from models.errors import ModelFileInvalid
from models.files import save

NOW = 1_800_000_000
Counts = npt.NDArray[np.int64]


@pytest.fixture
def model(tmp_path: Path, make_firm: Any) -> tuple[Any, bytes]:
    """A firm, and the file of a model of age and education whose scores spread over the bins."""
    firm = make_firm(80, levels=lambda _number: 4)
    training = firm.plan(kind="training", features=("age", "education"))
    architecture = architecture_of(training, firm.catalogue)
    path = tmp_path / "m.safetensors"
    save(path, architecture, 3 * np.sin(np.arange(1.0, 1 + size(architecture))))
    return firm, path.read_bytes()


def planned(firm: Any, file: bytes, *, holdout: float = 0.0, **changes: Any) -> EvaluationPlan:
    training = firm.plan(kind="training", features=("age", "education"), holdout=holdout)
    values = {
        "kind": "evaluation",
        "catalogue": firm.catalogue.digest(),
        "purpose": "review",
        "cohort": training.cohort,
        "training": training.model_dump(mode="json"),
        "run": "0123456789abcdef",
        "sha256": sha256(file).hexdigest(),
        "group": "education",
        "bins": 8,
        "rho": 8.0,
        "reason": "a test",
    }
    plan = read_plan(values | changes)
    assert isinstance(plan, EvaluationPlan)
    return plan


def admitted(firm: Any, plan: Any, leg: str, department: str, attempt: int) -> Admitted:
    permit = firm.permit(plan, leg, attempt=attempt)
    return admit(firm.nodes[department], firm.ask(plan, leg, department, permit=permit), NOW)


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
    total = np.zeros(evaluation_block(plan, firm.catalogue).size, dtype=np.int64)
    for department in plan.cohort:
        leg = admitted(firm, plan, "sum", department, attempt)
        payload = join_payload(file, owned[department])
        total += evaluation_sum(firm.nodes[department], leg, plan, payload).values
    return total


def moved(firm: Any, plan: EvaluationPlan, file: bytes, **honesty: bool) -> list[float]:
    """How far, in sensitivities, the counts move when each of some clients leaves everywhere."""
    block = evaluation_block(plan, firm.catalogue)
    before = exact(firm, plan, file, 1000, **honesty)
    distances = []
    for number, client in enumerate(("CL00001", "CL00006", "CL00009", "CL00030")):
        for department, rows in firm.rows.items():
            firm.write(department, {c: row for c, row in rows.items() if c != client})
        firm.epoch += 1
        after = exact(firm, plan, file, 2000 + number, **honesty)
        distances.append(float(np.linalg.norm(before - after)) / block.sensitivity)
    return distances


@pytest.mark.parametrize(("owned", "holdout"), [(True, 0.0), (False, 0.0), (True, 0.5)])
def test_removing_a_client_everywhere_moves_the_counts_by_at_most_their_sensitivity(
    model: tuple[Any, bytes], *, owned: bool, holdout: float
) -> None:
    firm, file = model
    plan = planned(firm, file, owned=owned, holdout=holdout)
    furthest = max(moved(firm, plan, file))
    assert furthest == 1 or (holdout and furthest < 1)  # tight, unless none of them was held out


def test_whom_a_training_holds_out_is_evaluated_and_nobody_else(model: tuple[Any, bytes]) -> None:
    firm, file = model
    plan = planned(firm, file, holdout=0.4, owned=False)
    everyone = planned(firm, file, owned=False)
    block = evaluation_block(plan, firm.catalogue)
    trained = 0
    for department in plan.cohort:
        leg = admitted(firm, plan.training, "round", department, 0)
        weights = np.zeros(size(architecture_of(plan.training, firm.catalogue)))
        rows = training_rows(firm.nodes[department], leg, plan.training, weights.tobytes())
        trained += len(rows.labels)
    evaluated = exact(firm, plan, file, 0).sum() // block.scale
    with_group = exact(firm, everyone, file, 0).sum() // block.scale
    without_group = sum(
        row["defaulted"] is not None and row["education"] is None
        for rows in firm.rows.values()
        for row in rows.values()
    )
    assert 0 < evaluated < with_group
    assert with_group - evaluated <= trained <= with_group - evaluated + without_group


def test_all_departments_hold_the_same_clients_out(model: tuple[Any, bytes]) -> None:
    firm, file = model
    plan = planned(firm, file, holdout=0.4)
    chosen: dict[str, set[bool]] = {}
    for department in plan.cohort:
        records = opened(firm.nodes[department], admitted(firm, plan, "tokens", department, 0))
        flags = held_out(firm.nodes[department], plan.training, records)
        for client, flag in zip(records.client_ids, flags, strict=True):
            chosen.setdefault(client, set()).add(bool(flag))
    assert all(len(flags) == 1 for flags in chosen.values())
    assert 0.2 < np.mean([True in flags for flags in chosen.values()]) < 0.6


def test_a_saboteur_coordinator_who_makes_everyone_an_owner_breaks_the_bound(
    model: tuple[Any, bytes],
) -> None:
    firm, file = model
    assert max(moved(firm, planned(firm, file), file, honest=False)) > 1


def test_every_counted_client_stands_in_one_cell_of_its_group_and_label(
    model: tuple[Any, bytes],
) -> None:
    firm, file = model
    plan = planned(firm, file)
    block = evaluation_block(plan, firm.catalogue)
    cells = exact(firm, plan, file, 0).reshape(3, 2, 8) // block.scale
    clients = firm.join("education", "defaulted").values()
    for place, label in enumerate(("school", "university", "other")):
        for default in (0, 1):
            rows = [
                r for r in clients if (r["education"], r["defaulted"]) == (label, bool(default))
            ]
            assert cells[place, default].sum() == len(rows) > 0
    assert (cells.sum(axis=(0, 1)) > 0).sum() >= 3, "the scores are to spread over the bins"


def test_another_file_than_the_plan_s_is_refused_by_its_name(model: tuple[Any, bytes]) -> None:
    firm, file = model
    plan = planned(firm, file)
    flipped = file[:-1] + bytes([file[-1] ^ 1])
    leg = admitted(firm, plan, "sum", "risk", 0)
    with pytest.raises(ModelFileInvalid, match=plan.run):
        evaluation_sum(firm.nodes["risk"], leg, plan, join_payload(flipped, b""))


def test_weights_that_are_not_finite_or_of_another_shape_are_refused(
    model: tuple[Any, bytes], tmp_path: Path
) -> None:
    firm, file = model
    weights = np.frombuffer(file[-8:], dtype="<f8")
    nan = file[:-8] + np.full_like(weights, np.nan).tobytes()
    other = tmp_path / "other.safetensors"
    save(other, architecture_of(firm.plan(kind="training"), firm.catalogue), np.ones(3))
    for number, bad in enumerate((nan, other.read_bytes())):
        plan = planned(firm, bad)
        leg = admitted(firm, plan, "sum", "risk", number)
        with pytest.raises(ModelFileInvalid, match=plan.run):
            evaluation_sum(firm.nodes["risk"], leg, plan, join_payload(bad, b""))


def test_a_payload_is_taken_apart_as_it_was_joined() -> None:
    assert split_payload(join_payload(b"model", b"bits")) == (b"model", b"bits")
    with pytest.raises(ProtocolError):
        split_payload(join_payload(b"model", b"")[:-1])


def test_the_edges_are_public_and_fit_the_bins(model: tuple[Any, bytes]) -> None:
    plan = planned(*model)
    assert len(logit_edges(plan)) == plan.bins - 1
    assert len(score_edges(plan)) == plan.bins + 1
    assert (np.diff(score_edges(plan)) > 0).all()
    assert read_plan(canonical(plan)) == plan
