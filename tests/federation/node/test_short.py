"""Who is short of a field: one noised, charged figure, from the consent snapshot alone."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from consent.epochs import household_pseudonym
from federation import layout
from federation.coordinator.lineage import uses_of
from federation.coordinator.runs import RunState
from federation.errors import PlanInvalid
from federation.node.admission import Admitted, admit
from federation.node.question_task import question_sums
from federation.question_plan import QuestionPlan
from privacy.units import ContributionBound
from tests.federation.test_dispatch import NOW, Coordinator, coordinator

__all__ = ["coordinator"]

SHORT = {
    "statistics": ({"kind": "short", "field": "education"},),
    "by": (),
    "owned": False,
    "rho": 0.5,
}
ASKED = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "short", "field": "education"}],
    "owned": False,
    "rho": 0.5,
    "reason": "whom a review would miss",
}


def plan_of(firm: Any, **changes: Any) -> QuestionPlan:
    plan = firm.plan(**SHORT | changes)
    assert isinstance(plan, QuestionPlan)
    return plan


def total(firm: Any, plan: QuestionPlan, *, honest: bool = True, **delta: Any) -> int:
    """The exact sum over the cohort, by the nodes' own path, in clients."""
    (block,) = layout.question_blocks(plan, firm.catalogue)
    firm.epoch += 1
    found = 0
    for department in plan.cohort:
        node = firm.nodes[department]
        permit = firm.permit(plan, "sum", attempt=firm.epoch)
        consent = firm.delta(department, **told(firm, department, delta))
        ask = firm.ask(plan, "sum", department, permit=permit, consent=consent)
        admitted: Admitted = admit(node, ask, NOW)
        node = node if honest else replace(node, department=plan.cohort[0])
        (bounded,) = question_sums(node, admitted, plan, b"")
        found += int(bounded.values.sum())
    return found // block.scale


def told(firm: Any, department: str, given: dict[str, Any]) -> dict[str, Any]:
    """Give households to a delta by a function of the client, places by another."""
    if "household" not in given:
        return {k: v for k, v in given.items() if k != "place"}
    key = (firm.enrolment.folder / f"consent/pseudonyms/{department}.key").read_bytes()
    names = (household_pseudonym(key, given["household"](client)) for client in firm.levels)
    return {
        "households": b"".join(names),
        "places": bytes(given["place"](client) for client in firm.levels),
    }


def below(levels: Iterable[int], level: int) -> int:
    return sum(one < level for one in levels)


def test_it_counts_every_client_of_the_register_who_is_short_once(firm: Any) -> None:
    assert total(firm, plan_of(firm)) == below(firm.levels.values(), 2)
    assert below(firm.levels.values(), 2) > 0


def test_an_ended_level_and_an_objection_are_short(firm: Any) -> None:
    size, plan = len(firm.levels), plan_of(firm)
    ended = b"".join((NOW if n < 5 else 0).to_bytes(4) for n in range(size))
    short = sum(n < 5 or level < 2 for n, level in enumerate(firm.levels.values()))
    assert total(firm, plan, expiries=ended) == short
    objects = bytes(n == size - 1 for n in range(size))
    assert list(firm.levels.values())[-1] >= 2
    expected = below(firm.levels.values(), 2) + 1
    assert total(firm, plan, objections=objects, purposes=("review",)) == expected


def test_one_client_moves_it_by_at_most_its_sensitivity(firm: Any) -> None:
    plan = plan_of(firm)
    assert plan.bound == ContributionBound(departments=1, clients=1)
    before = total(firm, plan)
    moved = set()
    for client in list(firm.levels)[:6]:
        level = firm.levels.pop(client)
        moved.add(before - total(firm, plan))
        firm.levels[client] = level
    assert moved == {0, 1}


def test_the_check_rejects_nodes_that_all_count(firm: Any) -> None:
    """The saboteur: each department takes itself for the first one and counts too."""
    plan = plan_of(firm)
    before = total(firm, plan, honest=False)
    short = next(c for c, level in firm.levels.items() if level < 2)
    del firm.levels[short]
    assert before - total(firm, plan, honest=False) > plan.bound.contributions


def test_a_household_counts_with_as_many_clients_as_the_plan_says(firm: Any) -> None:
    family = {"statistics": ({"kind": "short", "field": "income"},)}
    members = {"household": lambda c: f"H{int(c[2:]) // 3}", "place": lambda c: int(c[2:]) % 3}
    for most in (1, 2, 3):
        plan = plan_of(firm, **family, unit="household", clients_per_household=most)
        assert plan.bound.contributions == most
        counted = [v for c, v in firm.levels.items() if int(c[2:]) % 3 < most]
        assert total(firm, plan, **members) == below(counted, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"owned": True},
        {"by": ("age",)},
        {"statistics": (*SHORT["statistics"], {"kind": "count"})},
        {"where": ({"field": "education", "one_of": ("school",)},)},
    ],
)
def test_it_is_asked_alone(firm: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(PlanInvalid, match="asked alone"):
        plan_of(firm, **changes)


# Through the ordinary path


def test_it_is_released_charged_and_labelled_like_any_question(coordinator: Coordinator) -> None:
    run = coordinator.ask(ASKED)
    assert run.state is RunState.RELEASED, run.refusal
    assert run.result is not None
    assert run.label is not None
    (row,) = run.result["rows"]
    figure = row["short"]["education"]
    exact = below(coordinator.wire.firm.levels.values(), 2)
    assert abs(figure["value"] - exact) < 10 * figure["half_width"]
    assert figure["value"] != exact or figure["half_width"] > 0
    assert coordinator.used() == pytest.approx(0.5)
    for node in coordinator.wire.firm.nodes.values():
        assert node.ledger.state("department/review").spent.value == pytest.approx(0.5)
    assert run.label["rho"] == 0.5
    assert run.label["contribution_bound"]["departments"] == 1
    assert "no row was opened" in run.label["data_collection"]
    assert coordinator.wire.legs == ["hello", "check", "sum"]


def test_no_row_is_opened(coordinator: Coordinator) -> None:
    for department in coordinator.wire.firm.nodes:
        (coordinator.wire.firm.folder / department / "data" / "clients.parquet").unlink()
    assert coordinator.ask(ASKED).state is RunState.RELEASED


def test_a_client_was_not_counted_in_it(coordinator: Coordinator) -> None:
    coordinator.ask(ASKED)
    for client in list(coordinator.wire.firm.levels)[:5]:
        assert uses_of(client, coordinator.dispatcher.desk) == []
