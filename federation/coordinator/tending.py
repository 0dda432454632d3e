"""What the ServerApp does for the desk while nobody asks: ends what ran out, begins what is due."""

from collections.abc import Callable
from datetime import datetime

import structlog

from federation.coordinator.approvals import settle_all
from federation.coordinator.desk import Desk
from federation.coordinator.tuning import carry_on_all
from federation.coordinator.watching import tick_all
from privacy.errors import PrivacyError

_log = structlog.get_logger(__name__)


def tend(desk: Desk, at: datetime) -> None:
    """Close authorizations and approvals whose time is over, tick the monitors, carry sweeps on.

    Authorizations that have ended are closed without this: it writes their end down. An error of
    the ledger waits: whoever asks next is told.
    """
    desk.register.expire(at)
    _unless_the_ledger_errs(settle_all, desk, at)
    _unless_the_ledger_errs(tick_all, desk, at)
    after_a_run(desk, at)


def after_a_run(desk: Desk, at: datetime) -> None:
    """Begin what waited for the run that has just ended: the next step of a sweep."""
    _unless_the_ledger_errs(carry_on_all, desk, at)


def _unless_the_ledger_errs(
    work: Callable[[Desk, datetime], object], desk: Desk, at: datetime
) -> None:
    try:
        work(desk, at)
    except PrivacyError as error:
        _log.error("approvals, monitors or sweeps wait", error=type(error).__name__)
