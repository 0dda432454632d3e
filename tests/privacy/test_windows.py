"""Windows: what counts in a month and in twelve, by UTC, whatever the asker's clock shows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import ledger
from privacy.entries import Event, sealed
from privacy.errors import BudgetExceeded, InvalidBound
from privacy.ledger import follow
from privacy.ledger_state import EMPTY, LedgerState
from privacy.loss import ZERO_RHO, Delta, Rho
from privacy.windows import Budgets, Window, WindowState, month_of, summed

DELTA = Delta(1e-6)
START = datetime(2026, 1, 15, tzinfo=UTC)
MONTH, YEAR = Rho(1.0), Rho(3.0)


def month(n: int) -> datetime:
    """Return the 15th of a month, n months after January 2026."""
    return START.replace(year=2026 + n // 12, month=n % 12 + 1)


def after(state: LedgerState, event: Event | None) -> LedgerState:
    assert event is not None
    return follow(state, [sealed(state.length, state.head, event)])


def opened(*, lifetime: Rho = Rho(99.0), at: datetime = START) -> LedgerState:  # noqa: B008 - frozen
    terms = ledger.open_pool(
        EMPTY, "firm", budget=lifetime, delta=DELTA, at=at, year=YEAR, month=MONTH
    )
    return after(EMPTY, terms)


def reserved(state: LedgerState, rho: float, at: datetime) -> LedgerState:
    name = f"r{state.length}"
    return after(state, ledger.reserve(state, "firm", rho=Rho(rho), request=name, at=at))


def test_a_month_begins_and_ends_in_utc() -> None:
    taipei = timezone(timedelta(hours=8))
    assert month_of(datetime(2026, 3, 1, 7, 59, tzinfo=taipei)) == month_of(month(1))
    assert month_of(datetime(2026, 3, 1, 8, 0, tzinfo=taipei)) == month_of(month(2))
    assert month_of(month(12)) - month_of(month(0)) == 12
    with pytest.raises(InvalidBound):
        month_of(datetime(2026, 3, 1))  # noqa: DTZ001 - what is refused


def test_a_month_gives_its_budget_anew_and_a_year_its_own() -> None:
    state = opened()
    for n in range(3):
        state = reserved(state, 1.0, month(n))
        with pytest.raises(BudgetExceeded) as caught:
            ledger.reserve(state, "firm", rho=Rho(1e-9), request="more", at=month(n))
        assert caught.value.window == (Window.MONTH if n < 2 else Window.YEAR)
        assert caught.value.remaining == 0.0
    for n in range(3, 12):
        with pytest.raises(BudgetExceeded, match="twelve months"):
            ledger.reserve(state, "firm", rho=Rho(1e-9), request="more", at=month(n))
    state = reserved(state, 1.0, month(12))
    assert state.pool("firm").year.remaining == ZERO_RHO


def test_the_lifetime_never_gives_anything_back() -> None:
    state = reserved(opened(lifetime=Rho(1.5)), 1.0, month(0))
    state = reserved(state, 0.5, month(30))
    with pytest.raises(BudgetExceeded, match="for life"):
        ledger.reserve(state, "firm", rho=Rho(1e-9), request="more", at=month(200))


def test_the_windows_stand_side_by_side() -> None:
    state = reserved(reserved(opened(), 0.75, month(0)), 0.5, month(11))
    state = after(state, ledger.commit(state, "r1", at=month(11)))
    now, later = state.pool("firm"), state.pool("firm", month(12))
    assert now.month == WindowState(budget=MONTH, spent=ZERO_RHO, reserved=Rho(0.5))
    assert now.year == WindowState(budget=YEAR, spent=Rho(0.75), reserved=Rho(0.5))
    assert now.lifetime == WindowState(budget=Rho(99.0), spent=Rho(0.75), reserved=Rho(0.5))
    assert (now.remaining, later.remaining) == (Rho(0.5), Rho(1.0))
    assert later.year.spent == ZERO_RHO
    assert later.lifetime == now.lifetime


def test_a_request_for_exactly_what_remains_fits() -> None:
    state = reserved(opened(), 0.1, month(0))
    left = state.pool("firm").remaining
    assert reserved(state, left.value, month(0)).pool("firm").remaining < Rho(1e-15)


def test_a_window_without_a_budget_of_its_own_limits_nothing() -> None:
    budgets = Budgets(lifetime=Rho(2.0))
    assert [budgets.over(window) for window in Window] == [Rho(2.0), None, None]
    assert WindowState(budget=None, spent=Rho(5.0), reserved=ZERO_RHO).remaining is None


def test_a_charge_settled_next_month_stays_in_the_month_of_its_promise() -> None:
    state = reserved(opened(), 1.0, month(0))
    given_back = after(state, ledger.abandon(state, "r1", at=month(1)))
    assert given_back.pool("firm", month(1)).month.reserved == ZERO_RHO
    assert given_back.pool("firm").year.reserved == ZERO_RHO
    spent = after(state, ledger.commit(state, "r1", at=month(1)))
    assert spent.pool("firm").month.spent == ZERO_RHO
    assert spent.pool("firm").year.spent == Rho(1.0)


def test_a_clock_a_little_behind_charges_the_month_that_has_begun() -> None:
    midnight = datetime(2026, 2, 1, tzinfo=UTC)
    state = reserved(opened(), 0.25, midnight)
    state = reserved(state, 0.5, midnight - timedelta(seconds=30))
    assert state.pool("firm").month.reserved == Rho(0.75)


Sums = Callable[[dict[int, tuple[int, int]], Window, int], tuple[int, int]]


def calendar_only(
    months: dict[int, tuple[int, int]], window: Window, month: int
) -> tuple[int, int]:
    """The saboteur: a year is what the calendar calls one, so December and January are free."""
    if window is Window.YEAR:
        held = {m: sums for m, sums in months.items() if m // 12 == month // 12}
        return sum(s for s, _ in held.values()), sum(r for _, r in held.values())
    return summed(months, window, month)


def most_in_a_year(rule: Sums, asked: list[tuple[int, float]]) -> Fraction:
    """Spend whatever a rule lets through; return the most within any twelve months in a row."""
    months: dict[int, tuple[int, int]] = {}
    now = 0
    for wait, rho in asked:
        now += wait
        amount = int(Fraction(rho) * 2**60)
        year, this = (sum(rule(months, window, now)) for window in (Window.YEAR, Window.MONTH))
        if year + amount <= 3 * 2**60 and this + amount <= 2**60:
            spent, reserved = months.get(now, (0, 0))
            months[now] = (spent + amount, reserved)
    totals = [
        sum(spent for m, (spent, _) in months.items() if first <= m < first + 12)
        for first in range(now + 1)
    ]
    return Fraction(max(totals), 2**60)


ASKED = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), max_size=40)


@given(ASKED)
def test_any_twelve_months_in_a_row_are_held_to_the_years_budget(
    asked: list[tuple[int, float]],
) -> None:
    assert most_in_a_year(summed, asked) <= 3


def test_a_year_that_begins_in_january_is_caught() -> None:
    hungry = [(9, 1.0), (1, 1.0), (1, 1.0), (1, 1.0), (1, 1.0), (1, 1.0)]
    assert most_in_a_year(summed, hungry) == 3
    assert most_in_a_year(calendar_only, hungry) == 6


@given(ASKED)
def test_the_ledger_admits_what_these_sums_admit(asked: list[tuple[int, float]]) -> None:
    state, now = opened(), 0
    books: dict[int, Fraction] = {}
    for wait, rho in asked:
        now += wait
        this = books.get(now, Fraction(0)) + Fraction(rho)
        year = sum(part for m, part in books.items() if m > now - 12) + Fraction(rho)
        try:
            state = reserved(state, rho, month(now))
        except BudgetExceeded:
            assert this > 1 - Fraction(1, 2**40) or year > 3 - Fraction(1, 2**40)
        else:
            assert this <= 1
            assert year <= 3
            books[now] = this
