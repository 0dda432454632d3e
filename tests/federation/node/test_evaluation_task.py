"""The guarantee of an evaluation: a client moves the counts by at most Δ, a cell of each table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.errors import PlanInvalid, ProtocolError
from federation.evaluation_layout import (
    evaluation_tables,
    join_payload,
    logit_edges,
    score_edges,
    split_payload,
)
from federation.node.evaluation_task import evaluation_sum, evaluation_tokens
from federation.node.holdout import held_out
from federation.node.opening import opened
from federation.node.training_task import training_rows
from federation.plans import canonical, digest, read_plan
from federation.training_layout import architecture_of
from models.architectures import size
from models.errors import ModelFileInvalid
from models.files import save
from tests.federation.node.evaluation_cases import (
    KINDS,
    admitted,
    exact,
    model_of,
    moved,
    planned,
)


@pytest.fixture
def firm(make_firm: Any) -> Any:
    return make_firm(80, levels=lambda _number: 4)


@pytest.fixture
def model(tmp_path: Path, firm: Any) -> tuple[Any, bytes]:
    """A firm, and the file of a model of age and education whose scores spread over the bins."""
    return firm, model_of(firm, "binary", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_removing_a_client_moves_every_kind_of_tables_by_at_most_their_sensitivity(
    firm: Any, tmp_path: Path, kind: str
) -> None:
    file = model_of(firm, kind, tmp_path)
    plan = planned(firm, file, kind)
    assert max(moved(firm, plan, file)) == pytest.approx(1)  # the bound is tight


@pytest.mark.parametrize("kind", KINDS)
def test_every_counted_client_stands_in_one_cell_of_every_table(
    firm: Any, tmp_path: Path, kind: str
) -> None:
    file = model_of(firm, kind, tmp_path)
    plan = planned(firm, file, kind)
    tables = evaluation_tables(plan, firm.catalogue)
    counts = exact(firm, plan, file, 0) // tables.scale
    counted = len(firm.join(*plan.counted))
    for part in np.split(counts, np.cumsum(tables.sizes)[:-1]):
        assert part.sum() == counted > 0
    assert (counts > 0).sum() >= 4 * len(tables.shapes), "the predictions are to spread"


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
    block = evaluation_tables(plan, firm.catalogue)
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
    block = evaluation_tables(plan, firm.catalogue)
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


def test_a_department_scores_with_its_own_last_layer(firm: Any, tmp_path: Path) -> None:
    file = model_of(firm, "personal", tmp_path)
    plan = planned(firm, file, "personal")
    other = planned(firm, file, "personal", personal_attempt=6)
    for node in firm.nodes.values():
        layer = node.learned.personal((digest(plan.training).hex(), 5))
        assert layer is not None
        node.learned.keep_personal((digest(plan.training).hex(), 6), -layer)
    assert (exact(firm, plan, file, 0) != exact(firm, other, file, 0)).any()


@pytest.mark.parametrize("owned", [True, False])
def test_a_department_without_a_last_layer_refuses_before_anything_is_spent(
    firm: Any, tmp_path: Path, *, owned: bool
) -> None:
    file = model_of(firm, "personal", tmp_path)
    plan = planned(firm, file, "personal", personal_attempt=7, owned=owned)
    first, *_ = plan.legs
    leg = admitted(firm, plan, first, "risk", 0)
    with pytest.raises(PlanInvalid, match="kept no last layer of that training; leave it out"):
        evaluation_tokens(firm.nodes["risk"], leg, plan)


def test_who_never_trained_is_left_out_of_a_personal_model_s_evaluation(
    firm: Any, tmp_path: Path
) -> None:
    file = model_of(firm, "personal", tmp_path)
    values = planned(firm, file, "personal").model_dump(mode="json")
    values["training"]["cohort"] = ["advisory", "risk"]
    with pytest.raises(PlanInvalid, match="research did not train and has no last layer"):
        read_plan(values)
    with pytest.raises(PlanInvalid, match="belongs to a model with personal last layers"):
        read_plan(values | {"personal_attempt": None})


def test_a_cap_on_the_errors_of_a_class_is_refused(model: tuple[Any, bytes]) -> None:
    plan = planned(*model, error_cap=1.0)
    with pytest.raises(PlanInvalid, match="only counts and amounts have errors"):
        evaluation_tables(plan, model[0].catalogue)


def test_the_edges_are_public_and_fit_the_bins(model: tuple[Any, bytes]) -> None:
    plan = planned(*model)
    assert len(logit_edges(plan)) == plan.bins - 1
    assert len(score_edges(plan)) == plan.bins + 1
    assert (np.diff(score_edges(plan)) > 0).all()
    assert read_plan(canonical(plan)) == plan
