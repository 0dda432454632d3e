"""The ledger's rules: what each pool has spent, what may be promised next. Pure.

Pools form a tree by their paths: a reservation in "firm/risk" is charged to "firm/risk" and "firm".
Each rule takes the state and returns the event to append, None if it is there already, or refuses.

Guarantee: in every chain that `follow` accepts, at every entry and for every pool,
spent + reserved <= budget, where a reservation that was never settled (a crash) stays reserved.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from privacy.entries import GENESIS, Abandoned, Committed, Entry, Event, Opened, Reserved, sealed
from privacy.errors import (
    InvalidBound,
    LedgerBroken,
    LedgerConflict,
    PrivacyError,
    UnknownPool,
    UnknownReservation,
)
from privacy.filters import admit, remaining
from privacy.loss import ZERO_RHO, Delta, Rho, rounded_up


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What one pool holds. Public.

    Attributes:
        budget: most that it may ever lose.
        delta: where its epsilon is shown.
        spent: committed in it and in the pools below it, rounded up.
        reserved: promised and not settled, in it and below it, rounded up. A crash leaves it here.
    """

    budget: Rho
    delta: Delta
    spent: Rho = ZERO_RHO
    reserved: Rho = ZERO_RHO

    @property
    def remaining(self) -> Rho:
        """What the pool has left, rounded down; a request for exactly this fits the pool."""
        return remaining(spent=self.spent, reserved=self.reserved, budget=self.budget)


class Status(StrEnum):
    """Where a reservation stands."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One request's promise."""

    pool: str
    rho: Rho
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """A pool with exact sums, so that neither order nor number of entries moves them."""

    budget: Rho
    delta: Delta
    spent: Fraction = Fraction(0)
    reserved: Fraction = Fraction(0)

    def moved(self, *, spent: Fraction, reserved: Fraction) -> "_Account":
        return _Account(
            budget=self.budget,
            delta=self.delta,
            spent=self.spent + spent,
            reserved=self.reserved + reserved,
        )

    def state(self) -> PoolState:
        return PoolState(
            budget=self.budget,
            delta=self.delta,
            spent=Rho(rounded_up(self.spent)),
            reserved=Rho(rounded_up(self.reserved)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """The fold of a chain: its length, its head digest, its pools and its requests."""

    length: int
    head: str
    accounts: Mapping[str, _Account]
    reservations: Mapping[str, Reservation]

    def pool(self, name: str) -> PoolState:
        """Return a pool's state.

        Raises:
            UnknownPool: it was never opened.
        """
        if name not in self.accounts:
            raise UnknownPool(name)
        return self.accounts[name].state()


EMPTY = LedgerState(length=0, head=GENESIS, accounts={}, reservations={})


def lineage(pool: str) -> tuple[str, ...]:
    """Return the paths that a charge to a pool reaches: "a/b" gives ("a", "a/b").

    Raises:
        InvalidBound: a part of the path is empty.
    """
    parts = pool.split("/")
    if not all(parts):
        raise InvalidBound("pool", repr(pool))
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def open_pool(
    state: LedgerState, pool: str, *, budget: Rho, delta: Delta, at: datetime
) -> Opened | None:
    """Open a pool; opening it again on the same terms changes nothing.

    Budgets within one part in 10^9 are the same terms and the first one stands: a budget that is
    converted from epsilon may differ in its last digits on another machine.

    Raises:
        UnknownPool: a pool above it is not open.
        LedgerConflict: it is open with another budget or delta.
    """
    for above in lineage(pool)[:-1]:
        state.pool(above)
    if pool not in state.accounts:
        return Opened(pool=pool, budget=budget, delta=delta, at=at)
    known = state.accounts[pool]
    same_budget = math.isclose(known.budget.value, budget.value, rel_tol=1e-9)
    if not same_budget or known.delta != delta:
        raise LedgerConflict(pool, "is open with another budget or delta: open a new pool instead")
    return None


def reserve(
    state: LedgerState, pool: str, *, rho: Rho, request: str, at: datetime
) -> Reserved | None:
    """Promise rho to a request; asking again on the same terms changes nothing.

    Raises:
        BudgetExceeded: the pool, or one above it, has less left.
        UnknownPool: the pool, or one above it, is not open.
        LedgerConflict: the request is known with other terms, or was abandoned.
    """
    known = state.reservations.get(request)
    if known is None:
        for name in lineage(pool):
            now = state.pool(name)
            admit(now.spent, now.reserved, now.budget, rho, name)
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
    if _settled(state, request, Status.COMMITTED):
        return None
    return Committed(request=request, at=at)


def abandon(state: LedgerState, request: str, *, at: datetime) -> Abandoned | None:
    """Free a reservation of which nobody saw anything; abandoning again changes nothing.

    Raises:
        UnknownReservation: it was never reserved.
        LedgerConflict: it was committed.
    """
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


def follow(state: LedgerState, entries: Iterable[Entry]) -> LedgerState:
    """Fold more entries onto a state, checking each link of the chain and each rule.

    Raises:
        LedgerBroken: names the first entry that is not the one that was written.
    """
    accounts, reservations = dict(state.accounts), dict(state.reservations)
    for entry in entries:
        if entry.index != state.length:
            raise LedgerBroken(state.length, f"is missing, entry {entry.index} stands there")
        if entry.previous != state.head:
            raise LedgerBroken(entry.index, "does not continue the entry before it")
        if entry != sealed(entry.index, entry.previous, entry.event):
            raise LedgerBroken(entry.index, "does not match its digest")
        _allow(state, entry)
        _apply(accounts, reservations, entry.event)
        state = LedgerState(
            length=entry.index + 1,
            head=entry.digest,
            accounts=accounts,
            reservations=reservations,
        )
    return state


def _allow(state: LedgerState, entry: Entry) -> None:
    """Refuse an entry that the rules would not have written."""
    event = entry.event
    again: Event | None
    try:
        match event:
            case Opened():
                again = open_pool(
                    state, event.pool, budget=event.budget, delta=event.delta, at=event.at
                )
            case Reserved():
                again = reserve(
                    state, event.pool, rho=event.rho, request=event.request, at=event.at
                )
            case Committed():
                again = commit(state, event.request, at=event.at)
            case Abandoned():
                again = abandon(state, event.request, at=event.at)
    except PrivacyError as error:
        raise LedgerBroken(entry.index, f"breaks a rule ({error})") from error
    if again is None:
        raise LedgerBroken(entry.index, "repeats what an earlier entry says")


def _apply(
    accounts: dict[str, _Account], reservations: dict[str, Reservation], event: Event
) -> None:
    if isinstance(event, Opened):
        accounts[event.pool] = _Account(budget=event.budget, delta=event.delta)
        return
    if isinstance(event, Reserved):
        pool, rho, status = event.pool, event.rho, Status.RESERVED
    else:
        known = reservations[event.request]
        pool, rho = known.pool, known.rho
        status = Status.COMMITTED if isinstance(event, Committed) else Status.ABANDONED
    amount = Fraction(rho.value)
    spent = amount if status is Status.COMMITTED else Fraction(0)
    reserved = amount if status is Status.RESERVED else -amount
    for name in lineage(pool):
        accounts[name] = accounts[name].moved(spent=spent, reserved=reserved)
    reservations[event.request] = Reservation(pool=pool, rho=rho, status=status)


def fold(entries: Iterable[Entry]) -> dict[str, PoolState]:
    """Return every pool's state after a whole chain, which is checked on the way.

    Raises:
        LedgerBroken: names the first entry that is not the one that was written.
    """
    state = follow(EMPTY, entries)
    return {name: account.state() for name, account in state.accounts.items()}


def verify_chain(entries: Iterable[Entry]) -> str:
    """Check a whole chain and return its head digest, which an auditor compares with a kept one.

    A chain that was cut short is whole in itself: only a head kept elsewhere shows the loss.

    Raises:
        LedgerBroken: names the first entry that is not the one that was written.
    """
    return follow(EMPTY, entries).head
