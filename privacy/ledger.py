"""The ledger's rules: what may be promised, given what each pool has spent. Pure.

Pools form a tree by their paths, under one root: a reservation in "firm/risk/study" is charged to
it, to "firm/risk" and to "firm". A new study therefore has only what its purpose has left, and
nobody is charged in two trees. Each rule takes the state and returns the event to append, None if
it is there already, or refuses.

Guarantee: in every chain that `follow` accepts, at every entry, for every pool and each of its
windows, spent + reserved <= budget, where a reservation that was never settled (a crash) stays
reserved. Only a repair may leave more spent than the budget; nothing more is admitted then.
"""

import math
from collections.abc import Callable, Iterable
from datetime import datetime

from privacy.entries import (
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Event,
    Opened,
    Opinion,
    Repaired,
    Reserved,
    require_words,
    sealed,
)
from privacy.errors import (
    BudgetBelowSpent,
    LedgerBroken,
    LedgerConflict,
    PrivacyError,
    UnknownReservation,
)
from privacy.ledger_state import EMPTY, Books, LedgerState, Status
from privacy.loss import Delta, Rho
from privacy.pools import Account, PoolState, exact, lineage, rounded
from privacy.repairs import repair
from privacy.windows import Budgets, Window, month_of


def open_pool(
    state: LedgerState,
    pool: str,
    *,
    budget: Rho,
    delta: Delta,
    at: datetime,
    year: Rho | None = None,
    month: Rho | None = None,
) -> Opened | None:
    """Open a pool; opening it again on the same terms changes nothing.

    Budgets within one part in 10^9 are the same terms and the first one stands: a budget that is
    converted from epsilon may differ in its last digits on another machine.

    Raises:
        UnknownPool: a pool above it is not open.
        LedgerConflict: it is open on other terms, or would be a second root.
        ClockWentBack, InvalidBound: the time, as for every rule.
    """
    state.moment(at)
    above = lineage(pool)[:-1]
    for name in above:
        state.account(name)
    if (known := state.accounts.get(pool)) is None:
        if not above and state.accounts:
            raise LedgerConflict(pool, "would be a second root: open it below the first one")
        return Opened(pool=pool, budget=budget, delta=delta, at=at, year=year, month=month)
    if not _same_terms(known, Budgets(lifetime=budget, year=year, month=month), delta):
        raise LedgerConflict(pool, "is open on other terms: change its budget, with a reason")
    return None


def change(
    state: LedgerState,
    pool: str,
    *,
    budget: Rho,
    delta: Delta,
    reason: str,
    who: str,
    at: datetime,
    year: Rho | None = None,
    month: Rho | None = None,
) -> Changed | None:
    """Give a pool other budgets; the same terms change nothing, and nothing is ever unspent.

    Raises:
        BudgetBelowSpent: a budget is below what its window has spent or reserved.
        UnknownPool: it is not open.
        InvalidBound: no reason, or nobody who gives it.
    """
    moment = state.moment(at)
    require_words(reason=reason, who=who)
    account, budgets = state.account(pool), Budgets(lifetime=budget, year=year, month=month)
    if _same_terms(account, budgets, delta):
        return None
    for window in Window:
        spent = sum(account.within(window, month_of(moment)))
        limit = budgets.over(window)
        if limit is not None and spent > exact(limit):
            raise BudgetBelowSpent(pool, window, limit.value, rounded(spent).value)
    return Changed(
        pool=pool,
        budget=budget,
        delta=delta,
        reason=reason,
        who=who,
        at=at,
        year=year,
        month=month,
    )


def _same_terms(account: Account, budgets: Budgets, delta: Delta) -> bool:
    pairs = [(account.budgets.over(window), budgets.over(window)) for window in Window]
    return account.delta == delta and all(
        a == b or (a and b and math.isclose(a.value, b.value, rel_tol=1e-9)) for a, b in pairs
    )


def reserve(
    state: LedgerState, pool: str, *, rho: Rho, request: str, at: datetime
) -> Reserved | None:
    """Promise rho to a request; asking again on the same terms changes nothing.

    Raises:
        BudgetExceeded: a window of the pool, or of one above it, has less left.
        UnknownPool: the pool, or one above it, is not open.
        LedgerConflict: the request is known with other terms, or was abandoned.
    """
    moment = state.moment(at)
    known = state.reservations.get(request)
    if known is None:
        for name in lineage(pool):
            state.account(name).admit(rho, name, month_of(moment))
        return Reserved(pool=pool, rho=rho, request=request, at=at)
    if (known.pool, known.rho) != (pool, rho):
        raise LedgerConflict(request, "is reserved on other terms: name a new attempt")
    if known.status is Status.ABANDONED:
        raise LedgerConflict(request, "was abandoned: name a new attempt")
    return None


def commit(state: LedgerState, request: str, *, at: datetime) -> Committed | None:
    """Spend a reservation for good; committing again changes nothing.

    Raises:
        UnknownReservation: it was never reserved.
        LedgerConflict: it was abandoned.
    """
    state.moment(at)
    if _settled(state, request, Status.COMMITTED):
        return None
    return Committed(request=request, at=at)


def abandon(state: LedgerState, request: str, *, at: datetime) -> Abandoned | None:
    """Free a reservation of which nobody saw anything; abandoning again changes nothing.

    Raises:
        UnknownReservation: it was never reserved.
        LedgerConflict: it was committed.
    """
    state.moment(at)
    if _settled(state, request, Status.ABANDONED):
        return None
    return Abandoned(request=request, at=at)


def _settled(state: LedgerState, request: str, status: Status) -> bool:
    known = state.reservations.get(request)
    if known is None:
        raise UnknownReservation(request)
    if known.status not in (Status.RESERVED, status):
        raise LedgerConflict(request, f"is {known.status} already: what is settled stays settled")
    return known.status is status


def decide(
    state: LedgerState, request: str, *, officer: str, opinion: Opinion, reason: str, at: datetime
) -> Decided:
    """Keep an officer's opinion on a request, known to the ledger or not. It changes no pool.

    Raises:
        InvalidBound: a word is missing.
    """
    state.moment(at)
    require_words(request=request, officer=officer, reason=reason)
    return Decided(request=request, officer=officer, opinion=opinion, reason=reason, at=at)


_RULES: dict[type[Event], Callable[..., Event | None]] = {
    Opened: open_pool,
    Changed: change,
    Reserved: reserve,
    Committed: commit,
    Abandoned: abandon,
    Decided: decide,
    Repaired: repair,
}
"""Which rule writes which event; its keyword arguments are the event's fields."""


def follow(state: LedgerState, entries: Iterable[Entry]) -> LedgerState:
    """Fold more entries onto a state, checking each digest, each link of the chain and each rule.

    Raises:
        LedgerBroken: names the first entry that is not the one that was written.
    """
    return _followed(state, entries, read=False)


def follow_read(state: LedgerState, entries: Iterable[Entry]) -> LedgerState:
    """Fold entries whose digests `entries.from_text` has just checked; otherwise as `follow`."""
    return _followed(state, entries, read=True)


def _followed(state: LedgerState, entries: Iterable[Entry], *, read: bool) -> LedgerState:
    books = Books(state)
    for entry in entries:
        if entry.index != books.state.length:
            raise LedgerBroken(books.state.length, f"is missing, entry {entry.index} stands there")
        if entry.previous != books.state.head:
            raise LedgerBroken(entry.index, "does not continue the entry before it")
        if not read and entry != sealed(entry.index, entry.previous, entry.event):
            raise LedgerBroken(entry.index, "does not match its digest")
        event = entry.event
        told = {name: getattr(event, name) for name in event.__slots__}
        try:
            again = _RULES[type(event)](books.state, **told)
        except PrivacyError as error:
            raise LedgerBroken(entry.index, f"breaks a rule ({error})") from error
        if again is None:
            raise LedgerBroken(entry.index, "repeats what an earlier entry says")
        books.enter(entry)
    return books.state


def fold(entries: Iterable[Entry], at: datetime | None = None) -> dict[str, PoolState]:
    """Return what every pool holds after a whole chain, which is checked on the way.

    Args:
        entries: the chain, from its first entry on.
        at: when; by default and at the earliest when the last entry was written.

    Raises:
        LedgerBroken: names the first entry that is not the one that was written.
    """
    state = follow(EMPTY, entries)
    return {name: state.pool(name, at) for name in state.accounts}


def verify_chain(entries: Iterable[Entry]) -> str:
    """Check a whole chain and return its head digest, which an auditor compares with a kept one.

    A chain that was cut short is whole in itself: only a head kept elsewhere shows the loss.

    Raises:
        LedgerBroken: names the first entry that is not the one that was written.
    """
    return follow(EMPTY, entries).head
