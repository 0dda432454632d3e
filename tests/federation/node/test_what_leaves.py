"""The dry run tells the truth: what it lists is what leaves, to the byte; nothing is touched."""

from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.cube_journey import build_cube
from federation.cube_plan import CubePlan, Source
from federation.evaluation_journey import evaluate_model
from federation.evaluation_plan import EvaluationPlan
from federation.node.own import open_own
from federation.node.settings import load_settings
from federation.node.what_leaves import WhatLeaves, what_leaves
from federation.plans import AnyPlan
from federation.question_journey import ask_question
from federation.rounds import drive
from federation.training_journey import train_model
from federation.training_layout import architecture_of
from models.architectures import size
from models.files import save

NOW = datetime.fromtimestamp(1_800_000_000, UTC)
MEAN = ({"kind": "mean", "field": "income"},)
TRAINING = {"kind": "training", "target": "defaulted", "features": ("age", "education")}
SOURCES = (("age", "advisory"), ("defaulted", "research"), ("education", "risk"))
PLANS: dict[str, dict[str, Any]] = {
    "owned question": {"statistics": MEAN, "by": ("age", "education")},
    "question": {"statistics": MEAN, "owned": False, "rho": 1.0},
    "local noise": TRAINING | {"rounds": 2, "local_steps": 2},
    "network from linear": TRAINING
    | {"rounds": 4, "local_steps": 1, "hidden": (8,), "linear_rounds": 2},
    "shared noise": TRAINING | {"rounds": 2, "local_steps": 1, "noise": "shared", "owned": True},
    "personal": TRAINING | {"rounds": 1, "local_steps": 1, "hidden": (4,), "personal": True},
}


def plan_of(firm: Any, name: str) -> Any:
    return firm.plan(**PLANS[name])


def dry_run(firm: Any, plan: AnyPlan, department: str = "risk") -> WhatLeaves:
    own = open_own(load_settings(firm.folder / department / "node.toml"))
    return what_leaves(own, plan, now=NOW)


def carried_out(firm: Any, plan: AnyPlan) -> None:
    brief = firm.brief(plan)
    match plan.kind:
        case "question":
            drive(ask_question(brief), firm.exchange)
        case "training":
            drive(train_model(brief), firm.exchange)
        case _:
            drive(build_cube(brief, shuffle=bytes(32)), firm.exchange)


def told(found: WhatLeaves) -> Counter[tuple[str, int]]:
    sizes: Counter[tuple[str, int]] = Counter()
    for tensor in found.tensors:
        for number in range(tensor.first, tensor.last + 1):
            sizes[tensor.leg, number] += tensor.bytes or 0
    return sizes


def left(firm: Any, department: str) -> Counter[tuple[str, int]]:
    """What the journal says has left; nothing at all leaves with a check."""
    return Counter(
        {(d.leg, d.round): d.size for d in firm.nodes[department].journal.departures() if d.size}
    )


@pytest.mark.parametrize("name", PLANS)
def test_what_is_told_before_is_what_leaves_to_the_byte(firm: Any, name: str) -> None:
    plan = plan_of(firm, name)
    before = dry_run(firm, plan)
    carried_out(firm, plan)
    departed = left(firm, "risk")
    tokens = departed.pop(("tokens", 0), 0)
    expected = told(before)
    assert (("tokens", 0) in expected) == bool(tokens)
    expected.pop(("tokens", 0), None)
    assert expected == departed


def test_an_evaluation_leaves_as_it_was_told(firm: Any, tmp_path: Path) -> None:
    training = firm.plan(**PLANS["local noise"])
    model = tmp_path / "model.safetensors"
    shape = architecture_of(training, firm.catalogue)
    save(model, shape, np.zeros(size(shape)))
    plan = EvaluationPlan(
        catalogue=firm.catalogue.digest(),
        purpose="review",
        cohort=training.cohort,
        rho=0.5,
        reason="a test",
        training=training,
        run="0" * 16,
        sha256=sha256(model.read_bytes()).hexdigest(),
        group="age",
    )
    before = dry_run(firm, plan)
    drive(evaluate_model(firm.brief(plan), model=model.read_bytes()), firm.exchange)
    departed, expected = left(firm, "risk"), told(before)
    assert departed.pop(("tokens", 0))
    expected.pop(("tokens", 0))
    assert expected == departed


def test_a_cube_leaves_as_it_was_told(firm: Any) -> None:
    plan = CubePlan(
        catalogue=firm.catalogue.digest(),
        purpose="review",
        cohort=("advisory", "research", "risk"),
        sources=tuple(Source(field=f, department=d) for f, d in SOURCES),
        clients=1024,
        rho=0.5,
        reason="a test",
    )
    before = dry_run(firm, plan)
    carried_out(firm, plan)
    departed, expected = left(firm, "risk"), told(before)
    assert departed.pop(("tokens", 0))
    expected.pop(("tokens", 0))
    assert expected == departed


def test_a_list_that_leaves_a_tensor_out_would_be_seen(firm: Any) -> None:
    plan = plan_of(firm, "owned question")
    honest = told(dry_run(firm, plan))
    carried_out(firm, plan)
    honest["sum", 0] -= 8  # a saboteur hides one number
    assert honest["sum", 0] != left(firm, "risk")["sum", 0]


def test_the_noise_told_is_the_noise_released(firm: Any) -> None:
    plan = plan_of(firm, "owned question")
    sums = [t for t in dry_run(firm, plan).tensors if t.leg == "sum"]
    count, income = drive(ask_question(firm.brief(plan)), firm.exchange)
    assert sums[0].noise_of_sum == pytest.approx(count.standard_error)
    assert sums[1].noise_of_sum == pytest.approx(income.standard_error * 5000)
    assert sums[1].clip == "-1000 to 9000 a client"


def test_what_it_charges_is_what_the_own_ledger_pays(firm: Any) -> None:
    plan = plan_of(firm, "question")
    found = dry_run(firm, plan)
    assert [charge.pool for charge in found.charges] == ["department", "department/review"]
    carried_out(firm, plan)
    node = firm.nodes["risk"]
    for charge in found.charges:
        assert node.ledger.state(charge.pool, NOW).remaining.value == pytest.approx(charge.after)


def files(folder: Path) -> dict[str, bytes]:
    transient = ("-wal", "-shm")
    return {
        str(p): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.name.endswith(transient)
    }


def test_it_writes_nothing_and_opens_no_row(firm: Any) -> None:
    state = firm.folder / "risk" / "state"
    plan = plan_of(firm, "owned question")
    before, traces = files(state), firm.traces("risk")
    (firm.folder / "risk" / "data" / "clients.parquet").unlink()  # a row could not be read
    found = dry_run(firm, plan)
    assert found.agreed
    assert files(state) == before
    assert firm.traces("risk") == traces


def test_every_refusal_is_told_with_its_rule(make_firm: Any, policy: str) -> None:
    strict = policy.replace("max_rho = 50.0", 'max_rho = 0.5\nnever = ["income"]\n')
    firm = make_firm(20, policy=strict)
    plan = firm.plan(statistics=MEAN, purpose="marketing", rho=8.0)
    rules = [refusal.rule for refusal in dry_run(firm, plan).refusals]
    assert "max_rho" in rules
    assert "PurposeNotOpen" in rules
    firm.nodes["risk"].stop_switch.stop(now=NOW)
    stopped = dry_run(firm, firm.plan(rho=0.1))
    assert [refusal.rule for refusal in stopped.refusals] == ["NodeStopped"]
    assert stopped.tensors
    assert not stopped.agreed


def test_a_department_outside_the_cohort_sends_nothing(firm: Any) -> None:
    plan = firm.plan(cohort=("advisory", "research"))
    found = dry_run(firm, plan)
    assert not found.tensors
    assert [refusal.rule for refusal in found.refusals] == ["PlanInvalid"]
