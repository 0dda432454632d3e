"""A local training learns from own, covered clients, with the plan's noise, and leaves no trace."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.errors import PlanInvalid
from federation.node.local_training import HELD_OUT, _stretches, train_alone
from models.exact_metrics import BinaryMetrics, OtherMetrics
from models.files import load
from privacy.mechanisms import draw_noise

SECONDS = 1_800_000_000
TRAINING: dict[str, Any] = {
    "kind": "training",
    "target": "defaulted",
    "features": ("age", "education"),
    "rounds": 4,
    "local_steps": 10,
    "rho": 40.0,
}


def everybody(_number: int) -> int:
    return 4


def test_it_learns_here_marks_the_file_and_tells_nobody(make_firm: Any, own: Any) -> None:
    firm = make_firm(600, levels=everybody)
    node, before = own(firm), firm.traces("risk")
    found = train_alone(node, firm.plan(**TRAINING), by="age", noise=draw_noise, now=SECONDS)
    assert firm.traces("risk") == before
    assert isinstance(found.held_out, BinaryMetrics)
    assert found.held_out.auc is not None
    assert found.held_out.auc > 0.8  # the label is a function of the age
    assert set(found.groups) <= set(firm.catalogue.field("age").labels())
    assert sum(g.clients for g in found.groups.values()) <= found.held_out.clients
    assert found.file.name.startswith("LOCAL-defaulted-")
    assert found.file.parent == firm.folder / "risk" / "state" / "local"
    assert found.file.stat().st_mode & 0o777 == 0o600
    assert found.file.parent.stat().st_mode & 0o777 == 0o700
    architecture, _ = load(found.file)
    assert architecture.inputs == 5


def test_the_noise_is_the_plans_and_no_step_goes_without(make_firm: Any, own: Any) -> None:
    firm = make_firm(60, levels=everybody)
    drawn: list[tuple[int, int]] = []

    def noise(sigma: int, size: int) -> Any:
        drawn.append((sigma, size))
        return draw_noise(sigma, size)

    plan = firm.plan(**TRAINING | {"rounds": 2, "local_steps": 3})
    train_alone(own(firm), plan, by=None, noise=noise, now=SECONDS)
    assert [size for _, size in drawn] == [1] + 6 * [6]
    assert min(sigma for sigma, _ in drawn) >= 1


def test_those_who_judge_did_not_train_and_are_always_the_same(make_firm: Any, own: Any) -> None:
    firm = make_firm(300, levels=everybody)
    node, plan = own(firm), firm.plan(**TRAINING)
    first = train_alone(node, plan, by=None, noise=draw_noise, now=SECONDS)
    again = train_alone(node, plan, by=None, noise=draw_noise, now=SECONDS)
    labeled = sum(row["defaulted"] is not None for row in firm.rows["risk"].values())
    assert first.trained_on + first.held_out.clients == labeled
    assert first.trained_on == again.trained_on
    assert abs(first.held_out.clients / labeled - HELD_OUT / 256) < 0.1


def test_a_client_who_closed_the_target_takes_no_part(make_firm: Any, own: Any) -> None:
    firm = make_firm(300, levels=lambda number: number % 5)
    found = train_alone(own(firm), firm.plan(**TRAINING), by=None, noise=draw_noise, now=SECONDS)
    rows = firm.rows["risk"].items()
    covered = sum(r["defaulted"] is not None and firm.levels[c] >= 2 for c, r in rows)
    assert found.trained_on + found.held_out.clients == covered


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": "shared", "local_steps": 1, "rounds": 6},
        {"hidden": (4,), "linear_rounds": 2},
        {"noise": "shared", "local_steps": 1, "rounds": 6, "hidden": (4,), "linear_rounds": 2},
        {"rounds": 4, "hidden": (4,), "linear_rounds": 4},
        {"target": "education", "features": ("age",)},
    ],
    ids=["shared", "from linear", "shared from linear", "linear to the end", "classes"],
)
def test_every_way_of_training_works_alone(make_firm: Any, own: Any, changes: Any) -> None:
    firm = make_firm(120, levels=everybody)
    plan = firm.plan(**TRAINING | changes)
    found = train_alone(own(firm), plan, by=None, noise=draw_noise, now=SECONDS)
    _, weights = load(found.file)
    assert np.isfinite(weights).all()
    assert isinstance(found.held_out, OtherMetrics) == (plan.target == "education")
    assert sum(steps for _, steps, _ in _stretches(plan)) == plan.rounds * plan.local_steps


def test_a_group_that_the_plan_does_not_open_and_too_few_clients_are_refused(
    make_firm: Any, own: Any
) -> None:
    firm = make_firm(40, levels=lambda _number: 1)
    node = own(firm)
    with pytest.raises(PlanInvalid, match="by"):
        train_alone(node, firm.plan(**TRAINING), by="income", noise=draw_noise, now=SECONDS)
    with pytest.raises(PlanInvalid, match="too few"):
        train_alone(node, firm.plan(**TRAINING), by=None, noise=draw_noise, now=SECONDS)
    assert not Path(node.settings.own_models).exists()
