"""What the past says: under another policy, about how long a budget lasts, about what epsilon buys.

Pure, over ledger entries and released figures only. What the ledger refused at the time is not in
it, so a replay shows who would have been refused, never who would have been let in.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from statistics import fmean

from privacy.entries import Abandoned, Entry, Opened, Reserved
from privacy.errors import BudgetExceeded, InvalidBound, LedgerBroken, UnknownPool
from privacy.filters import admit, remaining
from privacy.loss import Delta, Epsilon, Rho, rounded_up
from privacy.mechanisms import epsilon_of
from privacy.odds import rho_near
from privacy.planning import positive
from privacy.pools import lineage

DAY = timedelta(days=1)
_NONE = Fraction(0)
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
    """A period under another policy: every reservation in it, every pool at its end."""

    requests: tuple[Replayed, ...]
    pools: Mapping[str, Outlook]

    @property
    def refused(self) -> tuple[Replayed, ...]:
        """The reservations that would have been refused."""
        return tuple(request for request in self.requests if request.refused_by is not None)


def replay(entries: Iterable[Entry], proposal: Proposal) -> Replay:
    """Run a ledger's past again under a proposal.

    Each reservation since the proposal is charged, at its new rho, to its pool and those above it,
    or refused if one of them has less left; a refused one is charged nowhere. An abandoned one is
    freed, one that was never settled stays charged.

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
                pool.before = pool.spent + pool.reserved
        if isinstance(event, Opened):
            pools[event.pool] = _Pool(budget=_budget(event, proposal))
        elif isinstance(event, Reserved):
            asked = _asked(entry.index, event, pools, proposal if start else None)
            (judged if start else history)[event.request] = asked
            _move(asked, pools, Fraction(asked.rho_now.value), _NONE)
        elif (settled := judged.get(event.request) or history.get(event.request)) is None:
            raise LedgerBroken(entry.index, "settles what was never reserved")
        else:
            amount = Fraction(settled.rho_now.value)
            _move(settled, pools, -amount, _NONE if isinstance(event, Abandoned) else amount)
    if unknown := sorted(proposal.budgets.keys() - pools.keys()):
        raise UnknownPool(unknown[0])
    outlooks = {name: _outlook(pool, start, end) for name, pool in pools.items()}
    return Replay(requests=tuple(judged.values()), pools=outlooks)


@dataclass(slots=True, kw_only=True)
class _Pool:
    budget: Rho
    before: Fraction = _NONE
    spent: Fraction = _NONE
    reserved: Fraction = _NONE
    first_refusal: datetime | None = None

    @property
    def state(self) -> dict[str, Rho]:
        spent, reserved = (Rho(rounded_up(part)) for part in (self.spent, self.reserved))
        return {"spent": spent, "reserved": reserved, "budget": self.budget}


def _budget(opened: Opened, proposal: Proposal) -> Rho:
    delta = proposal.delta or opened.delta
    epsilon = proposal.budgets.get(opened.pool)
    if epsilon is None and delta == opened.delta:
        return opened.budget
    return rho_near(epsilon or epsilon_of(opened.budget, opened.delta), delta)


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
                admit(**pool.state, requested=rho, pool=name)
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


def _move(asked: Replayed, pools: dict[str, _Pool], reserved: Fraction, spent: Fraction) -> None:
    if asked.refused_by is None:
        for pool in (_find(name, pools) for name in lineage(asked.pool)):
            pool.reserved += reserved
            pool.spent += spent


def _outlook(pool: _Pool, start: datetime | None, end: datetime | None) -> Outlook:
    until, left, charged = None, remaining(**pool.state), pool.spent + pool.reserved
    if start is not None and end is not None and end > start:
        burned = float(max(charged - pool.before, _NONE))
        until = lasts_until(left, burned / ((end - start) / DAY), now=end)
    return Outlook(
        budget=pool.budget,
        charged=Rho(rounded_up(charged)),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a past training reached: a released AUC (0 to 1), at its epsilon (above 0) and size."""

    epsilon: Epsilon
    clients: int
    auc: float

    def __post_init__(self) -> None:
        """Refuse what no training reached."""
        positive("epsilon of the evidence", self.epsilon.value)
        if not 0 <= self.auc <= 1:
            raise InvalidBound("auc of the evidence", self.auc)


def least_epsilon(evidence: Sequence[Evidence], *, auc: float, clients: int) -> Epsilon:
    """Return the least epsilon at which past evidence supports an AUC, never extrapolating.

    Neither more epsilon nor more clients hurt, so only trainings on at most as many clients count,
    and a curve is fitted that never falls in epsilon (isotonic least squares by pooling adjacent
    violators), linear in log epsilon between its points. Below the smallest epsilon that was ever
    tried nothing is promised: it is the least answer.

    Args:
        evidence: past trainings of this kind, all at one delta. Public.
        auc: what is wanted; InvalidBound if the evidence does not reach it.
        clients: how many the new training will have, a guess.
    """
    past: dict[float, list[float]] = {}
    for one in evidence:
        if one.clients <= clients:
            past.setdefault(one.epsilon.value, []).append(one.auc)
    blocks: list[tuple[list[float], list[float]]] = []
    for epsilon in sorted(past):
        epsilons, aucs = [epsilon], past[epsilon]
        while blocks and fmean(blocks[-1][1]) >= fmean(aucs):
            before = blocks.pop()
            epsilons, aucs = before[0] + epsilons, before[1] + aucs
        blocks.append((epsilons, aucs))
    curve = [(epsilon, fmean(aucs)) for epsilons, aucs in blocks for epsilon in epsilons]
    if not (curve and auc <= curve[-1][1]):
        reached = f"{curve[-1][1]:.4g}" if curve else "none with so few clients"
        raise InvalidBound("auc", f"{auc} is wanted, past evidence reaches {reached}")
    place = next(i for i, (_, reached) in enumerate(curve) if reached >= auc)
    (low, worse), (high, better) = curve[max(place - 1, 0)], curve[place]
    part = (auc - worse) / (better - worse) if place else 1.0
    return Epsilon(min(low * (high / low) ** part, high))
