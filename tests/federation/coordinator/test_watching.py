"""Monitors: priced ahead, ticked in order, silent while nothing changes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.coordinator.changes import changes
from federation.coordinator.desk import Desk
from federation.coordinator.errors import MonitorRefused, MonitorUnknown
from federation.coordinator.monitors import Monitor, Monitors, MonitorState
from federation.coordinator.watching import stop, tick_all, watch
from privacy.errors import BudgetExceeded
from privacy.mechanisms import draw_noise

AT = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = """
delta = 1e-6
automatic_epsilon = 2.0
[firm]
epsilon = 9.0
[purposes.review]
epsilon = 8.0
"""
QUESTION: dict[str, Any] = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}],
    "by": ["age"],
    "rho": 0.05,
    "reason": "does it shift",
}


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(POLICY)


def saved(desk: Desk, **changes: Any) -> Monitor:
    how: dict[str, Any] = {"every_s": 3600, "ticks": 3, "false_alarm_rate": 0.01}
    return watch(QUESTION, desk, asker="ann", now=AT, **how | changes)


def held(desk: Desk) -> float:
    state = desk.ledger.state("firm/review", AT)
    return state.reserved.value + state.spent.value


def answered(desk: Desk, *counts: float, data: str) -> None:
    """Do what the ServerApp does with the run that waits: release these counts from such rows."""
    run = desk.runs.take()
    assert run is not None
    rows = [
        {"cell": {"age": str(i)}, "count": {"value": c, "half_width": 2.0}, "means": {}}
        for i, c in enumerate(counts)
    ]
    desk.runs.note_data(run.id, {"risk": data})
    desk.ledger.commit(run.id, AT + timedelta(hours=int(data)))
    desk.runs.end_released(run.id, result={"rows": rows}, label={}, now=1)


def test_the_whole_period_is_reserved_as_one_entry(desk: Desk) -> None:
    before = len(desk.ledger.entries())
    saved(desk)
    assert held(desk) == pytest.approx(0.15)
    assert len(desk.ledger.entries()) == before + 1


def test_a_period_that_cannot_be_paid_is_refused_before_anything(desk: Desk) -> None:
    with pytest.raises(BudgetExceeded):
        saved(desk, ticks=1000)
    assert held(desk) == 0
    assert Monitors(desk.engine).all() == []


def test_ticks_cost_what_was_reserved_and_alert_on_a_change(desk: Desk) -> None:
    monitor = saved(desk)
    for number, counts in enumerate([(100.0, 50.0), (101.0, 50.0), (140.0, 50.0)]):
        tick_all(desk, AT + timedelta(hours=number))
        assert held(desk) == pytest.approx(0.15)
        answered(desk, *counts, data=str(number))
    tick_all(desk, AT + timedelta(hours=3))
    ended = Monitors(desk.engine).get(monitor.id)
    assert ended.state is MonitorState.ENDED
    found = [[c["figure"] for c in entry["changes"]] for entry in ended.history]
    assert found == [[], [], ["0 · count"]]
    tick_all(desk, AT + timedelta(hours=9))
    assert desk.runs.take() is None


def test_a_tick_before_its_time_does_nothing(desk: Desk) -> None:
    saved(desk)
    tick_all(desk, AT)
    tick_all(desk, AT + timedelta(minutes=59))
    assert len(desk.runs.latest()) == 1


def test_a_stopped_monitor_gives_the_rest_back(desk: Desk) -> None:
    monitor = saved(desk)
    tick_all(desk, AT)
    assert stop(monitor.id, desk, now=AT).state is MonitorState.STOPPED
    assert held(desk) == pytest.approx(0.05)  # the tick that was begun
    tick_all(desk, AT + timedelta(days=9))
    assert len(desk.runs.latest()) == 1
    with pytest.raises(MonitorUnknown):
        stop("0" * 16, desk)


def test_a_training_and_a_dear_question_are_not_watched(desk: Desk) -> None:
    training = {"kind": "training", "target": "defaulted", "features": ["age"], "rho": 0.05}
    common = {"purpose": "review", "reason": "a test"}
    for request in (common | training, QUESTION | {"rho": 0.5}):
        with pytest.raises(MonitorRefused):
            watch(request, desk, asker="ann", every_s=60, ticks=2, false_alarm_rate=0.01, now=AT)


def rows(values: list[float], half_width: float) -> dict[str, Any]:
    figures = [{"value": v, "half_width": half_width} for v in values]
    return {"rows": [{"cell": {"a": str(i)}, "count": f} for i, f in enumerate(figures)]}


@pytest.mark.statistical
def test_nothing_that_changed_alerts_as_rarely_as_stated() -> None:
    """4,000 pairs of 5 figures at a rate of 0.05: within [0.030, 0.072] at 1e-9."""
    sigma = 100
    alarms = 0
    for _ in range(4000):
        drawn = draw_noise(sigma, 10).astype(float)
        pair = (rows(list(half), 1.959964 * sigma) for half in (drawn[:5], drawn[5:]))
        alarms += bool(changes(*pair, false_alarm_rate=0.05))
    assert 0.030 < alarms / 4000 < 0.072
    believed = (rows(list(half), 1.5 * sigma) for half in (drawn[:5] * 3, -drawn[:5] * 3))
    assert changes(*believed, false_alarm_rate=0.05)  # a test that could not alarm would be none
