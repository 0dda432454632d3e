"""Budgets over a calendar month, over twelve of them, and for life. Pure.

A charge belongs to the calendar month, in UTC, in which it was reserved. The year window is that
month and the eleven before it, so any twelve consecutive calendar months are held to the year's
budget. A window never gives anything back to the lifetime, which only grows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from privacy.errors import InvalidBound
from privacy.filters import remaining
from privacy.loss import Rho

MONTHS_A_YEAR = 12


class Window(StrEnum):
    """What a budget is for. The value completes "rho … left" in a message."""

    LIFETIME = "for life"
    YEAR = "in these twelve months"
    MONTH = "this month"


WINDOWS = tuple(Window)
"""The longest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What one pool may lose. Public.

    Attributes:
        lifetime: most that it may ever lose.
        year: most in a month and the eleven before it; None if only the lifetime limits it.
        month: most in one calendar month; None if only the longer windows limit it.
    """

    lifetime: Rho
    year: Rho | None = None
    month: Rho | None = None

    def over(self, window: Window) -> Rho | None:
        """Return the budget of a window, None if it has none."""
        if window is Window.LIFETIME:
            return self.lifetime
        return self.year if window is Window.YEAR else self.month


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """One window of one pool at one time. Public.

    Attributes:
        budget: most that may be lost in it; None if it has no budget of its own.
        spent: committed in it, rounded up.
        reserved: promised in it and not settled, rounded up.
    """

    budget: Rho | None
    spent: Rho
    reserved: Rho

    @property
    def remaining(self) -> Rho | None:
        """What the window has left, rounded down; None if it has no budget of its own."""
        if self.budget is None:
            return None
        return remaining(spent=self.spent, reserved=self.reserved, budget=self.budget)


def month_of(at: datetime) -> int:
    """Return the calendar month of a time, in UTC, as the number of months since year 0.

    Raises:
        InvalidBound: a time without a zone.
    """
    if at.utcoffset() is None:
        raise InvalidBound("at", "a time without a zone")
    utc = at.astimezone(UTC)
    return utc.year * MONTHS_A_YEAR + utc.month - 1


def summed(months: Mapping[int, tuple[int, int]], window: Window, month: int) -> tuple[int, int]:
    """Return spent and reserved of the month window or the year window that ends with a month."""
    if window is Window.MONTH:
        return months.get(month, (0, 0))
    year = range(month - MONTHS_A_YEAR + 1, month + 1)
    found = [months[m] for m in year if m in months]
    return sum(spent for spent, _ in found), sum(reserved for _, reserved in found)
