"""What people do to a ledger: new studies, other budgets, opinions, and clocks that go wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from privacy import ledger
from privacy.entries import Decided, Event, Opinion, sealed
from privacy.errors import (
    BudgetBelowSpent,
    BudgetExceeded,
    ClockWentBack,
    InvalidBound,
    LedgerBroken,
    LedgerConflict,
    UnknownPool,
)
from privacy.ledger import follow
from privacy.ledger_state import EMPTY, TOLERANCE, LedgerState
from privacy.loss import ZERO_RHO, Delta, Rho
from privacy.windows import Window

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
WHY = {"reason": "the board said so", "who": "officer"}


def after(state: LedgerState, *events: Event | None) -> LedgerState:
    for event in events:
        assert event is not None
        state = follow(state, [sealed(state.length, state.head, event)])
    return state


def opened(state: LedgerState, pool: str, rho: float, **terms: Any) -> LedgerState:
    values = {"budget": Rho(rho), "delta": DELTA, "at": AT} | terms
    return after(state, ledger.open_pool(state, pool, **values))


def spent(state: LedgerState, pool: str, rho: float, at: datetime = AT) -> LedgerState:
    name = f"r{state.length}"
    state = after(state, ledger.reserve(state, pool, rho=Rho(rho), request=name, at=at))
    return after(state, ledger.commit(state, name, at=at))


def changed(state: LedgerState, pool: str, rho: float, **terms: Any) -> LedgerState:
    values = {"budget": Rho(rho), "delta": DELTA, "at": AT} | WHY | terms
    return after(state, ledger.change(state, pool, **values))


@pytest.fixture
def firm() -> LedgerState:
    """Return a ledger whose purpose "p" is spent, with a rich firm above it."""
    state = opened(EMPTY, "firm", 10.0)
    state = opened(state, "firm/p", 1.0)
    state = opened(state, "firm/p/study", 1.0)
    return spent(state, "firm/p/study", 1.0)


@pytest.mark.parametrize(
    "name", ["firm/p/study2", "firm/p/study copy", "firm/p/new data", "firm/p/study/again"]
)
def test_a_new_name_under_a_purpose_mints_nothing(firm: LedgerState, name: str) -> None:
    state = opened(firm, name, 9.0)
    with pytest.raises(BudgetExceeded) as caught:
        ledger.reserve(state, name, rho=Rho(1e-12), request="more", at=AT)
    assert (caught.value.pool, caught.value.remaining) == ("firm/p", 0.0)


def test_a_pool_opened_again_keeps_what_was_spent(firm: LedgerState) -> None:
    again = ledger.open_pool(firm, "firm/p", budget=Rho(1.0), delta=DELTA, at=AT)
    assert again is None
    assert firm.pool("firm/p").remaining == ZERO_RHO


@pytest.mark.parametrize("name", ["firm2", "Firm", "company", "firm "])
def test_nobody_is_charged_under_a_second_root(firm: LedgerState, name: str) -> None:
    with pytest.raises(LedgerConflict, match="second root"):
        opened(firm, name, 9.0)


def test_a_changed_budget_leaves_what_is_spent(firm: LedgerState) -> None:
    state = changed(firm, "firm/p", 1.5, year=Rho(1.25), month=Rho(1.125))
    now = state.pool("firm/p")
    assert (now.lifetime.remaining, now.year.remaining) == (Rho(0.5), Rho(0.25))
    assert (now.month.remaining, now.remaining) == (Rho(0.125), Rho(0.125))
    assert now.spent == Rho(1.0)
    without = changed(state, "firm/p", 1.5)
    assert without.pool("firm/p").remaining == Rho(0.5)


def test_a_changed_delta_moves_no_budget(firm: LedgerState) -> None:
    state = changed(firm, "firm", 10.0, delta=Delta(1e-9))
    assert state.pool("firm").delta == Delta(1e-9)
    assert state.pool("firm").remaining == Rho(9.0)


def test_the_same_terms_are_no_change(firm: LedgerState) -> None:
    for budget in (Rho(1.0), Rho(1.0 + 1e-12)):
        assert ledger.change(firm, "firm/p", budget=budget, delta=DELTA, at=AT, **WHY) is None
    one_sided = ledger.change(
        firm, "firm/p", budget=Rho(1.0), delta=DELTA, month=Rho(1.0), at=AT, **WHY
    )
    assert one_sided is not None


@pytest.mark.parametrize(
    ("terms", "window"),
    [
        ({"budget": Rho(0.75)}, Window.LIFETIME),
        ({"budget": Rho(2.0), "year": Rho(0.75)}, Window.YEAR),
        ({"budget": Rho(2.0), "month": Rho(0.75)}, Window.MONTH),
    ],
)
def test_a_budget_below_what_is_spent_is_refused_with_both_numbers(
    firm: LedgerState, terms: dict[str, Rho], window: Window
) -> None:
    with pytest.raises(BudgetBelowSpent) as caught:
        ledger.change(firm, "firm/p", delta=DELTA, at=AT, **WHY, **terms)
    refusal = caught.value
    assert (refusal.pool, refusal.window) == ("firm/p", window)
    assert (refusal.budget, refusal.spent) == (0.75, 1.0)
    assert "0.75" in str(refusal)
    assert "1.0" in str(refusal)


def test_a_promise_weighs_as_much_as_what_is_spent(firm: LedgerState) -> None:
    promise = ledger.reserve(firm, "firm", rho=Rho(2.0), request="open", at=AT)
    with pytest.raises(BudgetBelowSpent) as caught:
        changed(after(firm, promise), "firm", 2.5)
    assert caught.value.spent == 3.0


def test_last_months_spending_does_not_bind_this_months_budget(firm: LedgerState) -> None:
    later = AT + timedelta(days=31)
    state = changed(firm, "firm/p", 2.0, month=Rho(0.5), at=later)
    assert state.pool("firm/p").month.remaining == Rho(0.5)


def test_a_change_needs_a_pool_a_reason_and_somebody(firm: LedgerState) -> None:
    with pytest.raises(UnknownPool):
        changed(firm, "firm/q", 1.0)
    for blank in ("reason", "who"):
        with pytest.raises(InvalidBound, match=blank):
            changed(firm, "firm/p", 2.0, **{blank: " "})


def test_opinions_are_kept_in_order_and_change_no_pool(firm: LedgerState) -> None:
    state = firm
    for officer, opinion in (("ann", Opinion.APPROVE), ("bob", Opinion.DECLINE)):
        said = ledger.decide(
            state, "run7", officer=officer, opinion=opinion, reason="because", at=AT
        )
        state = after(state, said)
    decisions = state.decisions["run7"]
    assert [(d.officer, d.opinion) for d in decisions] == [("ann", "approve"), ("bob", "decline")]
    assert all(isinstance(d, Decided) and d.reason == "because" for d in decisions)
    assert state.accounts == firm.accounts
    for blank in ("request", "officer", "reason"):
        words = {"request": "run7", "officer": "ann", "reason": "x"} | {blank: ""}
        with pytest.raises(InvalidBound, match=blank):
            ledger.decide(state, opinion=Opinion.APPROVE, at=AT, **words)


SECOND = timedelta(seconds=1)
ACTS = {
    "open": lambda state, at: ledger.open_pool(
        state, "firm/q", budget=Rho(1.0), delta=DELTA, at=at
    ),
    "open again": lambda state, at: ledger.open_pool(
        state, "firm", budget=Rho(10.0), delta=DELTA, at=at
    ),
    "change": lambda state, at: ledger.change(
        state, "firm", budget=Rho(9.0), delta=DELTA, at=at, **WHY
    ),
    "reserve": lambda state, at: ledger.reserve(state, "firm", rho=Rho(0.1), request="new", at=at),
    "commit": lambda state, at: ledger.commit(state, "open", at=at),
    "abandon": lambda state, at: ledger.abandon(state, "open", at=at),
    "decide": lambda state, at: ledger.decide(
        state, "open", officer="ann", opinion=Opinion.APPROVE, reason="x", at=at
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_clock_that_went_back_is_refused_and_a_little_skew_is_not(
    firm: LedgerState, act: str
) -> None:
    state = after(firm, ledger.reserve(firm, "firm", rho=Rho(0.1), request="open", at=AT))
    ACTS[act](state, AT - TOLERANCE)
    with pytest.raises(ClockWentBack) as caught:
        ACTS[act](state, AT - TOLERANCE - SECOND)
    assert (caught.value.at, caught.value.latest) == (
        (AT - TOLERANCE - SECOND).isoformat(),
        AT.isoformat(),
    )
    with pytest.raises(InvalidBound):
        ACTS[act](state, AT.replace(tzinfo=None))


def test_small_steps_back_do_not_add_up(firm: LedgerState) -> None:
    said = {"officer": "ann", "opinion": Opinion.APPROVE, "reason": "x"}
    state = after(firm, ledger.decide(firm, "run", **said, at=AT - TOLERANCE))
    assert state.latest == AT
    with pytest.raises(ClockWentBack):
        ledger.decide(state, "run", **said, at=AT - TOLERANCE - SECOND)


def test_an_entry_that_goes_back_in_time_breaks_the_chain(firm: LedgerState) -> None:
    past = Decided(
        request="run",
        officer="ann",
        opinion=Opinion.APPROVE,
        reason="x",
        at=AT - timedelta(days=1),
    )
    with pytest.raises(LedgerBroken, match="clock"):
        after(firm, past)
