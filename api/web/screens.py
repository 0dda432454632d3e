"""The screens there are, and which roles see which. The console's navigation, and nothing else.

A screen that is not offered is not thereby forbidden: every page checks its caller itself.
"""

from dataclasses import dataclass

from api.errors import NotAllowed
from api.people.roles import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One place of the navigation. ``title`` is in English and is translated when it is shown."""

    path: str
    title: str
    roles: frozenset[str]


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_ASKERS = frozenset({"analyst", "researcher", "advisor"})
_DESK = frozenset({"privacy_officer", "auditor"})
_TRAINERS = frozenset({"analyst", "researcher"})

ASK = Screen(path="/ask", title=_("Ask"), roles=_ASKERS)
TRAINING = Screen(path="/training", title=_("Training room"), roles=_TRAINERS | {"node_operator"})
BUDGET = Screen(path="/budget", title=_("Budget"), roles=_ASKERS | _DESK)
STUDIO = Screen(path="/studio", title=_("Epsilon studio"), roles=_ASKERS | _DESK)
APPROVALS = Screen(path="/approvals", title=_("Approvals"), roles=_DESK)
WITHDRAWALS = Screen(path="/withdrawals", title=_("Withdrawals"), roles=_DESK)
CONSENT = Screen(path="/consent", title=_("Consent centre"), roles=frozenset({"steward", "client"}))
LEDGER = Screen(
    path="/ledger", title=_("Ledger and evidence"), roles=_ASKERS | _DESK | {"node_operator"}
)
SCREENS = (ASK, TRAINING, BUDGET, STUDIO, APPROVALS, WITHDRAWALS, CONSENT, LEDGER)
_HOME = {"privacy_officer": BUDGET, "auditor": LEDGER}


def screens_of(caller: Caller) -> tuple[Screen, ...]:
    """Return the screens of a role, in the order of the navigation."""
    return tuple(screen for screen in SCREENS if caller.role in screen.roles)


def home_of(caller: Caller) -> Screen:
    """Return the screen a role starts at."""
    return _HOME.get(caller.role) or screens_of(caller)[0]


def admit(caller: Caller, screen: Screen) -> None:
    """Let a caller see a screen, or raise NotAllowed."""
    if caller.role not in screen.roles:
        raise NotAllowed(caller.role, " or ".join(sorted(screen.roles)))
