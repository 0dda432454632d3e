"""Pools: their tree, their budgets and what they were charged, in exact numbers. Pure.

Every float64 is a whole multiple of 2^-1074, so sums of losses are kept as such whole numbers:
they have no order and no rounding. They are rounded, up, only when they are shown or compared.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from privacy.errors import InvalidBound, InvalidLoss
from privacy.filters import admit
from privacy.loss import Delta, Rho
from privacy.windows import WINDOWS, Budgets, Window, WindowState, summed

_POINT = 1074
_ONE = 1 << _POINT


@lru_cache(maxsize=4096)
def lineage(pool: str) -> tuple[str, ...]:
    """Return the paths that a charge to a pool reaches: "a/b" gives ("a", "a/b").

    Raises:
        InvalidBound: a part of the path is empty.
    """
    parts = pool.split("/")
    if not all(parts):
        raise InvalidBound("pool", repr(pool))
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def exact(rho: Rho) -> int:
    """Return a loss as a whole multiple of 2^-1074."""
    numerator, denominator = rho.value.as_integer_ratio()
    return numerator << (_POINT + 1 - denominator.bit_length())


def rounded(total: int) -> Rho:
    """Return the smallest loss that is not below a sum of exact ones.

    Raises:
        InvalidLoss: the sum passed the largest float64.
    """
    try:
        near = Rho(total / _ONE)
    except OverflowError as error:
        raise InvalidLoss("rho", math.inf) from error
    return near if exact(near) >= total else Rho(math.nextafter(near.value, math.inf))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What one pool holds at one time, its windows side by side. Public.

    Attributes:
        budget: most that it may ever lose, which is the lifetime's budget.
        delta: where its epsilon is shown.
        month: the calendar month, in UTC.
        year: that month and the eleven before it.
        lifetime: everything since the pool was opened. A crash leaves a promise in `reserved`.
    """

    budget: Rho
    delta: Delta
    month: WindowState
    year: WindowState
    lifetime: WindowState

    @property
    def spent(self) -> Rho:
        """Committed in it and in the pools below it since it was opened, rounded up."""
        return self.lifetime.spent

    @property
    def reserved(self) -> Rho:
        """Promised and not settled, in it and below it, rounded up."""
        return self.lifetime.reserved

    @property
    def remaining(self) -> Rho:
        """What it has left now: the least of its windows; a request for exactly this fits it."""
        return min(left for _, held in self._windows if (left := held.remaining) is not None)

    def admit(self, rho: Rho, pool: str) -> None:
        """Let a request pass if every window has room for it.

        Args:
            rho: loss that is asked for.
            pool: the pool's path, for the message.

        Raises:
            BudgetExceeded: one has not; the longest such window is named.
        """
        for window, held in self._windows:
            if held.budget is not None:
                admit(held.spent, held.reserved, held.budget, rho, pool, window=window)

    @property
    def _windows(self) -> tuple[tuple[Window, WindowState], ...]:
        return tuple(zip(WINDOWS, (self.lifetime, self.year, self.month), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A pool's budgets and sums. Amounts are whole multiples of 2^-1074.

    Attributes:
        budgets: what it may lose.
        delta: where its epsilon is shown.
        spent: committed, ever.
        reserved: promised and not settled.
        months: both again for each calendar month in which they were reserved.
    """

    budgets: Budgets
    delta: Delta
    spent: int = 0
    reserved: int = 0
    months: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def charged(self) -> int:
        """Everything that weighs on it: what is promised counts as spent."""
        return self.spent + self.reserved

    def within(self, window: Window, month: int) -> tuple[int, int]:
        """Return what is spent and reserved in a window that ends with a month."""
        if window is Window.LIFETIME:
            return self.spent, self.reserved
        return summed(self.months, window, month)

    def admit(self, rho: Rho, pool: str, month: int) -> None:
        """Let a request pass if every window has room for it, as `PoolState.admit`.

        Raises:
            BudgetExceeded: one has not; the longest such window is named.
        """
        amount = exact(rho)
        for window in WINDOWS:
            budget = self.budgets.over(window)
            if budget is None:
                continue
            spent, reserved = self.within(window, month)
            total = spent + reserved + amount
            # Far off the rule need not be asked: it rounds up by less than 2^-51 of a sum.
            if total + (total >> 50) + 2 > exact(budget):
                self.state(month).admit(rho, pool)
                return

    def moved(self, month: int, *, spent: int = 0, reserved: int = 0) -> "Account":
        """Return the account after a change of what was charged in a month."""
        before = self.months.get(month, (0, 0))
        return Account(
            budgets=self.budgets,
            delta=self.delta,
            spent=self.spent + spent,
            reserved=self.reserved + reserved,
            months={**self.months, month: (before[0] + spent, before[1] + reserved)},
        )

    def repaired(self, month: int, *, charged: int) -> "Account":
        """Return the account with every promise spent and at least so much charged.

        What is added counts in the month of the repair, and so does what was dated after it.
        """
        months: dict[int, tuple[int, int]] = {}
        for dated, (spent, reserved) in self.months.items():
            kept = min(dated, month)
            months[kept] = (months.get(kept, (0, 0))[0] + spent + reserved, 0)
        settled = Account(budgets=self.budgets, delta=self.delta, spent=self.charged, months=months)
        return settled.moved(month, spent=max(charged - self.charged, 0))

    def on_terms(self, budgets: Budgets, delta: Delta) -> "Account":
        """Return the account with other budgets; what was charged stays."""
        return Account(
            budgets=budgets,
            delta=delta,
            spent=self.spent,
            reserved=self.reserved,
            months=self.months,
        )

    def state(self, month: int) -> PoolState:
        """Return what the pool holds in a month."""
        lifetime, year, month_ = (self._window(window, month) for window in WINDOWS)
        return PoolState(
            budget=self.budgets.lifetime,
            delta=self.delta,
            month=month_,
            year=year,
            lifetime=lifetime,
        )

    def _window(self, window: Window, month: int) -> WindowState:
        spent, reserved = self.within(window, month)
        return WindowState(
            budget=self.budgets.over(window), spent=rounded(spent), reserved=rounded(reserved)
        )
