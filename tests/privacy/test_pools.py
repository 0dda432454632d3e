import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import BudgetExceeded, InvalidBound, InvalidLoss
from privacy.loss import Delta, Rho, rounded_up
from privacy.pools import Account, exact, lineage, rounded
from privacy.windows import Budgets

LOSSES = st.floats(min_value=0, max_value=1e308).map(Rho)
DELTA = Delta(1e-6)
NOW = 24_000


def test_lineage_is_every_path_from_the_root() -> None:
    assert lineage("firm/risk/study") == ("firm", "firm/risk", "firm/risk/study")


@pytest.mark.parametrize("pool", ["", "/", "firm/", "/risk", "firm//risk"])
def test_a_path_has_no_empty_part(pool: str) -> None:
    with pytest.raises(InvalidBound):
        lineage(pool)


@given(LOSSES)
def test_an_exact_loss_is_the_loss_and_nothing_else(rho: Rho) -> None:
    assert Fraction(exact(rho), 2**1074) == Fraction(rho.value)
    assert rounded(exact(rho)) == rho


@given(st.lists(LOSSES, max_size=8))
def test_a_sum_is_rounded_up_once(losses: list[Rho]) -> None:
    total = sum((Fraction(rho.value) for rho in losses), Fraction(0))
    if total < Fraction(1.7e308):
        assert rounded(sum(map(exact, losses))).value == rounded_up(total)


def test_a_sum_beyond_floats_is_no_loss() -> None:
    with pytest.raises(InvalidLoss):
        rounded(exact(Rho(1.7e308)) * 2)


BUDGET = st.sampled_from([0.5, 1.0, 1.0 + 2**-52, 3.0])


@given(
    st.lists(st.tuples(st.integers(0, 20), st.floats(0, 0.5), st.booleans()), max_size=8),
    st.floats(0, 1),
    BUDGET,
    st.none() | BUDGET,
    st.none() | BUDGET,
)
def test_the_quick_look_admits_what_the_rule_admits(
    charges: list[tuple[int, float, bool]],
    asked: float,
    lifetime: float,
    year: float | None,
    month: float | None,
) -> None:
    budgets = Budgets(
        lifetime=Rho(lifetime),
        year=None if year is None else Rho(year),
        month=None if month is None else Rho(month),
    )
    account = Account(budgets=budgets, delta=DELTA)
    for ago, rho, spent in charges:
        amount = exact(Rho(rho))
        moved = {"spent": amount} if spent else {"reserved": amount}
        account = account.moved(NOW - ago, **moved)
    state = account.state(NOW)
    for request in (Rho(asked), state.remaining, Rho(math.nextafter(state.remaining.value, 9.0))):
        outcomes = []
        for rule in (state.admit, lambda rho, pool: account.admit(rho, pool, NOW)):
            try:
                rule(request, "firm")
            except BudgetExceeded as refusal:
                outcomes.append((refusal.window, refusal.remaining))
            else:
                outcomes.append(("", 0.0))
        assert outcomes[0] == outcomes[1]
        if state.remaining > Rho(0.0):
            assert bool(outcomes[0][0]) == (request > state.remaining)


def test_a_repair_spends_every_promise_and_adds_what_is_missing() -> None:
    account = Account(budgets=Budgets(lifetime=Rho(1.0)), delta=DELTA)
    account = account.moved(NOW - 1, reserved=exact(Rho(0.25))).moved(NOW, spent=exact(Rho(0.125)))
    state = account.repaired(NOW, charged=exact(Rho(0.5))).state(NOW)
    assert (state.spent, state.reserved) == (Rho(0.5), Rho(0.0))
    assert state.month.spent == Rho(0.25)
    less = account.repaired(NOW, charged=0).state(NOW)
    assert less.spent == Rho(0.375)


def test_what_was_dated_after_a_repair_counts_in_its_month() -> None:
    account = Account(budgets=Budgets(lifetime=Rho(1.0)), delta=DELTA)
    account = account.moved(NOW + 500, spent=exact(Rho(0.25)))
    assert account.repaired(NOW, charged=0).state(NOW).month.spent == Rho(0.25)
