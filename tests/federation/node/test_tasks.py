"""The guarantee of a question: removing one client everywhere moves the sum by at most Δ."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation import layout, training_layout
from federation.alignment import owners
from federation.node.admission import Admitted, admit
from federation.node.question_task import question_sums, question_tokens
from federation.node.training_task import training_rows, training_update
from federation.question_plan import QuestionPlan
from federation.updates import decode_update
from models.architectures import size as parameters_of

NOW = 1_800_000_000
COUNT = ({"kind": "count"},)
STATISTICS = (*COUNT, {"kind": "mean", "field": "income"})
Vector = npt.NDArray[np.int64]


def admitted(firm: Any, plan: Any, leg: str, department: str, attempt: int) -> Admitted:
    permit = firm.permit(plan, leg, attempt=attempt)
    return admit(firm.nodes[department], firm.ask(plan, leg, department, permit=permit), NOW)


def exact_total(firm: Any, plan: QuestionPlan, attempt: int, *, honest: bool = True) -> Vector:
    """The cohort's sum before noise, by the nodes' own path; a saboteur lets everyone own all."""
    owned: dict[str, bytes] = dict.fromkeys(plan.cohort, b"")
    if plan.owned:
        lists = {}
        for department in plan.cohort:
            leg = admitted(firm, plan, "tokens", department, attempt)
            sent = question_tokens(firm.nodes[department], leg, plan)
            lists[department] = np.frombuffer(sent, dtype=np.uint8).reshape(-1, 16)
        flags = owners(lists)
        owned = {
            d: np.packbits(f if honest else np.ones_like(f)).tobytes() for d, f in flags.items()
        }
    total = 0
    for department in plan.cohort:
        leg = admitted(firm, plan, "sum", department, attempt)
        sums = question_sums(firm.nodes[department], leg, plan, owned[department])
        total = total + np.concatenate([bounded.values for bounded in sums])
    return np.asarray(total)


def moved(firm: Any, plan: QuestionPlan, client: str, **honesty: bool) -> list[float]:
    """How far, in sensitivities, each block moves when a client leaves every department."""
    blocks = layout.question_blocks(plan, firm.catalogue)
    attempt = sum(len(node.journal.departures()) for node in firm.nodes.values())
    before = exact_total(firm, plan, 1000 + attempt, **honesty)
    for department, rows in firm.rows.items():
        firm.write(department, {c: row for c, row in rows.items() if c != client})
    firm.epoch += 1
    after = exact_total(firm, plan, 2000 + firm.epoch, **honesty)
    for department, rows in firm.rows.items():
        firm.write(department, rows)
    return [
        float(np.linalg.norm(before[b.places] - after[b.places])) / b.sensitivity for b in blocks
    ]


CLIENTS = [f"CL{number:05d}" for number in (4, 9, 14, 27, 39)]


@pytest.mark.parametrize(
    ("owned", "statistics", "reached"),
    [(True, STATISTICS, 1), (False, STATISTICS, 2 / 3), (False, COUNT, 1)],
    ids=["owned", "income stands in two of three departments", "all three departments"],
)
def test_removing_a_client_everywhere_moves_each_sum_by_at_most_its_sensitivity(
    make_firm: Any, *, owned: bool, statistics: Any, reached: float
) -> None:
    firm = make_firm(80, levels=lambda _number: 4)
    farthest = 0.0
    for number, client in enumerate(CLIENTS):
        plan = firm.plan(owned=owned, statistics=statistics, rho=0.1 + number / 1000)
        distances = moved(firm, plan, client)
        assert max(distances) <= 1
        farthest = max(farthest, *distances)
    assert farthest == reached  # the bound is tight, so the check could fail


def test_a_saboteur_coordinator_who_makes_everyone_an_owner_breaks_the_bound(
    make_firm: Any,
) -> None:
    firm = make_firm(80, levels=lambda _number: 4)
    plan = firm.plan(statistics=STATISTICS)
    assert max(moved(firm, plan, "CL00009", honest=False)) > 1


def test_the_declared_sums_are_the_layouts(firm: Any) -> None:
    for owned in (True, False):
        plan = firm.plan(owned=owned, statistics=STATISTICS, by=("age", "education"))
        if owned:
            leg = admitted(firm, plan, "tokens", "risk", 0)
            size = len(question_tokens(firm.nodes["risk"], leg, plan)) // 16
        bits = np.packbits(np.ones(size if owned else 0, dtype=np.bool_)).tobytes()
        leg = admitted(firm, plan, "sum", "risk", 0)
        sums = question_sums(firm.nodes["risk"], leg, plan, bits)
        blocks = layout.question_blocks(plan, firm.catalogue)
        assert [(s.sensitivity, s.scale, s.values.size) for s in sums] == [
            (b.sensitivity, b.scale, b.size) for b in blocks
        ]


def test_a_client_who_withdraws_between_tokens_and_sum_is_not_summed(make_firm: Any) -> None:
    firm = make_firm(levels=lambda _number: 4)
    plan = firm.plan(by=())
    leg = admitted(firm, plan, "tokens", "risk", 0)
    size = len(question_tokens(firm.nodes["risk"], leg, plan)) // 16
    everything = np.packbits(np.ones(size, dtype=np.bool_)).tobytes()
    firm.epoch, firm.levels["CL00009"] = 2, 0
    (count,) = question_sums(
        firm.nodes["risk"], admitted(firm, plan, "sum", "risk", 0), plan, everything
    )
    assert count.values[0] == (size - 1) * count.scale


def test_training_takes_the_clients_whose_target_is_open_and_there(make_firm: Any) -> None:
    firm = make_firm()
    plan = firm.plan(kind="training", features=("age", "education", "income"))
    leg = admitted(firm, plan, "round", "risk", 0)
    rows = training_rows(firm.nodes["risk"], leg, plan, np.zeros(8).tobytes())
    assert rows.features.shape[1] == 2 + 3 + 2
    risk = {c: r for c, r in firm.rows["risk"].items() if firm.levels[c] >= 2}
    labels = [r["defaulted"] for r in risk.values() if r["defaulted"] is not None]
    assert sorted(rows.labels) == sorted(np.float32(label) for label in labels)
    income_there = rows.features.rows()[:, 5] == 1
    assert 0 < income_there.sum() < sum(firm.levels[c] == 4 for c in risk)
    assert "labels" not in repr(rows)


def noise_ratio(firm: Any, *, rho: float, claimed: float) -> float:
    """Variance of one noised step over nobody's rows, in units of what ``claimed`` promises."""
    firm.levels = dict.fromkeys(firm.levels, 0)
    shape: dict[str, Any] = {"kind": "training", "rounds": 1, "local_steps": 1, "hidden": (64, 64)}
    plan, promised = firm.plan(rho=rho, **shape), firm.plan(rho=claimed, **shape)
    leg = admitted(firm, plan, "round", "risk", 0)
    architecture = training_layout.architecture_of(plan, firm.catalogue)
    size = parameters_of(architecture)
    rows = training_rows(firm.nodes["risk"], leg, plan, np.zeros(size).tobytes())
    share = training_update(firm.nodes["risk"], leg, plan, rows)
    weights = decode_update(architecture, share.values)
    divisor = max(firm.nodes["risk"].learned.count(leg.attempt) or 0.0, 1.0)
    return float(weights.var() * divisor**2 * 2 * promised.rho_of_step.value)


@pytest.mark.statistical
def test_a_step_carries_the_noise_its_plan_pays_for(firm: Any) -> None:
    """χ² with d = 4417: at 1e-9 the ratio stays within [0.873, 1.136]."""
    assert 0.86 < noise_ratio(firm, rho=40.0, claimed=40.0) < 1.15


@pytest.mark.statistical
def test_a_saboteur_who_halves_the_noise_is_noticed(firm: Any) -> None:
    assert not 0.86 < noise_ratio(firm, rho=40.0, claimed=20.0) < 1.15
