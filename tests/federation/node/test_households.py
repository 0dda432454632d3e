"""A household plan: a whole household, taken out everywhere, moves a sum by at most Δ."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from consent.epochs import household_pseudonym
from federation import layout
from federation.alignment import owners
from federation.errors import PlanInvalid
from federation.node.admission import Admitted, admit
from federation.node.answer import answer
from federation.node.question_task import question_sums, question_tokens
from federation.node.training_task import training_rows, training_update
from federation.question_plan import QuestionPlan
from privacy.units import PrivacyUnit

NOW = 1_800_000_000
SIZE = 3
"""Clients per household: CL00000 to CL00002 are one, CL00003 to CL00005 the next."""
STATISTICS = ({"kind": "count"}, {"kind": "mean", "field": "income"})
Vector = npt.NDArray[np.int64]


def household_of(client: str) -> int:
    return int(client[2:]) // SIZE


def consent(firm: Any, department: str, *, honest: bool = True) -> bytes:
    """Send a register that knows households; a saboteur's gives everyone the first place."""
    key = (firm.enrolment.folder / f"consent/pseudonyms/{department}.key").read_bytes()
    households = [household_pseudonym(key, f"H{household_of(client)}") for client in firm.levels]
    places = [int(client[2:]) % SIZE if honest else 0 for client in firm.levels]
    delta: bytes = firm.delta(department, households=b"".join(households), places=bytes(places))
    return delta


def admitted(firm: Any, plan: Any, leg: str, department: str, attempt: int) -> Admitted:
    permit = firm.permit(plan, leg, attempt=attempt)
    ask = firm.ask(plan, leg, department, permit=permit, consent=consent(firm, department))
    return admit(firm.nodes[department], ask, NOW)


def exact_total(firm: Any, plan: QuestionPlan, attempt: int) -> Vector:
    """The cohort's sum before noise, by the nodes' own path."""
    owned = dict.fromkeys(plan.cohort, b"")
    if plan.owned:
        lists = {}
        for department in plan.cohort:
            leg = admitted(firm, plan, "tokens", department, attempt)
            sent = question_tokens(firm.nodes[department], leg, plan)
            lists[department] = np.frombuffer(sent, dtype=np.uint8).reshape(-1, 16)
        owned = {d: np.packbits(flags).tobytes() for d, flags in owners(lists).items()}
    total = 0
    for department in plan.cohort:
        leg = admitted(firm, plan, "sum", department, attempt)
        sums = question_sums(firm.nodes[department], leg, plan, owned[department])
        total = total + np.concatenate([bounded.values for bounded in sums])
    return np.asarray(total)


def moved(firm: Any, plan: QuestionPlan, *, counted: QuestionPlan | None = None) -> float:
    """How far, in the plan's sensitivities, a sum moves when one household leaves everywhere.

    counted: what the nodes carry out, if a saboteur lets them carry out something else.
    """
    blocks = layout.question_blocks(plan, firm.catalogue)
    carried_out = counted or plan
    farthest = 0.0
    for number, household in enumerate((1, 4, 9)):
        firm.epoch += 1
        before = exact_total(firm, carried_out, 1000 + number)
        for department, rows in firm.rows.items():
            left = {c: row for c, row in rows.items() if household_of(c) != household}
            firm.write(department, left)
        after = exact_total(firm, carried_out, 2000 + number)
        for department, rows in firm.rows.items():
            firm.write(department, rows)
        scales = layout.question_blocks(carried_out, firm.catalogue)
        for block, scaled in zip(blocks, scales, strict=True):
            apart = (before - after)[block.places] * (block.scale / scaled.scale)
            farthest = max(farthest, float(np.linalg.norm(apart)) / block.sensitivity)
    return farthest


def plan_of(firm: Any, most: int, *, owned: bool) -> QuestionPlan:
    plan = firm.plan(
        unit="household",
        clients_per_household=most,
        owned=owned,
        statistics=STATISTICS,
        by=(),
        rho=0.1 + most / 1000,
    )
    assert isinstance(plan, QuestionPlan)
    return plan


@pytest.mark.parametrize("owned", [True, False])
def test_removing_a_household_everywhere_moves_each_sum_by_at_most_its_sensitivity(
    make_firm: Any, *, owned: bool
) -> None:
    firm = make_firm(60, levels=lambda _number: 4)
    for most in range(1, SIZE + 1):
        assert 0 < moved(firm, plan_of(firm, most, owned=owned)) <= 1


def test_the_check_rejects_nodes_that_count_everyone_of_a_household(make_firm: Any) -> None:
    firm = make_firm(60, levels=lambda _number: 4)
    declared = plan_of(firm, 1, owned=True)
    everyone = plan_of(firm, SIZE, owned=True)
    assert moved(firm, declared, counted=everyone) > 1


def test_a_register_that_gives_a_place_twice_stops_the_leg(make_firm: Any) -> None:
    firm = make_firm(60, levels=lambda _number: 4)
    plan = plan_of(firm, 1, owned=False)
    wrong = consent(firm, "risk", honest=False)
    leg = admit(firm.nodes["risk"], firm.ask(plan, "sum", "risk", consent=wrong), NOW)
    with pytest.raises(Exception, match="one place"):
        question_sums(firm.nodes["risk"], leg, plan, b"")


def test_a_register_without_households_lets_nobody_count(make_firm: Any) -> None:
    firm = make_firm(60, levels=lambda _number: 4)
    plan = plan_of(firm, 1, owned=False)
    nobody = firm.delta("risk", households=b"")
    leg = admit(firm.nodes["risk"], firm.ask(plan, "sum", "risk", consent=nobody), NOW)
    sums = question_sums(firm.nodes["risk"], leg, plan, b"")
    assert all(not bounded.values.any() for bounded in sums)


def test_the_sensitivity_grows_with_the_clients_of_a_household_that_count(firm: Any) -> None:
    one, three = (
        layout.question_blocks(plan_of(firm, most, owned=True), firm.catalogue) for most in (1, 3)
    )
    for single, triple in zip(one, three, strict=True):
        assert triple.sensitivity / triple.scale == 3 * single.sensitivity / single.scale


def test_training_takes_the_first_clients_of_each_household(make_firm: Any) -> None:
    firm = make_firm(60, levels=lambda _number: 4)
    sizes = []
    for most in (1, 2, 3):
        plan = firm.plan(
            kind="training", unit="household", clients_per_household=most, features=("age",)
        )
        leg = admitted(firm, plan, "round", "risk", 0)
        rows = training_rows(firm.nodes["risk"], leg, plan, np.zeros(3).tobytes())
        sizes.append(len(rows.labels))
        counted = [
            client
            for client, row in firm.rows["risk"].items()
            if int(client[2:]) % SIZE < most and row["defaulted"] is not None
        ]
        assert sizes[-1] == len(counted)
    assert sizes == sorted(set(sizes))


def noise_asked_for(firm: Any, most: int) -> list[int]:
    """Train one round; return σ of the noisy count and of the first step, in lattice points."""
    asked: list[int] = []

    def noise(sigma: int, size: int) -> Vector:
        asked.append(sigma)
        return np.zeros(size, dtype=np.int64)

    plan = firm.plan(
        kind="training", unit="household", clients_per_household=most, features=("age",)
    )
    node = replace(firm.nodes["risk"], noise=noise)
    leg = admitted(firm, plan, "round", "risk", 0)
    rows = training_rows(node, leg, plan, np.zeros(3).tobytes())
    training_update(node, leg, plan, rows)
    return asked[:2]


def test_the_noise_of_a_training_grows_with_the_clients_of_a_household_that_count(
    make_firm: Any,
) -> None:
    firm = make_firm(60, levels=lambda _number: 4)
    one, three = noise_asked_for(firm, 1), noise_asked_for(firm, 3)
    assert three == pytest.approx([3 * sigma for sigma in one], rel=0.04)  # widths come in steps


def test_a_plan_for_clients_says_nothing_of_households(firm: Any) -> None:
    with pytest.raises(PlanInvalid, match="whose unit is the household"):
        firm.plan(clients_per_household=2)


UNPROTECTED = {"unit": "client", "owned": False, "statistics": STATISTICS, "by": ()}


def test_a_node_refuses_by_itself_a_plan_that_leaves_households_open(firm: Any) -> None:
    for plan, leg in (
        (firm.plan(**UNPROTECTED), "check"),
        (firm.plan(**UNPROTECTED), "sum"),
        (firm.plan(kind="training", unit="client", features=("income",)), "check"),
    ):
        before = firm.traces("risk")
        refused = answer(firm.nodes["risk"], firm.ask(plan, leg, "risk"), NOW)
        assert refused.code == "household_unprotected"
        assert 'set unit = "household"' in refused.text
        assert firm.traces("risk") == before


def test_the_refusal_comes_from_the_check_and_from_nowhere_else(firm: Any) -> None:
    """The saboteur: a node that checks another plan at its door carries the open one out."""
    node, opened = firm.nodes["risk"], firm.plan(**UNPROTECTED)
    checked = firm.plan(**UNPROTECTED | {"unit": "household"})
    let_in = replace(admitted(firm, checked, "sum", "risk", 0), plan=opened)
    sums = question_sums(node, let_in, opened, b"")
    assert {bounded.unit for bounded in sums} == {PrivacyUnit.CLIENT}
    assert all(bounded.values.any() for bounded in sums)


def test_a_plan_of_low_levels_protects_whom_it_says(firm: Any) -> None:
    for number, unit in enumerate(("client", "household")):
        plan = firm.plan(owned=False, unit=unit, rho=1.0 + number)
        assert answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW).code == "ok"
