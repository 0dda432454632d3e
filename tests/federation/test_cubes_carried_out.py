"""Cubes by the real coordinator and three real nodes in one process."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from federation.coordinator.cube_answers import counted, relations
from federation.coordinator.cube_file import open_cube
from federation.coordinator.desk import plan_of, price
from federation.coordinator.runs import RunState
from federation.cube_layout import standard_error
from federation.cube_plan import CubePlan
from federation.errors import PlanInvalid
from federation.messages import Ask
from tests.federation.cube_cases import SOURCES, cube_plan, plain_join, silence
from tests.federation.test_dispatch import NOW, Coordinator, coordinator

__all__ = ["coordinator"]  # a fixture

CUBE: dict[str, Any] = {
    "kind": "cube",
    "purpose": "review",
    "fields": sorted(SOURCES),
    "taken_from": SOURCES,
    "unit": "household",
    "clients": 1024,
    "rho": 0.5,
    "reason": "a test of the desk",
}


def test_a_cube_is_released_once_and_asked_for_nothing(coordinator: Coordinator) -> None:
    desk = coordinator.dispatcher.desk
    run = coordinator.ask(CUBE)
    assert run.state is RunState.RELEASED, run.refusal
    assert coordinator.wire.legs == ["hello", "tokens", "matrices", "shares"]
    cube = open_cube(run, desk, now=NOW)
    assert counted(cube, ["age"])["rows"][0]["count"]["half_width"] > 0
    assert len(relations(cube)["pairs"]) == 6
    assert run.label is not None
    assert "third one dealt" in run.label["model"]
    assert "can read its rows" in run.label["unprotected"]
    assert run.label["interval"]["each cell"] == run.result["half_width"]  # type: ignore[index]
    assert coordinator.used() == 0.5
    again = coordinator.submit(CUBE)
    assert again.id == run.id
    assert coordinator.used() == 0.5


def test_two_departments_are_joined_while_the_third_deals_and_opens_nothing(
    coordinator: Coordinator,
) -> None:
    pair = {name: holder for name, holder in SOURCES.items() if holder != "research"}
    asked = CUBE | {"fields": sorted(pair), "taken_from": pair}
    asked |= {"cohort": ["advisory", "risk"], "dealer": "research"}
    run = coordinator.ask(asked)
    assert run.state is RunState.RELEASED, run.refusal
    assert run.label is not None
    assert run.label["cohort"] == ["advisory", "risk"]
    cube = open_cube(run, coordinator.dispatcher.desk, now=NOW)
    assert all(counted(cube, [name])["departments"] == [pair[name]] for name in pair)
    unnamed = coordinator.submit({k: v for k, v in asked.items() if k != "dealer"})
    assert unnamed.id == run.id  # there is one third department, so it need not be named
    with pytest.raises(PlanInvalid, match="third"):
        coordinator.submit(asked | {"dealer": "risk"})


def test_a_withdrawal_after_the_tokens_is_honored_by_the_matrices(
    coordinator: Coordinator,
) -> None:
    firm, desk = coordinator.wire.firm, coordinator.dispatcher.desk
    silence(firm)
    gone = [client for client, level in firm.levels.items() if level == 4][:6]

    def before(department: str, ask: Ask) -> None:
        if ask.leg == "tokens" and department == "risk":
            for client in gone:
                desk.register.set_level(client, 0, datetime.now(UTC))
                firm.levels[client] = 0

    coordinator.wire.before = before
    run = coordinator.ask(CUBE)
    assert run.state is RunState.RELEASED, run.refusal
    cells = open_cube(run, desk, now=NOW).cells
    np.testing.assert_array_equal(cells, plain_join(firm, cube_plan(firm)))


def test_a_department_that_stays_silent_costs_nothing_before_the_shares(
    coordinator: Coordinator,
) -> None:
    def before(_department: str, ask: Ask) -> None:
        if ask.leg == "matrices":
            coordinator.wire.silent.add("risk")

    coordinator.wire.before = before
    run = coordinator.ask(CUBE)
    assert run.state is RunState.REFUSED
    assert coordinator.used() == 0.0


@pytest.mark.parametrize(("named", "counted"), [({}, 8), ({"clients_per_household": 2}, 2)])
def test_the_price_tells_how_many_of_a_household_widen_a_cube_s_noise(
    coordinator: Coordinator, named: dict[str, int], counted: int
) -> None:
    desk = coordinator.dispatcher.desk
    plan = plan_of({key: value for key, value in CUBE.items() if key != "unit"} | named, desk)
    assert isinstance(plan, CubePlan)
    told = price(plan, desk)["clients_per_household"]
    assert told == counted
    alone = plan.model_copy(update={"clients_per_household": 1})
    assert standard_error(plan) == pytest.approx(told * standard_error(alone), rel=0.02)
