"""What the past says: under another policy, and about how long a budget lasts.

Pure, over ledger entries only. What the ledger refused at the time is not in it, so a replay shows
who would have been refused, never who would have been let in.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from privacy.entries import Abandoned, Changed, Decided, Entry, Opened, Repaired, Reserved
from privacy.errors import BudgetExceeded, InvalidBound, LedgerBroken, UnknownPool
from privacy.filters import remaining
from privacy.loss import Delta, Epsilon, Rho, rounded_up
from privacy.mechanisms import epsilon_of
from privacy.odds import rho_near
from privacy.planning import positive
from privacy.pools import Account, exact, lineage, rounded
from privacy.windows import Budgets, month_of

DAY = timedelta(days=1)
LEAST_HISTORY = 14 * DAY
"""An hour of history is no pace."""
_LAST = datetime.max.replace(tzinfo=UTC) - 2 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Another policy. What it leaves out stays as it was.

    Attributes:
        budgets: epsilon per pool, for pools that get another one.
        delta: where all budgets are stated; a pool keeps its epsilon when only delta changes.
        rho_factor: by what the rho of every plan is multiplied, finite and above 0.
        since: when it comes into force, with a time zone; earlier entries are charged as they were.

    InvalidBound: the factor is out of range, or `since` has no zone.
    """

    budgets: Mapping[str, Epsilon] = field(default_factory=dict)
    delta: Delta | None = None
    rho_factor: float = 1.0
    since: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what no policy can say."""
        positive("rho_factor", self.rho_factor)
        if self.since is not None:
            _zoned("since", self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One reservation of the period (a ledger entry), as it would have gone.

    `rho_then` is what it cost, `rho_now` what it would have. `refused_by` is the pool that would
    have refused it, with `remaining` rho left at that moment; both None if it passes.
    """

    entry: int
    request: str
    pool: str
    at: datetime
    rho_then: Rho
    rho_now: Rho
    refused_by: str | None
    remaining: Rho | None

    @property
    def error_factor(self) -> float:
        """By how much its errors would have grown: noise is as wide as 1 / sqrt(rho)."""
        return math.sqrt(self.rho_then.value / self.rho_now.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One pool at the end of a replay: `charged` is spent or reserved.

    It refuses first at `first_refusal`, and at the period's burn it `lasts_until`; None if never.
    """

    budget: Rho
    charged: Rho
    remaining: Rho
    first_refusal: datetime | None
    lasts_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A period under another policy: every reservation in it, every pool at its end.

    enough_history: whether the period is two weeks at least, so that its burn is a pace at all.
    """

    requests: tuple[Replayed, ...]
    pools: Mapping[str, Outlook]
    enough_history: bool

    @property
    def refused(self) -> tuple[Replayed, ...]:
        """The reservations that would have been refused."""
        return tuple(request for request in self.requests if request.refused_by is not None)


def replay(entries: Iterable[Entry], proposal: Proposal) -> Replay:
    """Run a ledger's past again under a proposal.

    Each reservation since the proposal is charged, at its new rho, to its pool and those above it,
    or refused if a window of one of them has less left; a refused one is charged nowhere. An
    abandoned one is freed, one that was never settled stays charged.

    Args:
        entries: a ledger from its first entry on, verified.
        proposal: the other policy.

    Raises:
        UnknownPool: the proposal, or an entry, names a pool that was never opened.
        LedgerBroken: an entry settles what was never reserved.
        InvalidLoss: a budget's epsilon is 0 or absurd.
    """
    pools: dict[str, _Pool] = {}
    history: dict[str, Replayed] = {}
    judged: dict[str, Replayed] = {}
    start = end = None
    for entry in entries:
        event = entry.event
        end = event.at
        if start is None and end >= (proposal.since or end):
            start = proposal.since or end
            for pool in pools.values():
                pool.before = pool.account.charged
        if isinstance(event, Opened | Changed):
            _set_terms(event, pools, proposal)
        elif isinstance(event, Repaired):
            _charge_lost(event, pools)
        elif isinstance(event, Decided):
            continue
        elif isinstance(event, Reserved):
            asked = _asked(entry.index, event, pools, proposal if start else None)
            (judged if start else history)[event.request] = asked
            _move(asked, pools, reserved=1)
        elif (settled := judged.get(event.request) or history.get(event.request)) is None:
            raise LedgerBroken(entry.index, "settles what was never reserved")
        else:
            _move(settled, pools, reserved=-1, spent=0 if isinstance(event, Abandoned) else 1)
    if unknown := sorted(proposal.budgets.keys() - pools.keys()):
        raise UnknownPool(unknown[0])
    outlooks = {name: _outlook(pool, start, end) for name, pool in pools.items()}
    enough = start is not None and end is not None and end - start >= LEAST_HISTORY
    return Replay(requests=tuple(judged.values()), pools=outlooks, enough_history=enough)


@dataclass(slots=True, kw_only=True)
class _Pool:
    account: Account
    before: int = 0
    first_refusal: datetime | None = None


def _budgets(event: Opened | Changed, proposal: Proposal) -> Budgets:
    """Return a pool's budgets under the proposal, which names another lifetime, delta or both."""

    def converted(budget: Rho, epsilon: Epsilon | None = None) -> Rho:
        if epsilon is None and delta == event.delta:
            return budget
        return rho_near(epsilon or epsilon_of(budget, event.delta), delta)

    delta = proposal.delta or event.delta
    return Budgets(
        lifetime=converted(event.budget, proposal.budgets.get(event.pool)),
        year=event.year and converted(event.year),
        month=event.month and converted(event.month),
    )


def _set_terms(event: Opened | Changed, pools: dict[str, _Pool], proposal: Proposal) -> None:
    account = Account(budgets=_budgets(event, proposal), delta=event.delta)
    pool = pools.setdefault(event.pool, _Pool(account=account))
    pool.account = pool.account.on_terms(account.budgets, event.delta)


def _charge_lost(event: Repaired, pools: Mapping[str, _Pool]) -> None:
    for name, rho in event.charged:
        if (pool := pools.get(name)) is not None:
            pool.account = pool.account.repaired(month_of(event.at), charged=exact(rho))


def _find(name: str, pools: Mapping[str, _Pool]) -> _Pool:
    if name not in pools:
        raise UnknownPool(name)
    return pools[name]


def _asked(
    index: int, event: Reserved, pools: Mapping[str, _Pool], proposal: Proposal | None
) -> Replayed:
    """Judge a reservation under the proposal; without one it passes as it did."""
    rho, refused_by, left = event.rho, None, None
    if proposal is not None:
        rho = Rho(rounded_up(Fraction(event.rho.value) * Fraction(proposal.rho_factor)))
        for name in lineage(event.pool):
            pool = _find(name, pools)
            try:
                pool.account.admit(rho, name, month_of(event.at))
            except BudgetExceeded as refusal:
                refused_by, left = name, Rho(refusal.remaining)
                pool.first_refusal = pool.first_refusal or event.at
                break
    return Replayed(
        entry=index,
        request=event.request,
        pool=event.pool,
        at=event.at,
        rho_then=event.rho,
        rho_now=rho,
        refused_by=refused_by,
        remaining=left,
    )


def _move(asked: Replayed, pools: Mapping[str, _Pool], *, reserved: int, spent: int = 0) -> None:
    if asked.refused_by is None:
        amount, month = exact(asked.rho_now), month_of(asked.at)
        for pool in (_find(name, pools) for name in lineage(asked.pool)):
            pool.account = pool.account.moved(
                month, spent=spent * amount, reserved=reserved * amount
            )


def _outlook(pool: _Pool, start: datetime | None, end: datetime | None) -> Outlook:
    account, until = pool.account, None
    budget = account.budgets.lifetime
    left = remaining(
        spent=rounded(account.spent), reserved=rounded(account.reserved), budget=budget
    )
    if start is not None and end is not None and end > start:
        burned = rounded(max(account.charged - pool.before, 0))
        until = lasts_until(left, burned.value / ((end - start) / DAY), now=end)
    return Outlook(
        budget=budget,
        charged=rounded(account.charged),
        remaining=left,
        first_refusal=pool.first_refusal,
        lasts_until=until,
    )


def burn_rate(spends: Iterable[tuple[datetime, Rho]], *, since: datetime, until: datetime) -> float:
    """Return the rho per day that was spent from `since` up to, not including, `until`.

    InvalidBound: `until` is not after `since`, or a time has no zone.
    """
    if _zoned("until", until) <= _zoned("since", since):
        raise InvalidBound("until", f"{until} is not after {since}")
    spent = sum(rho.value for at, rho in spends if since <= _zoned("a spend", at) < until)
    return spent / ((until - since) / DAY)


def lasts_until(remaining: Rho, rho_per_day: float, *, now: datetime) -> datetime | None:
    """Return when a pool is exhausted at a burn; None if nothing burns or the calendar ends first.

    InvalidBound: the burn is not finite and at least 0, or `now` has no zone.
    """
    _zoned("now", now)
    if not (math.isfinite(rho_per_day) and rho_per_day >= 0):
        raise InvalidBound("rho_per_day", rho_per_day)
    if remaining.value == 0:
        return now
    days = remaining.value / rho_per_day if rho_per_day else math.inf
    return now + days * DAY if days < (_LAST - now) / DAY else None


def _zoned(what: str, at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise InvalidBound(what, "a time without a zone")
    return at
