"""The privacy filter: refuse before the work."""

from fractions import Fraction

from privacy.errors import BudgetExceeded
from privacy.loss import Rho, rounded_down


def remaining(*, spent: Rho, reserved: Rho, budget: Rho) -> Rho:
    """Return what a pool has left, rounded down and never below 0. All arguments are public."""
    left = Fraction(budget.value) - Fraction(spent.value) - Fraction(reserved.value)
    return Rho(rounded_down(max(left, Fraction(0))))


def admit(
    spent: Rho, reserved: Rho, budget: Rho, requested: Rho, pool: str, *, window: str = "for life"
) -> None:
    """Let a request pass, or refuse it.

    Guarantee: returns only if spent + reserved + requested <= budget, compared without rounding.
    Mechanisms and losses may be chosen adaptively: while the sum of rho_i stays within a fixed rho
    on every path, the whole is rho-zCDP (Feldman and Zrnic 2021, Theorem 3.1, at every order).

    Args:
        spent: loss of what was released.
        reserved: loss of what is under way, or was when a process died.
        budget: most that the pool may lose.
        requested: loss that is asked for now.
        pool: name of the pool, for the message. All arguments are public.
        window: for what time the budget is, for the message (`windows.Window` has the words).

    Raises:
        BudgetExceeded: the pool has less left.
    """
    total = Fraction(spent.value) + Fraction(reserved.value) + Fraction(requested.value)
    if total > Fraction(budget.value):
        left = remaining(spent=spent, reserved=reserved, budget=budget)
        raise BudgetExceeded(pool, requested.value, left.value, window)
