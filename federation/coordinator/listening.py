"""Hearing from every department now and then, so that a stored answer goes stale when rows change.

A hello spends nothing and brings the name of the state of a department's rows.
"""

from collections.abc import Iterable
from contextlib import suppress

from federation.coordinator.desk import Desk
from federation.coordinator.sessions import Exchange, Sessions, greet
from federation.errors import FederationError

LISTEN_S = 60
"""While no run is there to take, departments are asked this often what state their rows are in."""
LISTEN_DEADLINE_S = 2.0
"""No longer than this, for a run that comes in meanwhile waits with it."""


def listen(
    desk: Desk, departments: Iterable[str], sessions: Sessions, exchange: Exchange, *, now: float
) -> None:
    """Greet whoever was not heard of lately and keep what they announce.

    Whoever does not answer is asked again next time; till then their last word holds.
    """
    for department in departments:
        with suppress(FederationError):
            greet(
                (department,),
                sessions,
                desk.evidence,
                exchange,
                now=now,
                deadline_s=LISTEN_DEADLINE_S,
            )
    desk.data_epochs.note_all(sessions)
