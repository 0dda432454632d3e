"""A training goes on after an interruption, pays nothing twice, and may be stopped."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from federation.coordinator.desk import budgets
from federation.coordinator.dispatch import Dispatcher, open_dispatcher
from federation.coordinator.runs import Run, RunState
from federation.coordinator.stopping import stop
from federation.coordinator.trainings import Trainings
from federation.errors import RunNotStoppable
from federation.messages import Ask
from federation.node.answer import answer
from federation.plans import read_plan
from federation.training_progress import begun, from_bytes, moved_to, sent_out, to_bytes
from models.files import load
from tests.federation.coordinated import NOW, Coordinator, opened

TRAINING: dict[str, Any] = {
    "kind": "training",
    "purpose": "review",
    "target": "defaulted",
    "features": ["age", "education"],
    "rounds": 6,
    "local_steps": 2,
    "epsilon": 4.0,
    "reason": "a test of what lasts",
}
SHARED = TRAINING | {"noise": "shared", "local_steps": 1}
PERSONAL = TRAINING | {"hidden": [4], "personal": True}


class Killed(BaseException):
    """The process that carried the run out is gone: no handler of ours sees it."""


@pytest.fixture
def coordinator(firm: Any) -> Iterator[Coordinator]:
    found = opened(firm)
    yield found
    found.dispatcher.desk.engine.dispose()


def at_round(coordinator: Coordinator, number: int, act: Any) -> None:
    """Do something once, when the first department is asked for a round."""
    asked: list[str] = []

    def before(department: str, ask: Ask) -> None:
        if ask.leg == "round" and department == "advisory":
            asked.append(department)
            if len(asked) == number:
                act()

    coordinator.wire.before = before


def killed() -> None:
    raise Killed


def reopened(coordinator: Coordinator) -> Dispatcher:
    """Start the coordinator anew on the same database."""
    dispatcher = open_dispatcher(coordinator.dispatcher.desk.settings, coordinator.wire)
    dispatcher.now = lambda: NOW
    return dispatcher


def rounds_answered(coordinator: Coordinator) -> dict[str, list[int]]:
    return {
        name: [d.round for d in node.journal.departures() if d.leg == "round"]
        for name, node in coordinator.wire.firm.nodes.items()
    }


def spent_everywhere(coordinator: Coordinator, run: Run) -> None:
    """The coordinator and every department paid the plan's ρ, once."""
    rho = read_plan(run.plan).rho
    assert coordinator.used() == pytest.approx(rho)
    for node in coordinator.wire.firm.nodes.values():
        state = node.ledger.state("department")
        assert state.spent.value + state.reserved.value == pytest.approx(rho)


@pytest.mark.parametrize("request_", [TRAINING, SHARED, TRAINING | {"owned": True}, PERSONAL])
def test_a_coordinator_that_was_killed_goes_on_after_the_last_round(
    coordinator: Coordinator, request_: dict[str, Any]
) -> None:
    run = coordinator.submit(request_)
    at_round(coordinator, 3, killed)
    with pytest.raises(Killed):
        coordinator.dispatcher.carry_out_next()
    coordinator.wire.before = lambda _department, _ask: None
    dispatcher = reopened(coordinator)
    assert dispatcher.carry_out_next()
    ended = dispatcher.desk.runs.get(run.id)
    assert ended.state is RunState.RELEASED, ended.refusal
    assert ended.result is not None
    assert ended.result["rounds_done"] == 5, "the round that was under way is lost"
    for answered in rounds_answered(coordinator).values():
        assert answered == [0, 1, 3, 4, 5], "no round is answered twice"
    spent_everywhere(coordinator, run)
    load(dispatcher.desk.settings.models / ended.result["model"])


def test_a_worker_that_restarts_between_rounds_does_not_end_the_training(
    coordinator: Coordinator,
) -> None:
    at_round(coordinator, 3, lambda: coordinator.wire.firm.open("research"))
    run = coordinator.ask(TRAINING | {"owned": True})
    assert run.state is RunState.RELEASED, run.refusal
    assert run.result is not None
    assert run.result["rounds_done"] == 5
    spent_everywhere(coordinator, run)
    for answered in rounds_answered(coordinator).values():
        assert len(answered) == len(set(answered)) <= 6


def test_a_department_that_stays_away_leaves_the_model_of_the_rounds_that_were_paid(
    coordinator: Coordinator,
) -> None:
    at_round(coordinator, 4, lambda: coordinator.wire.silent.add("risk"))
    run = coordinator.ask(TRAINING)
    assert run.state is RunState.RELEASED, run.refusal
    assert run.result is not None
    assert run.result["rounds_done"] == 3
    spent_everywhere(coordinator, run)


def test_a_department_that_comes_back_is_waited_for(coordinator: Coordinator) -> None:
    greeted: list[str] = []

    def away() -> None:
        coordinator.wire.silent.add("risk")

        def back(department: str, ask: Ask) -> None:
            if ask.leg == "hello" and department == "risk":
                greeted.append(department)
            if len(greeted) == 3:
                coordinator.wire.silent.clear()

        coordinator.wire.before = back

    at_round(coordinator, 2, away)
    run = coordinator.ask(TRAINING)
    assert run.result is not None
    assert run.result["rounds_done"] == 5
    assert len(greeted) == 3


def test_a_training_whose_first_round_fails_is_refused_and_stays_spent(
    coordinator: Coordinator,
) -> None:
    at_round(coordinator, 1, lambda: coordinator.wire.silent.add("risk"))
    run = coordinator.ask(TRAINING)
    assert run.state is RunState.REFUSED
    assert run.refusal is not None
    assert "risk" in run.refusal["text"]
    assert coordinator.used() == pytest.approx(read_plan(run.plan).rho)


@pytest.mark.parametrize("request_", [TRAINING, SHARED])
def test_a_stop_keeps_the_model_of_the_rounds_that_are_done(
    coordinator: Coordinator, request_: dict[str, Any]
) -> None:
    run = coordinator.submit(request_)
    desk = coordinator.dispatcher.desk
    at_round(coordinator, 3, lambda: stop(run.id, desk))
    assert coordinator.dispatcher.carry_out_next()
    ended = desk.runs.get(run.id)
    assert ended.state is RunState.RELEASED
    assert ended.result is not None
    assert ended.result["rounds_done"] == 3
    assert (desk.settings.models / ended.result["model"]).is_file()
    spent_everywhere(coordinator, run)


def test_a_run_stopped_before_its_turn_gives_everything_back(coordinator: Coordinator) -> None:
    run = coordinator.submit(TRAINING)
    ended = stop(run.id, coordinator.dispatcher.desk)
    assert ended.state is RunState.REFUSED
    assert coordinator.used() == 0
    assert not coordinator.dispatcher.carry_out_next()
    assert coordinator.submit(TRAINING).id != run.id, "it may be asked again"


def test_a_training_stopped_while_departments_are_asked_whether_they_agree_costs_nothing(
    coordinator: Coordinator,
) -> None:
    run = coordinator.submit(TRAINING)
    desk = coordinator.dispatcher.desk

    def stopping(_department: str, ask: Ask) -> None:
        if ask.leg == "check":
            stop(run.id, desk)

    coordinator.wire.before = stopping
    assert coordinator.dispatcher.carry_out_next()
    ended = desk.runs.get(run.id)
    assert ended.refusal is not None
    assert ended.refusal["code"] == "RunStopped"
    assert coordinator.used() == 0


def test_an_ended_run_cannot_be_stopped(coordinator: Coordinator) -> None:
    run = coordinator.ask(TRAINING | {"rounds": 1})
    with pytest.raises(RunNotStoppable, match="ended"):
        stop(run.id, coordinator.dispatcher.desk)


def test_a_round_that_a_node_has_answered_is_never_answered_again(
    coordinator: Coordinator,
) -> None:
    """A saboteur coordinator who asks for an answered round under a new permit gets nothing."""
    run = coordinator.ask(TRAINING)
    firm = coordinator.wire.firm
    plan = read_plan(run.plan)
    permit = firm.permit(plan, "round", round=2, epoch=run.epoch, reservation=run.id)
    weights = np.zeros(6).tobytes()
    ask = firm.ask(plan, "round", "risk", permit=permit, payload=weights, consent=b"")
    assert answer(firm.nodes["risk"], ask, NOW).code == "already_answered"
    beyond = firm.permit(plan, "round", round=6, epoch=run.epoch, reservation=run.id)
    ask = firm.ask(plan, "round", "risk", permit=beyond, payload=weights, consent=b"")
    assert answer(firm.nodes["risk"], ask, NOW).code == "permit_invalid"
    spent_everywhere(coordinator, run)


def test_progress_survives_its_own_bytes() -> None:
    start = begun(np.arange(3.0), departments=2)
    moved = moved_to(
        sent_out(start), np.ones(3), velocity=-np.ones(3), counts=np.ones(2), keep=True
    )
    again = from_bytes(to_bytes(moved))
    assert (again.asked, again.done, again.kept_rounds) == (1, 1, 1)
    for name in ("weights", "velocity", "counts", "kept"):
        np.testing.assert_array_equal(getattr(again, name), getattr(moved, name))
    np.testing.assert_array_equal(again.average(), np.ones(3))


def test_how_far_a_training_is_can_be_read_while_it_runs(coordinator: Coordinator) -> None:
    run = coordinator.submit(TRAINING)
    desk = coordinator.dispatcher.desk
    seen: list[Any] = []
    at_round(coordinator, 2, lambda: seen.append(Trainings(desk.engine).underway(run.id)))
    assert coordinator.dispatcher.carry_out_next()
    (underway,) = seen
    assert (underway.asked, underway.done, underway.waiting) == (2, 1, True)
    assert budgets(desk)[0].reserved_rho == 0
