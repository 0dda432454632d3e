"""Hearing from every department now and then, while nobody asks.

A hello spends nothing. It brings the name of the state of a department's rows, so that a stored
answer goes stale when they change, and takes along what is new in the consent register, so that
the department's own tools may go on.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from federation.coordinator.desk import Desk
from federation.coordinator.sessions import Exchange, Sessions, forget, greet, remember
from federation.errors import FederationError
from federation.messages import Ask
from federation.rounds import Leg, accepted

LISTEN_S = 60
"""While no run is there to take, departments are asked this often what state their rows are in."""
LISTEN_DEADLINE_S = 2.0
"""No longer than this, for a run that comes in meanwhile waits with it."""
REFRESH_S = 300
"""Consent that a department has held for so long is renewed: half of what it is good for."""


def listen(
    desk: Desk,
    departments: Iterable[str],
    sessions: Sessions,
    exchange: Exchange,
    *,
    consent: Callable[[str], bytes],
    now: float,
) -> None:
    """Greet whoever was not heard of lately, keep what they announce, renew their consent.

    Whoever does not answer is asked again next time; till then their last word holds.

    Args:
        desk: notes the states of rows.
        departments: of the roster.
        sessions: with each of them; changed.
        exchange: sends the hellos.
        consent: the sealed epoch delta for a department that has a session.
        now: seconds since the Unix epoch.
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
            if sessions[department].consented_at <= now - REFRESH_S:
                ask = Ask(leg="hello", consent=consent(department))
                _renew({department: ask}, sessions, exchange, now=now, desk=desk)
    desk.data_epochs.note_all(sessions)


def _renew(
    asks: dict[str, Ask], sessions: Sessions, exchange: Exchange, *, now: float, desk: Desk
) -> None:
    """Bring a department what is new in the register; one that refuses it is greeted anew.

    The first time it is the whole register, which may take as long as a leg.
    """
    leg = Leg(step="renewing consent", asks=asks, spends=False)
    try:
        answers = accepted(leg, exchange(asks, deadline_s=desk.settings.deadline_s))
    except FederationError as refusal:
        forget(refusal, sessions)
        raise
    remember(answers, sessions, now=now)
