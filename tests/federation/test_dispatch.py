"""Carrying runs out in one process: the real coordinator, three real nodes, no Flower between."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from federation.coordinator.desk import budgets
from federation.coordinator.dispatch import open_dispatcher
from federation.coordinator.runs import RunState
from federation.errors import PlanInvalid, RequestMismatch
from federation.messages import Ask
from privacy.errors import BudgetExceeded, LedgerBroken
from tests.federation.coordinated import NOW, Coordinator, opened

QUESTION: dict[str, Any] = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "age"}],
    "by": ["education"],
    "rho": 0.5,
    "reason": "a test of the desk",
}
TRAINING = {
    "kind": "training",
    "purpose": "review",
    "target": "defaulted",
    "features": ["education", "age"],
    "rounds": 3,
    "local_steps": 2,
    "epsilon": 4.0,
    "reason": "a test of the desk",
}


@pytest.fixture
def coordinator(firm: Any) -> Iterator[Coordinator]:
    found = opened(firm)
    yield found
    found.dispatcher.desk.engine.dispose()


def test_a_question_comes_back_with_counts_means_and_a_label(coordinator: Coordinator) -> None:
    run = coordinator.ask(QUESTION)
    assert run.state is RunState.RELEASED, run.refusal
    assert run.result is not None
    assert run.label is not None
    firm = coordinator.wire.firm
    clients = {c: r for rows in firm.rows.values() for c, r in rows.items()}
    for row in run.result["rows"]:
        exact = [
            r["age"]
            for c, r in clients.items()
            if firm.levels[c] >= 2 and r["education"] == row["cell"]["education"] and r["age"]
        ]
        assert abs(row["count"]["value"] - len(exact)) <= 4 * row["count"]["half_width"]
    assert run.label["rho"] == 0.5
    assert run.label["consent_epoch"] == len(firm.levels)
    assert coordinator.used() == pytest.approx(0.5)
    assert coordinator.wire.legs == ["hello", "tokens", "sum"]


def test_a_training_leaves_a_model_behind(coordinator: Coordinator) -> None:
    run = coordinator.ask(TRAINING)
    assert run.state is RunState.RELEASED, run.refusal
    assert run.result is not None
    assert (coordinator.dispatcher.desk.settings.models / run.result["model"]).is_file()
    assert coordinator.wire.legs == ["hello", "check", "round", "round", "round"]


def test_the_same_question_costs_once_until_rows_change(coordinator: Coordinator) -> None:
    run, firm = coordinator.ask(QUESTION), coordinator.wire.firm
    turned = QUESTION["statistics"][::-1]
    assert coordinator.submit(QUESTION | {"reason": "why", "statistics": turned}).id == run.id
    firm.write("risk", dict(list(firm.rows["risk"].items())[1:]))
    coordinator.dispatcher.now = lambda: NOW + 100
    assert not coordinator.dispatcher.carry_out_next()  # while idle it hears from everyone
    assert coordinator.submit(QUESTION).id != run.id


def test_a_new_consent_epoch_makes_a_new_question(coordinator: Coordinator) -> None:
    first = coordinator.ask(QUESTION)
    register = coordinator.dispatcher.desk.register
    someone = next(iter(coordinator.wire.firm.levels))
    register.set_level(someone, 0, datetime.now(UTC))
    second = coordinator.ask(QUESTION)
    assert second.id != first.id
    assert second.state is RunState.RELEASED, second.refusal


def test_a_request_key_gives_its_own_run_and_refuses_another_plan(coordinator: Coordinator) -> None:
    run = coordinator.submit(QUESTION, request="key-1")
    assert coordinator.submit(QUESTION, request="key-1").id == run.id
    with pytest.raises(RequestMismatch):
        coordinator.submit(QUESTION | {"rho": 0.6}, request="key-1")


def test_a_silent_department_is_named_and_costs_nothing(coordinator: Coordinator) -> None:
    coordinator.wire.silent = {"research"}
    run = coordinator.ask(QUESTION)
    assert run.refusal is not None
    assert "research" in run.refusal["text"]
    assert coordinator.used() == 0
    coordinator.wire.silent = set()
    assert coordinator.ask(QUESTION).state is RunState.RELEASED


def test_silence_after_the_tokens_costs_the_departments_nothing(coordinator: Coordinator) -> None:
    def hush(_department: str, ask: Ask) -> None:
        if ask.leg == "tokens":
            coordinator.wire.silent = {"risk"}

    coordinator.wire.before = hush
    run = coordinator.ask(QUESTION)
    assert run.state is RunState.REFUSED
    assert coordinator.used() == 0
    for node in coordinator.wire.firm.nodes.values():
        assert node.ledger.state("department").reserved.value == 0


@pytest.mark.parametrize("request_", [QUESTION, QUESTION | {"owned": False}, TRAINING])
def test_a_refusing_department_costs_nobody_anything(
    coordinator: Coordinator, request_: dict[str, Any]
) -> None:
    firm = coordinator.wire.firm
    policy = firm.folder / "research" / "policy.toml"
    policy.write_text(policy.read_text().replace("max_rho = 50.0", "max_rho = 0.001"))
    firm.open("research")
    run = coordinator.ask(request_)
    assert run.refusal is not None
    assert "research" in run.refusal["text"]
    assert "max_rho" in run.refusal["text"]
    assert coordinator.used() == 0
    for node in firm.nodes.values():
        state = node.ledger.state("department")
        assert (state.reserved.value, state.spent.value) == (0, 0)


def test_a_department_whose_data_broke_costs_nobody_anything(coordinator: Coordinator) -> None:
    firm = coordinator.wire.firm
    (firm.folder / "risk" / "view.sql").write_text("SELECT 1 AS something_else")
    run = coordinator.ask(TRAINING)
    assert run.refusal is not None
    assert "risk" in run.refusal["text"]
    assert coordinator.used() == 0


def test_silence_in_a_leg_that_spends_stays_spent(coordinator: Coordinator) -> None:
    def hush(_department: str, ask: Ask) -> None:
        if ask.leg == "sum":
            coordinator.wire.silent = {"risk"}

    coordinator.wire.before = hush
    run = coordinator.ask(QUESTION)
    assert run.state is RunState.REFUSED
    assert coordinator.used() == pytest.approx(0.5)


def test_a_worker_that_restarted_is_greeted_again(coordinator: Coordinator) -> None:
    assert coordinator.ask(QUESTION).state is RunState.RELEASED
    coordinator.wire.firm.open("research")
    run = coordinator.ask(QUESTION | {"rho": 0.6})
    assert run.state is RunState.RELEASED, run.refusal
    assert coordinator.wire.legs == ["hello", "tokens", "sum", "tokens", "hello", "tokens", "sum"]


def test_a_run_whose_process_died_is_ended_and_stays_spent(coordinator: Coordinator) -> None:
    run = coordinator.submit(QUESTION)
    coordinator.dispatcher.desk.runs.take()
    settings = coordinator.dispatcher.desk.settings
    reopened = open_dispatcher(settings, coordinator.wire)
    ended = reopened.desk.runs.get(run.id)
    assert ended.state is RunState.REFUSED
    assert ended.refusal is not None
    assert ended.refusal["code"] == "RunInterrupted"
    assert coordinator.used() == pytest.approx(0.5)


@pytest.mark.parametrize("taken", [False, True])
def test_a_run_whose_promise_was_lost_is_promised_again_or_ended(
    coordinator: Coordinator, *, taken: bool
) -> None:
    run, desk = coordinator.submit(QUESTION), coordinator.dispatcher.desk
    if taken:
        desk.runs.take()
    with desk.engine.begin() as database:
        database.exec_driver_sql('delete from privacy_ledger where "index" = 2')
    with pytest.raises(LedgerBroken):
        open_dispatcher(desk.settings, coordinator.wire)
    desk.ledger.repair("a page was lost", "ann", datetime.now(UTC))
    dispatcher = open_dispatcher(desk.settings, coordinator.wire)
    dispatcher.now = lambda: NOW
    assert dispatcher.carry_out_next() is not taken
    ended = dispatcher.desk.runs.get(run.id)
    assert ended.state is (RunState.REFUSED if taken else RunState.RELEASED)
    firm = budgets(dispatcher.desk)[0]
    assert firm.spent_rho == pytest.approx(0.5 if taken else 1.0)  # charged twice, never less
    assert firm.reserved_rho == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"cohort": ["risk", "audit"]}, PlanInvalid),
        ({"by": ["education", "education"]}, PlanInvalid),
        ({"statistics": [{"kind": "mean", "field": "education"}]}, PlanInvalid),
        ({"epsilon": 1.0}, PlanInvalid),
        ({"unit": "household", "clients_per_household": 9}, PlanInvalid),
    ],
)
def test_a_request_that_cannot_be_carried_out_costs_nothing(
    coordinator: Coordinator, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        coordinator.submit(QUESTION | change)
    assert coordinator.used() == 0
    assert not coordinator.dispatcher.carry_out_next()


def test_a_pool_that_is_used_up_refuses_before_the_work(coordinator: Coordinator) -> None:
    legs = 0
    with pytest.raises(BudgetExceeded):  # noqa: PT012 - the budget decides how many fit
        for number in range(100):
            coordinator.ask(TRAINING | {"epsilon": 15.0, "rounds": 1, "local_steps": number + 1})
            legs = len(coordinator.wire.legs)
    assert len(coordinator.wire.legs) == legs


def test_equal_trainings_race_to_one_reservation(coordinator: Coordinator) -> None:
    first, second = coordinator.submit(TRAINING), coordinator.submit(TRAINING)
    assert first.id == second.id
    assert coordinator.dispatcher.carry_out_next()
    assert not coordinator.dispatcher.carry_out_next()
