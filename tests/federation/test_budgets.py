"""Budgets as policies state them, and how a ledger is kept to a policy."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from federation.budgets import POLICY_FILE, budgets_of, check_order, keep_to_policy, rho_of
from federation.coordinator.policy import load_policy
from federation.database import open_database
from federation.errors import SettingsInvalid
from privacy.entries import Changed, Opened
from privacy.errors import BudgetBelowSpent, BudgetExceeded
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of
from privacy.store import Ledger
from privacy.windows import Budgets

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
WHY = "the board's decision of 3 May"
POLICY = """
delta = 1e-6
automatic_epsilon = 1.0
reason = "the board's decision of 3 May"
[firm]
epsilon = 8.0
year_epsilon = 3.0
month_epsilon = 0.5
[purposes.review]
epsilon = 6.0
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(open_database(f"sqlite:///{tmp_path / 'ledger.db'}"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def test_a_budget_in_rho_never_implies_more_than_its_epsilon() -> None:
    budgets = budgets_of(lifetime=8.0, year=3.0, month=0.5, delta=1e-6)
    for rho, epsilon in ((budgets.lifetime, 8.0), (budgets.year, 3.0), (budgets.month, 0.5)):
        assert rho is not None
        assert 0.999 * epsilon < epsilon_of(rho, DELTA).value <= epsilon
    assert budgets_of(lifetime=8.0, year=None, month=None, delta=1e-6) == Budgets(
        lifetime=rho_of(8.0, 1e-6)
    )


@pytest.mark.parametrize(
    ("lifetime", "year", "month"), [(1.0, 2.0, None), (1.0, None, 2.0), (3.0, 1.0, 2.0)]
)
def test_a_shorter_window_never_has_more_than_a_longer_one(
    lifetime: float, year: float | None, month: float | None
) -> None:
    with pytest.raises(ValueError, match="is more than"):
        check_order(lifetime=lifetime, year=year, month=month)
    check_order(lifetime=2.0, year=2.0, month=2.0)


def test_the_coordinators_policy_gives_each_pool_its_windows(file: Path) -> None:
    policy = load_policy(file)
    firm, review = policy.budgets().values()
    assert list(policy.budgets()) == ["firm", "firm/review"]
    assert firm.month == rho_of(0.5, 1e-6)
    assert (review.year, review.month) == (None, None)
    assert policy.reason == WHY


def test_windows_out_of_order_are_refused_with_file_and_key(file: Path) -> None:
    file.write_text(POLICY.replace("year_epsilon = 3.0", "year_epsilon = 9.0"))
    with pytest.raises(SettingsInvalid, match=r"policy\.toml.*firm.*year_epsilon is more than"):
        load_policy(file)


def keep(ledger: Ledger, pools: dict[str, Budgets]) -> None:
    keep_to_policy(ledger, pools, DELTA, reason=WHY, at=AT)


def test_a_policy_is_kept_to_once_and_a_change_of_it_is_an_entry(ledger: Ledger) -> None:
    pools = {"firm": Budgets(lifetime=Rho(2.0)), "firm/review": Budgets(lifetime=Rho(1.0))}
    for _ in range(2):
        keep(ledger, pools)
    assert [type(entry.event) for entry in ledger.entries()] == [Opened, Opened]
    for _ in range(2):
        keep(ledger, pools | {"firm": Budgets(lifetime=Rho(2.0), month=Rho(0.5))})
    (change,) = [entry.event for entry in ledger.entries()][2:]
    assert change == Changed(
        pool="firm",
        budget=Rho(2.0),
        delta=DELTA,
        reason=WHY,
        who=POLICY_FILE,
        at=AT,
        month=Rho(0.5),
    )
    with pytest.raises(BudgetExceeded, match="this month"):
        ledger.reserve("firm/review", Rho(0.75), "r", AT)


def test_a_pool_the_policy_no_longer_names_keeps_its_terms(ledger: Ledger) -> None:
    keep(ledger, {"firm": Budgets(lifetime=Rho(2.0)), "firm/review": Budgets(lifetime=Rho(1.0))})
    keep(ledger, {"firm": Budgets(lifetime=Rho(2.0))})
    assert len(ledger.entries()) == 2


def test_a_policy_cannot_take_back_what_is_spent(ledger: Ledger) -> None:
    keep(ledger, {"firm": Budgets(lifetime=Rho(2.0))})
    ledger.reserve("firm", Rho(1.5), "r", AT)
    with pytest.raises(BudgetBelowSpent):
        keep(ledger, {"firm": Budgets(lifetime=Rho(1.0))})
    assert ledger.state("firm", AT).budget == Rho(2.0)
