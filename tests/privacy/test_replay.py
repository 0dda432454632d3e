import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy import ledger
from privacy.entries import (
    GENESIS,
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Event,
    Opened,
    Opinion,
    Repaired,
    Reserved,
    sealed,
)
from privacy.errors import BudgetExceeded, InvalidBound, InvalidLoss, LedgerBroken, UnknownPool
from privacy.ledger import EMPTY, fold, follow
from privacy.loss import ZERO_RHO, Delta, Epsilon, Rho, rounded_up
from privacy.mechanisms import epsilon_of, rho_for
from privacy.odds import rho_near
from privacy.replay import Proposal, burn_rate, lasts_until, replay

DELTA = Delta(1e-6)
START = datetime(2026, 1, 1, tzinfo=UTC)
POOLS = ("firm", "firm/advice", "firm/risk")
AS_IT_WAS = Proposal()


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def chain(events: list[Event]) -> list[Entry]:
    entries: list[Entry] = []
    for index, event in enumerate(events):
        entries.append(sealed(index, entries[-1].digest if entries else GENESIS, event))
    return entries


def opened(budget: float = 10.0) -> list[Event]:
    return [Opened(pool=name, budget=Rho(budget), delta=DELTA, at=START) for name in POOLS]


def asked(n: int, pool: str, rho: float, *, end: type[Event] | None = Committed) -> list[Event]:
    """Reserve on day n; settle at once, or never."""
    events: list[Event] = [Reserved(pool=pool, rho=Rho(rho), request=f"r{n}", at=day(n))]
    if end is not None:
        events.append(end(request=f"r{n}", at=day(n)))  # type: ignore[call-arg]
    return events


ASKED = st.tuples(
    st.sampled_from(POOLS[1:]),
    st.floats(0.001, 0.2),
    st.sampled_from([Committed, Abandoned, None]),
)


def history(requests: list[tuple[str, float, type[Event] | None]]) -> list[Entry]:
    events = opened()
    for n, (pool, rho, end) in enumerate(requests, start=1):
        events += asked(n, pool, rho, end=end)
    return chain(events)


def by_the_rules(entries: list[Entry], budgets: dict[str, Rho], factor: float) -> list[str]:
    """Ask the ledger's own rules what they would have refused."""
    state, refused, written = EMPTY, [], []
    for event in (entry.event for entry in entries):
        if isinstance(event, Opened):
            kept: Event | None = ledger.open_pool(
                state, event.pool, budget=budgets[event.pool], delta=event.delta, at=event.at
            )
        elif isinstance(event, Reserved):
            rho = Rho(rounded_up(Fraction(event.rho.value) * Fraction(factor)))
            try:
                kept = ledger.reserve(
                    state, event.pool, rho=rho, request=event.request, at=event.at
                )
            except BudgetExceeded as refusal:
                refused.append(f"{event.request} {refusal.pool} {refusal.remaining}")
                continue
        else:
            kept = None if event.request in " ".join(refused).split() else event
        if kept is not None:
            written.append(kept)
            last = sealed(state.length, state.head, kept)
            state = follow(state, [last])
    return refused


@settings(max_examples=40)
@given(st.lists(ASKED, max_size=12), st.floats(0.2, 3), st.floats(0.2, 2), st.floats(0.2, 2))
def test_a_replay_refuses_what_the_ledgers_rules_would_have_refused(
    requests: list[tuple[str, float, type[Event] | None]],
    factor: float,
    firm: float,
    risk: float,
) -> None:
    entries = history(requests)
    budgets = {"firm": Epsilon(firm), "firm/risk": Epsilon(risk)}
    result = replay(entries, Proposal(budgets=budgets, rho_factor=factor))
    in_rho = {name: rho_near(epsilon, DELTA) for name, epsilon in budgets.items()}
    expected = by_the_rules(entries, in_rho | {"firm/advice": Rho(10.0)}, factor)
    assert [f"{r.request} {r.refused_by} {r.remaining.value}" for r in result.refused] == expected
    assert {r.request for r in result.requests} == {f"r{n + 1}" for n in range(len(requests))}


@given(st.lists(ASKED, max_size=12))
def test_under_the_policy_as_it_was_nothing_changes(
    requests: list[tuple[str, float, type[Event] | None]],
) -> None:
    entries = history(requests)
    result = replay(entries, AS_IT_WAS)
    assert not result.refused
    for name, pool in fold(entries).items():
        outlook = result.pools[name]
        assert (outlook.budget, outlook.remaining) == (pool.budget, pool.remaining)
        assert pool.spent + pool.reserved >= outlook.charged
        assert outlook.charged.value == pytest.approx((pool.spent + pool.reserved).value)
    assert all(r.rho_now == r.rho_then and r.error_factor == 1 for r in result.requests)


@given(st.lists(ASKED, min_size=1, max_size=12), st.floats(0.2, 2), st.floats(1, 2))
def test_a_larger_budget_never_brings_the_first_refusal_forward(
    requests: list[tuple[str, float, type[Event] | None]], epsilon: float, more: float
) -> None:
    entries = history(requests)
    small, large = (
        replay(entries, Proposal(budgets={"firm": Epsilon(e)})).pools["firm"].first_refusal
        for e in (epsilon, epsilon * more)
    )
    assert (small or datetime.max.replace(tzinfo=UTC)) <= (
        large or datetime.max.replace(tzinfo=UTC)
    )


def test_a_refusal_says_who_when_and_what_was_left() -> None:
    entries = chain([*opened(), *asked(1, "firm/risk", 0.02), *asked(2, "firm/risk", 0.02)])
    result = replay(entries, Proposal(budgets={"firm/risk": Epsilon(1.0)}))
    (refused,) = result.refused
    assert (refused.request, refused.pool, refused.refused_by) == ("r2", "firm/risk", "firm/risk")
    assert (refused.entry, refused.at) == (5, day(2))
    budget = rho_for(Epsilon(1.0), DELTA).value
    assert refused.remaining is not None
    assert refused.remaining.value == pytest.approx(budget - 0.02)
    assert result.pools["firm/risk"].first_refusal == day(2)
    assert result.pools["firm"].first_refusal is None
    assert result.pools["firm"].charged == Rho(0.02)


def test_errors_grow_with_one_over_the_root_of_rho() -> None:
    result = replay(chain([*opened(), *asked(1, "firm/risk", 0.02)]), Proposal(rho_factor=0.25))
    (one,) = result.requests
    assert (one.rho_then, one.rho_now, one.error_factor) == (Rho(0.02), Rho(0.005), 2.0)


def test_another_delta_keeps_the_epsilon_that_people_signed() -> None:
    tighter = replay(chain(opened(0.3)), Proposal(delta=Delta(1e-9))).pools["firm"].budget
    assert tighter.value < 0.3
    assert epsilon_of(tighter, Delta(1e-9)).value == pytest.approx(
        epsilon_of(Rho(0.3), DELTA).value, rel=1e-9
    )


def test_what_was_spent_before_the_proposal_stays_as_it_was() -> None:
    events = [*opened(), *asked(1, "firm/risk", 0.05), *asked(3, "firm/risk", 0.01)]
    proposal = Proposal(budgets={"firm": Epsilon(1.0)}, rho_factor=0.5, since=day(2))
    result = replay(chain(events), proposal)
    (only,) = result.requests
    assert (only.request, only.refused_by) == ("r3", "firm")
    assert only.remaining == ZERO_RHO  # a budget smaller than what is spent has nothing left
    assert result.pools["firm"].charged == Rho(0.05)
    assert result.pools["firm"].lasts_until == day(3)


def test_a_clock_that_went_back_does_not_leave_the_period() -> None:
    late, early = asked(5, "firm/risk", 0.01), asked(1, "firm/risk", 0.01)
    result = replay(chain([*opened(), *late, *early]), Proposal(since=day(4)))
    assert [r.request for r in result.requests] == ["r5", "r1"]
    assert result.pools["firm"].lasts_until is None  # no length, no burn


def test_an_abandoned_request_burns_nothing_and_an_open_one_does() -> None:
    events = opened(1.0) + asked(2, "firm/risk", 0.3, end=Abandoned)
    events += asked(4, "firm/advice", 0.1, end=None) + asked(10, "firm/advice", 0.1)
    pools = replay(chain(events), AS_IT_WAS).pools
    assert pools["firm/risk"].lasts_until is None
    assert pools["firm"].charged.value == pytest.approx(0.2)
    assert pools["firm"].lasts_until == pytest.approx(
        day(10) + timedelta(days=40), abs=timedelta(seconds=1)
    )


def test_a_ledger_that_contradicts_itself_or_the_proposal_is_refused() -> None:
    with pytest.raises(UnknownPool, match="firm/lost"):
        replay(chain(opened()), Proposal(budgets={"firm/lost": Epsilon(1.0)}))
    with pytest.raises(UnknownPool, match="firm/lost"):
        replay(chain([*opened(), *asked(1, "firm/lost", 0.1)]), AS_IT_WAS)
    with pytest.raises(LedgerBroken) as caught:
        replay(chain([*opened(), Committed(request="ghost", at=day(1))]), AS_IT_WAS)
    assert caught.value.entry == 3
    for epsilon in (0.0, 1e6):
        with pytest.raises(InvalidLoss):
            replay(chain(opened()), Proposal(budgets={"firm": Epsilon(epsilon)}))
    for factor in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidBound, match="rho_factor"):
            Proposal(rho_factor=factor)
    with pytest.raises(InvalidBound, match="since"):
        Proposal(since=datetime(2026, 1, 1))  # noqa: DTZ001 - the missing zone is the point


def test_burn_counts_what_lies_in_the_window() -> None:
    spends = [(day(n), Rho(0.1)) for n in (0, 1, 5, 10)]
    assert burn_rate(spends, since=day(0), until=day(10)) == pytest.approx(0.03)
    assert burn_rate([], since=day(0), until=day(10)) == 0
    with pytest.raises(InvalidBound, match="until"):
        burn_rate(spends, since=day(1), until=day(1))


def test_a_pool_lasts_as_long_as_its_burn_lets_it() -> None:
    assert lasts_until(Rho(0.3), 0.1, now=day(0)) == day(3)
    assert lasts_until(Rho(0.3), 0.0, now=day(0)) is None
    assert lasts_until(Rho(100.0), 1e-9, now=day(0)) is None
    assert lasts_until(ZERO_RHO, 0.0, now=day(0)) == day(0)
    for burn in (-1.0, math.nan, math.inf):
        with pytest.raises(InvalidBound):
            lasts_until(Rho(0.3), burn, now=day(0))


def test_a_replay_holds_each_pool_to_its_windows_and_to_what_they_became() -> None:
    first, *others = opened()
    assert isinstance(first, Opened)
    events = [replace(first, month=Rho(0.5)), *others, *asked(1, "firm/risk", 0.375)]
    events += asked(2, "firm/risk", 0.125) + asked(40, "firm/risk", 0.5)
    events.append(
        Decided(request="r41", officer="ann", opinion=Opinion.APPROVE, reason="q", at=day(40))
    )
    events.append(
        Changed(pool="firm", budget=Rho(10.0), delta=DELTA, reason="q", who="ann", at=day(40))
    )
    events += asked(41, "firm/risk", 0.5)
    a_quarter_more = replay(chain(events), Proposal(rho_factor=1.25))
    assert [(r.request, r.refused_by) for r in a_quarter_more.refused] == [
        ("r2", "firm"),
        ("r40", "firm"),
    ]
    assert not replay(chain(events), AS_IT_WAS).refused


def test_what_a_repair_charged_stays_charged_in_a_replay() -> None:
    events = [*opened(), *asked(1, "firm/risk", 0.375)]
    charged = tuple((pool, Rho(9.8)) for pool in POOLS)
    lost = Repaired(
        reason="q",
        who="ann",
        at=day(2),
        known_length=9,
        sealed_away=0,
        evidence="0" * 64,
        charged=charged,
    )
    result = replay(chain([*events, lost, *asked(3, "firm/risk", 0.15)]), Proposal(rho_factor=2.0))
    assert [r.request for r in result.refused] == ["r3"]


@pytest.mark.parametrize(("last", "enough"), [(10, False), (20, True)])
def test_a_pace_needs_two_weeks(last: int, enough: bool) -> None:  # noqa: FBT001 - a case
    events = [*opened(), *asked(1, "firm/risk", 0.01), *asked(last, "firm/risk", 0.01)]
    assert replay(chain(events), AS_IT_WAS).enough_history is enough
