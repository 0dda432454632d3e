"""Sweeps: priced and reserved as one sum, tried in order, honest about what noise can tell."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from federation.coordinator.desk import Desk
from federation.coordinator.dispatch import Dispatcher
from federation.coordinator.errors import SweepRefused, SweepUnknown
from federation.coordinator.model_book import model_of
from federation.coordinator.model_card import card_of
from federation.coordinator.runs import RunState
from federation.coordinator.sweep_view import Measured, Verdict, measured, verdict
from federation.coordinator.sweeps import Sweep, Sweeps, SweepState
from federation.coordinator.tuning import carry_on_all, planned, price_of, stop, sweep
from federation.errors import PlanInvalid
from privacy.errors import BudgetExceeded

POLICY = """
delta = 1e-6
automatic_epsilon = 50.0
[firm]
epsilon = 100.0
[purposes.review]
epsilon = 100.0
"""
NARROW = POLICY.replace("epsilon = 100.0", "epsilon = 4.0")
TRAINING: dict[str, Any] = {
    "purpose": "review",
    "target": "defaulted",
    "features": ["age"],
    "rounds": 1,
    "local_steps": 5,
    "holdout": 0.5,
    "rho": 4.0,
    "reason": "which recipe",
}
RECIPES = [{"learning_rate": 1.0}, {"learning_rate": 0.001, "rounds": 2}]
AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def dispatcher(make_firm: Any, dispatch_to: Callable[[Any, str], Dispatcher]) -> Dispatcher:
    return dispatch_to(make_firm(400, levels=lambda _number: 4), POLICY)


def asked(desk: Desk, *, now: datetime | None = None, **changes: Any) -> Sweep:
    found = planned(TRAINING | changes, RECIPES, epsilon_of_evaluation=8.0, desk=desk)
    return sweep(found, desk, asker="ann", now=now)


def held(desk: Desk) -> float:
    state = desk.ledger.state("firm/review")
    return state.reserved.value + state.spent.value


def test_recipes_are_trained_judged_and_told_apart(
    dispatcher: Dispatcher,
) -> None:
    desk = dispatcher.desk
    found = planned(TRAINING, RECIPES, epsilon_of_evaluation=8.0, desk=desk)
    one = sweep(found, desk, asker="ann")
    total = price_of(found, desk)["rho"]
    assert (
        held(desk) == pytest.approx(total) == pytest.approx(8.0 + 2 * found.rho_of_evaluation.value)
    )
    for _run in range(4):
        assert Sweeps(desk.engine).get(one.id).state is SweepState.TRYING
        dispatcher.carry_out_next()
        assert held(desk) == pytest.approx(total)
    ended = Sweeps(desk.engine).get(one.id)
    assert ended.state is SweepState.ENDED
    assert desk.ledger.state("firm/review").reserved.value == 0
    figures = measured(ended, desk.runs)
    assert all(figure is not None and 0.5 < figure.auc <= 1 for figure in figures)
    assert verdict(figures) is not None
    card = card_of(model_of(desk.runs, desk.registry, "defaulted"), desk)
    assert "one of 2 recipes" in card["privacy"]["tuning_on_real_data"]
    assert one.id in card["privacy"]["tuning_on_real_data"]


def test_recipes_with_personal_last_layers_are_judged_too(dispatcher: Dispatcher) -> None:
    desk = dispatcher.desk
    one = asked(desk, hidden=[3], personal=True)
    for _run in range(4):
        dispatcher.carry_out_next()
    ended = Sweeps(desk.engine).get(one.id)
    assert ended.state is SweepState.ENDED
    assert None not in measured(ended, desk.runs)


def test_a_sum_that_does_not_fit_is_refused_before_any_leg(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(NARROW)
    with pytest.raises(BudgetExceeded):
        asked(desk)
    assert held(desk) == 0
    assert Sweeps(desk.engine).all() == []
    assert desk.runs.latest() == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"holdout": 0.0}, "hold-out"),
        ({"target": "income"}, "yes or no"),
        ({"rho": 90.0}, "one person"),
    ],
)
def test_what_cannot_be_tried_is_refused_for_nothing(
    make_desk: Callable[..., Desk], changes: dict[str, Any], why: str
) -> None:
    desk = make_desk(POLICY)
    with pytest.raises(SweepRefused, match=why):
        asked(desk, **changes)
    assert held(desk) == 0


def test_one_recipe_twice_or_alone_and_a_wrong_one_are_refused(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(POLICY)
    for recipes in (
        [{}],
        [{}, {"learning_rate": 1.0}],
        [{"learning_rate": n} for n in range(1, 18)],
    ):
        with pytest.raises(SweepRefused):
            planned(TRAINING, recipes, epsilon_of_evaluation=1.0, desk=desk)
    with pytest.raises(PlanInvalid):
        planned(TRAINING, [{}, {"momentum": 2.0}], epsilon_of_evaluation=1.0, desk=desk)
    with pytest.raises(SweepUnknown):
        stop("0" * 16, desk)


def test_a_sweep_that_is_stopped_keeps_what_was_paid_and_gives_the_rest_back(
    dispatcher: Dispatcher,
) -> None:
    desk = dispatcher.desk
    one = asked(desk)
    dispatcher.carry_out_next()
    stopped = stop(one.id, desk)
    assert stopped.state is SweepState.STOPPED
    trained = desk.runs.get(stopped.tried[0]["training"] or "")
    assert trained.state is RunState.RELEASED
    assert held(desk) == pytest.approx(4.0)  # the evaluation that waited was given back too
    dispatcher.carry_out_next()
    assert held(desk) == pytest.approx(4.0)
    assert len(desk.runs.latest()) == 2
    assert stop(one.id, desk).state is SweepState.STOPPED


def test_a_step_that_a_crash_cut_short_is_taken_again_and_pays_once(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(POLICY)
    one = asked(desk, now=AT)
    before = held(desk)
    carry_on_all(desk, AT)
    sweeps = Sweeps(desk.engine)
    moved = sweeps.get(one.id)
    assert sweeps.move(moved, begun=one.begun, tried=list(one.tried))  # as if never written
    carry_on_all(desk, AT)
    assert sweeps.get(one.id) == moved
    assert held(desk) == pytest.approx(before)
    assert len(desk.runs.latest()) == 1


def test_a_recipe_that_is_refused_is_left_and_the_next_one_tried(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(POLICY)
    one = asked(desk, now=AT)
    carry_on_all(desk, AT)
    run = desk.runs.take()
    assert run is not None
    desk.ledger.abandon(run.id, datetime.now(UTC))
    desk.runs.end_refused(run.id, code="DepartmentMissing", text="nobody came", now=1)
    carry_on_all(desk, datetime.now(UTC))
    found = Sweeps(desk.engine).get(one.id)
    assert [tried["refusal"] for tried in found.tried] == ["DepartmentMissing", None]
    assert found.rest.value == pytest.approx(one.rho_of_evaluation)
    assert held(desk) == pytest.approx(4.0 + one.rho_of_evaluation)


def at(auc: float, error: float = 0.01) -> Measured:
    return Measured(auc=auc, low=auc - 1.96 * error, high=auc + 1.96 * error)


def test_the_best_is_told_from_another_only_beyond_the_noise_of_both() -> None:
    assert verdict([]) is verdict([None]) is None
    assert verdict([None, at(0.7)]) == Verdict(best=1, alike=())
    assert verdict([at(0.70), at(0.74)]) == Verdict(best=1, alike=())
    assert verdict([at(0.72), None, at(0.74)]) == Verdict(best=2, alike=(0,))
    # What tells two apart does not tell twelve: the more are tried, the wider is luck.
    assert verdict([at(0.74), *[at(0.705)] * 11]) == Verdict(best=0, alike=tuple(range(1, 12)))
    cut = replace(at(0.999, 0.05), high=1.0)
    assert verdict([cut, at(0.96)]) == Verdict(best=0, alike=(1,))
