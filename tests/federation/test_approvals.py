"""Two people decide about a dear plan, neither knowing the other's mind; the ledger remembers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from federation.coordinator.approvals import (
    Approval,
    approval_of,
    approved,
    counted,
    give_opinion,
    opinions_on,
    settle_all,
)
from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.errors import NotWaiting, OpinionGiven, OwnPlan, ReasonNeeded
from federation.coordinator.runs import Run, RunState
from federation.errors import RunUnknown
from privacy.entries import Decided, Opinion, Reserved
from privacy.errors import ClockWentBack, UnknownPool
from privacy.loss import Rho

AT = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = """
delta = 1e-6
automatic_epsilon = 1.0
[firm]
epsilon = 9.0
[purposes.review]
epsilon = 8.0
"""
DEAR = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}],
    "rho": 0.5,
    "reason": "a test of two people",
}
APPROVE, DECLINE = Opinion.APPROVE, Opinion.DECLINE

MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path, desk_at: MakeDesk) -> MakeDesk:
    return partial(desk_at, tmp_path)


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk(POLICY)


def waiting(desk: Desk, **changes: Any) -> Run:
    run = submit(plan_of(DEAR | changes, desk), desk, asker="ann", now=AT).run
    assert run.state is RunState.WAITING
    return run


def say(
    run: Run, desk: Desk, officer: str, opinion: Opinion = APPROVE, *, at: datetime = AT
) -> Approval:
    return give_opinion(run.id, desk, officer=officer, opinion=opinion, reason="it is so", now=at)


def used(desk: Desk) -> float:
    state = desk.ledger.state("firm")
    return state.spent.value + state.reserved.value


def test_a_dear_plan_waits_and_reserves_nothing(desk: Desk) -> None:
    run = waiting(desk)
    assert used(desk) == 0
    assert desk.runs.take() is None
    assert settle_all(desk, AT) == [run]


def test_two_officers_let_it_take_its_turn(desk: Desk) -> None:
    run = waiting(desk)
    assert say(run, desk, "olga").run.state is RunState.WAITING
    assert say(run, desk, "otto").run.state is RunState.ACCEPTED
    assert used(desk) == 0.5
    taken = desk.runs.take()
    assert taken is not None
    assert taken.id == run.id


@pytest.mark.parametrize("opinions", [(APPROVE, DECLINE), (DECLINE, APPROVE), (DECLINE, DECLINE)])
def test_one_voice_against_it_is_enough_once_both_are_in(
    desk: Desk, opinions: tuple[Opinion, Opinion]
) -> None:
    run = waiting(desk)
    assert say(run, desk, "olga", opinions[0]).run.state is RunState.WAITING
    refused = say(run, desk, "otto", opinions[1]).run
    assert refused.state is RunState.REFUSED
    assert refused.refusal is not None
    assert refused.refusal["code"] == "Declined"
    assert used(desk) == 0


def test_the_asker_has_no_opinion(desk: Desk) -> None:
    run = waiting(desk)
    with pytest.raises(OwnPlan):
        say(run, desk, "ann")
    assert desk.ledger.decisions(run.id) == ()


def test_an_opinion_stands_and_may_be_repeated(desk: Desk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    assert say(run, desk, "olga").given == 1
    with pytest.raises(OpinionGiven):
        say(run, desk, "olga", DECLINE)
    assert len(desk.ledger.decisions(run.id)) == 1


def test_a_decided_run_takes_no_more_opinions(desk: Desk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    say(run, desk, "otto")
    with pytest.raises(NotWaiting):
        say(run, desk, "oskar", DECLINE)
    assert say(run, desk, "otto").given == 2
    with pytest.raises(RunUnknown):
        give_opinion("f" * 16, desk, officer="olga", opinion=APPROVE, reason="why not", now=AT)


def test_an_automatic_run_takes_no_opinions(desk: Desk) -> None:
    run = submit(plan_of(DEAR | {"rho": 0.001}, desk), desk, asker="ann", now=AT).run
    with pytest.raises(NotWaiting):
        say(run, desk, "olga")


@pytest.mark.parametrize("reason", ["", "no", "   no   ", "x" * 501])
def test_an_opinion_needs_a_reason(desk: Desk, reason: str) -> None:
    run = waiting(desk)
    with pytest.raises(ReasonNeeded):
        give_opinion(run.id, desk, officer="olga", opinion=APPROVE, reason=reason, now=AT)
    assert desk.ledger.decisions(run.id) == ()


def test_what_waits_too_long_is_refused(make_desk: MakeDesk) -> None:
    desk = make_desk(POLICY, approval_days=2)
    run = waiting(desk)
    say(run, desk, "olga")
    assert settle_all(desk, AT + 1.99 * DAY) == [run]
    assert settle_all(desk, AT + 2 * DAY) == []
    ended = desk.runs.get(run.id)
    assert ended.refusal is not None
    assert ended.refusal["code"] == "ApprovalExpired"
    with pytest.raises(NotWaiting):
        say(run, desk, "otto", at=AT + 3 * DAY)


def test_approval_does_not_make_a_budget(desk: Desk) -> None:
    run = waiting(desk, rho=50.0)
    say(run, desk, "olga")
    ended = say(run, desk, "otto").run
    assert ended.refusal is not None
    assert ended.refusal["code"] == "BudgetExceeded"
    assert used(desk) == 0


def test_what_policy_forbids_by_now_is_refused(desk: Desk, make_desk: MakeDesk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    stricter = make_desk("minimum_cohort = 4\n" + POLICY)
    ended = say(run, stricter, "otto").run
    assert ended.refusal is not None
    assert ended.refusal["code"] == "CohortTooSmall"


def test_a_purpose_without_a_budget_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(UnknownPool):
        submit(plan_of(DEAR | {"purpose": "marketing", "by": ["age"]}, desk), desk, asker="ann")
    assert desk.runs.waiting() == []


def test_the_same_question_joins_the_run_that_waits(desk: Desk) -> None:
    run = waiting(desk)
    again = submit(plan_of(DEAR | {"reason": "for another reason"}, desk), desk, asker="bob")
    assert (again.run.id, again.new) == (run.id, False)


def test_a_refused_question_may_be_asked_again_for_another_reason(desk: Desk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    say(run, desk, "otto", DECLINE)
    again = waiting(desk, reason="a better reason")
    assert again.id != run.id
    assert approval_of(again, desk, viewer="olga").given == 0


def test_an_opinion_that_was_written_before_a_crash_counts(desk: Desk, make_desk: MakeDesk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    desk.ledger.decide(run.id, "otto", APPROVE, "and then the power went", AT)
    reopened = make_desk(POLICY)
    assert settle_all(reopened, AT + 30 * DAY) == []
    assert reopened.runs.get(run.id).state is RunState.ACCEPTED


def test_a_reservation_made_before_a_crash_is_made_once(desk: Desk, make_desk: MakeDesk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    desk.ledger.decide(run.id, "otto", APPROVE, "and then the power went", AT)
    desk.ledger.reserve("firm/review", Rho(0.5), run.id, AT)
    assert settle_all(make_desk(POLICY), AT) == []
    assert used(desk) == 0.5
    assert sum(isinstance(e.event, Reserved) for e in desk.ledger.entries()) == 1


def leak(approval: Approval, viewer: str) -> bool:
    """Say whether an officer sees another's opinion before both are in."""
    strangers = [o for o in approval.opinions if o.officer != viewer]
    return bool(strangers) and approval.given < 2


@pytest.mark.parametrize("first", [APPROVE, DECLINE])
def test_the_first_opinion_is_hidden_until_the_second_is_in(desk: Desk, first: Opinion) -> None:
    run = waiting(desk)
    said = say(run, desk, "olga", first)
    assert [o.officer for o in said.opinions] == ["olga"]
    for viewer in ("otto", "ann", "olga", ""):
        assert not leak(approval_of(desk.runs.get(run.id), desk, viewer=viewer), viewer)
    shown = say(run, desk, "otto").opinions
    assert [o.officer for o in shown] == ["olga", "otto"]


def test_a_view_that_shows_every_opinion_is_caught(desk: Desk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    honest = approval_of(run, desk, viewer="otto")
    assert leak(replace(honest, opinions=opinions_on(run, desk)), "otto")


def decided(officer: str, opinion: Opinion = APPROVE) -> Decided:
    return Decided(request="r", officer=officer, opinion=opinion, reason="why not", at=AT)


def test_only_the_first_opinion_of_each_officer_counts_and_never_the_asker_s() -> None:
    heard = counted(
        [decided("ann"), decided("o", DECLINE), decided("o"), decided("p")], asker="ann"
    )
    assert [(o.officer, o.opinion) for o in heard] == [("o", DECLINE), ("p", APPROVE)]
    assert not approved(heard)
    assert not approved(counted([decided("ann"), decided("o"), decided("o")], asker="ann"))
    assert not approved([decided("o"), decided("p"), decided("q", DECLINE)])


def test_a_clock_that_went_back_leaves_a_run_waiting(desk: Desk) -> None:
    run = waiting(desk)
    say(run, desk, "olga")
    with pytest.raises(ClockWentBack):
        say(run, desk, "otto", at=AT - DAY)
    assert desk.runs.get(run.id).state is RunState.WAITING
    assert settle_all(desk, AT) == [run]
