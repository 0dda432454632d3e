"""Budgets as people sign them, ε at δ over three windows, and as ledgers hold them, in ρ."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from privacy.errors import UnknownPool
from privacy.loss import Delta, Epsilon, Rho
from privacy.mechanisms import rho_for
from privacy.store import Ledger
from privacy.windows import Budgets

POLICY_FILE = "policy file"
"""Who changes a budget in the ledger when a policy file says another one."""

NOT_STATED = "not stated"

EpsilonBudget = Annotated[float, Field(gt=0, le=100)]
Reason = Annotated[str, Field(min_length=3, max_length=500)]


@cache
def rho_of(epsilon: float, delta: float) -> Rho:
    """Convert an ε at δ to ρ, rounded down. Once for each pair: the search takes 0.1 s."""
    return rho_for(Epsilon(value=epsilon), Delta(value=delta))


def budgets_of(
    *, lifetime: float, year: float | None, month: float | None, delta: float
) -> Budgets:
    """Return the budgets in ρ that belong to ε at δ; a window without one has none.

    Raises:
        InvalidLoss: an ε or δ out of range.
    """
    return Budgets(
        lifetime=rho_of(lifetime, delta),
        year=None if year is None else rho_of(year, delta),
        month=None if month is None else rho_of(month, delta),
    )


def check_order(*, lifetime: float, year: float | None, month: float | None) -> None:
    """Refuse a shorter window with more than a longer one, where it would mean nothing.

    Raises:
        ValueError: says which.
    """
    named = {"month_epsilon": month, "year_epsilon": year, "the lifetime's epsilon": lifetime}
    given = [(name, epsilon) for name, epsilon in named.items() if epsilon is not None]
    for (shorter, less), (longer, more) in pairwise(given):
        if less > more:
            msg = f"{shorter} is more than {longer}"
            raise ValueError(msg)


def keep_to_policy(
    ledger: Ledger,
    pools: Mapping[str, Budgets],
    delta: Delta,
    *,
    reason: str,
    at: datetime,
    who: str = POLICY_FILE,
) -> None:
    """Open a policy's pools, and change those that the ledger holds on other terms.

    A pool that is changed gets an entry that says so. A pool that the policy no longer names keeps
    its terms, and nobody asks from it.

    Args:
        ledger: the firm's or a department's.
        pools: path and budgets, each pool after those above it.
        delta: where epsilon is shown.
        reason: why the policy was last changed.
        at: now, with a time zone.
        who: whoever answers for a change.

    Raises:
        BudgetBelowSpent: a budget is below what its window has spent or reserved.
        LedgerBroken, ClockWentBack: by the ledger.
    """
    for pool, budgets in pools.items():
        lifetime, year, month = budgets.lifetime, budgets.year, budgets.month
        try:
            ledger.change(pool, lifetime, delta, at, year=year, month=month, reason=reason, who=who)
        except UnknownPool:
            ledger.open_pool(pool, lifetime, delta, at, year=year, month=month)
