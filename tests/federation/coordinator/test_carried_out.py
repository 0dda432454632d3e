"""From a dear question to verified evidence: the real coordinator and three real nodes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.coordinator.approvals import give_opinion
from federation.coordinator.desk import plan_of, submit
from federation.coordinator.dispatch import Dispatcher
from federation.coordinator.export import export
from federation.coordinator.runs import RunState
from federation.coordinator.verify import verify
from privacy.entries import Opinion

POLICY = """
delta = 1e-6
automatic_epsilon = 4.0
[firm]
epsilon = 40.0
[purposes.review]
epsilon = 30.0
"""
DEAR = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "age"}],
    "by": ["education"],
    "rho": 2.0,
    "reason": "a dear question",
}
TRAINING = {
    "kind": "training",
    "purpose": "review",
    "target": "defaulted",
    "features": ["age"],
    "rounds": 2,
    "local_steps": 2,
    "epsilon": 3.0,
    "reason": "a model",
}


@pytest.fixture
def dispatcher(firm: Any, dispatch_to: Callable[[Any, str], Dispatcher]) -> Dispatcher:
    return dispatch_to(firm, POLICY)


def test_what_two_officers_let_pass_is_carried_out_and_can_be_verified(
    dispatcher: Dispatcher,
) -> None:
    desk = dispatcher.desk
    run = submit(plan_of(DEAR, desk), desk, asker="ann").run
    submit(plan_of(TRAINING, desk), desk, asker="ann")
    assert dispatcher.carry_out_next()
    assert not dispatcher.carry_out_next()
    for officer in ("olga", "otto"):
        give_opinion(run.id, desk, officer=officer, opinion=Opinion.APPROVE, reason="it is so")
    assert dispatcher.carry_out_next()
    released = desk.runs.get(run.id)
    assert released.label is not None, released.refusal
    assert [one["officer"] for one in released.label["approver"]] == ["olga", "otto"]
    report = verify(
        b"".join(export(desk, now=datetime.now(UTC))),
        head=desk.ledger.verify(),
        roster=dispatcher.roster,
    )
    assert report.findings == ()
    assert report.releases == 2


def test_an_idle_coordinator_leaves_signs_of_life_and_ends_old_approvals(
    dispatcher: Dispatcher,
) -> None:
    desk, old = dispatcher.desk, datetime.now(UTC) - timedelta(days=8)
    desk.runs.add(
        run="0" * 16,
        request=None,
        asker="ann",
        plan=b"{}",
        digest="0" * 64,
        question="0" * 64,
        attempt=0,
        epoch=0,
        policy="0" * 64,
        now=int(old.timestamp()),
        waiting=True,
    )
    assert not dispatcher.heartbeat.is_alive(dispatcher.now())
    assert not dispatcher.carry_out_next()
    assert dispatcher.heartbeat.is_alive(dispatcher.now() + 30)
    ended = desk.runs.get("0" * 16)
    assert ended.state is RunState.REFUSED
    assert ended.refusal is not None
    assert ended.refusal["code"] == "ApprovalExpired"
