"""What a ledger's entries add up to: its pools, its requests, its time. Pure.

The ledger's time is the latest that any entry told. A clock that is more than `TOLERANCE` behind it
is refused; one that is a little behind counts as it, so no charge falls into an earlier month.
"""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from privacy.entries import (
    GENESIS,
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Opened,
    Repaired,
    Reserved,
)
from privacy.errors import ClockWentBack, InvalidBound, UnknownPool
from privacy.loss import Rho
from privacy.pools import Account, PoolState, exact, lineage
from privacy.windows import Budgets, month_of

TOLERANCE = timedelta(minutes=1)
"""How far a clock may be behind the ledger's time: two hosts never have quite the same."""


class Status(StrEnum):
    """Where a reservation stands."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One request's promise, charged to the calendar month in which it was made."""

    pool: str
    rho: Rho
    month: int
    status: Status

    def settled(self, status: Status) -> "Reservation":
        """Return the promise after it was kept or given back."""
        return Reservation(pool=self.pool, rho=self.rho, month=self.month, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """What a chain says up to one entry.

    Attributes:
        length: number of entries.
        head: digest of the last one.
        latest: the ledger's time; None before the first entry.
        accounts: every pool that is open.
        reservations: every request that was ever promised anything.
        decisions: every opinion on a request, oldest first.
        carried: what a repair charged, and in which month, to a pool whose opening was lost.
    """

    length: int
    head: str
    latest: datetime | None
    accounts: Mapping[str, Account]
    reservations: ChainMap[str, Reservation]
    decisions: Mapping[str, tuple[Decided, ...]]
    carried: Mapping[str, tuple[int, int]]

    @property
    def charged(self) -> dict[str, int]:
        """What weighs on each pool, open or lost, as a whole multiple of 2^-1074."""
        lost = {name: amount for name, (_, amount) in self.carried.items()}
        return lost | {name: account.charged for name, account in self.accounts.items()}

    def account(self, pool: str) -> Account:
        """Return a pool's account.

        Raises:
            UnknownPool: it was never opened.
        """
        if pool not in self.accounts:
            raise UnknownPool(pool)
        return self.accounts[pool]

    def pool(self, pool: str, at: datetime | None = None) -> PoolState:
        """Return what a pool holds at a time: the ledger's own, or `at` if that is later.

        Raises:
            UnknownPool: it was never opened.
            InvalidBound: a time without a zone.
        """
        months = (month_of(time) for time in (self.latest, at) if time is not None)
        return self.account(pool).state(max(months))

    def moment(self, at: datetime) -> datetime:
        """Return what the ledger's time becomes when something happens at `at`.

        Raises:
            ClockWentBack: `at` is behind it by more than the tolerance.
            InvalidBound: a time without a zone.
        """
        if at.utcoffset() is None:
            raise InvalidBound("at", "a time without a zone")
        if self.latest is None:
            return at
        if at < self.latest - TOLERANCE:
            raise ClockWentBack(at.isoformat(), self.latest.isoformat())
        return max(at, self.latest)


EMPTY = LedgerState(
    length=0,
    head=GENESIS,
    latest=None,
    accounts={},
    reservations=ChainMap(),
    decisions={},
    carried={},
)


_MOST_LAYERS = 64


def _layered(below: ChainMap[str, Reservation]) -> ChainMap[str, Reservation]:
    """Put an empty layer on top, after pressing many into one."""
    if len(below.maps) < _MOST_LAYERS:
        return below.new_child()
    pressed: dict[str, Reservation] = {}
    for layer in reversed(below.maps):
        pressed.update(layer)
    return ChainMap({}, pressed)


class Books:
    """A state while entries are added to it. It only adds: the rules were asked before.

    The state it starts from stays as it was; of those it passes through only the last is to be
    kept. Pools are few and copied; requests are many, so the new ones lie in a layer over the old.
    """

    def __init__(self, state: LedgerState) -> None:
        """Copy what will change."""
        self._accounts = dict(state.accounts)
        self._reservations = _layered(state.reservations)
        self._decisions = dict(state.decisions)
        self._carried = dict(state.carried)
        self.state = state

    def enter(self, entry: Entry) -> None:
        """Add an entry that continues the state and that the rules allow."""
        event, before = entry.event, self.state
        latest = max(event.at, before.latest or event.at)
        match event:
            case Opened() | Changed():
                self._set_terms(event)
            case Reserved():
                promise = Reservation(
                    pool=event.pool,
                    rho=event.rho,
                    month=month_of(latest),
                    status=Status.RESERVED,
                )
                self._reservations[event.request] = promise
                self._move(promise, reserved=1)
            case Committed():
                self._move(self._settle(event.request, Status.COMMITTED), reserved=-1, spent=1)
            case Abandoned():
                self._move(self._settle(event.request, Status.ABANDONED), reserved=-1)
            case Decided():
                said = self._decisions.get(event.request, ())
                self._decisions[event.request] = (*said, event)
            case Repaired():
                self._repair(event)
                latest = event.at
        self.state = LedgerState(
            length=entry.index + 1,
            head=entry.digest,
            latest=latest,
            accounts=self._accounts,
            reservations=self._reservations,
            decisions=self._decisions,
            carried=self._carried,
        )

    def _set_terms(self, event: Opened | Changed) -> None:
        budgets = Budgets(lifetime=event.budget, year=event.year, month=event.month)
        if (known := self._accounts.get(event.pool)) is not None:
            self._accounts[event.pool] = known.on_terms(budgets, event.delta)
            return
        opened = Account(budgets=budgets, delta=event.delta)
        if event.pool in self._carried:
            month, amount = self._carried.pop(event.pool)
            opened = opened.moved(month, spent=amount)
        self._accounts[event.pool] = opened

    def _settle(self, request: str, status: Status) -> Reservation:
        settled = self._reservations[request].settled(status)
        self._reservations[request] = settled
        return settled

    def _move(self, promise: Reservation, *, reserved: int, spent: int = 0) -> None:
        amount = exact(promise.rho)
        for name in lineage(promise.pool):
            self._accounts[name] = self._accounts[name].moved(
                promise.month, spent=spent * amount, reserved=reserved * amount
            )

    def _repair(self, event: Repaired) -> None:
        month = month_of(event.at)
        for request, promise in self._reservations.items():
            if promise.status is Status.RESERVED:
                self._reservations[request] = promise.settled(Status.COMMITTED)
        for name, rho in event.charged:
            if name in self._accounts:
                known = self._accounts[name]
                self._accounts[name] = known.repaired(month, charged=exact(rho))
            else:
                self._carried[name] = (month, exact(rho))
