"""What the ServerApp does for the desk while nobody asks: ends what has run out, begins ticks."""

from datetime import datetime

import structlog

from federation.coordinator.approvals import settle_all
from federation.coordinator.desk import Desk
from federation.coordinator.watching import tick_all
from privacy.errors import PrivacyError

_log = structlog.get_logger(__name__)


def tend(desk: Desk, at: datetime) -> None:
    """Close authorizations and approvals whose time is over, and tick the monitors.

    Authorizations that have ended are closed without this: it writes their end down. An error of
    the ledger waits: whoever asks next is told.
    """
    desk.register.expire(at)
    try:
        settle_all(desk, at)
        tick_all(desk, at)
    except PrivacyError as error:
        _log.error("approvals and monitors wait", error=type(error).__name__)
