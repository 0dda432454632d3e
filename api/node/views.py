"""What a node's own door shows: the contract, consent's age, the journal, noise and own limits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

from pydantic import Field

from api.wire import Wire
from federation.node.journal import Departure
from federation.node.own import OwnNode
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of
from privacy.pools import PoolState
from privacy.windows import WindowState


class FieldView(Wire):
    """A field of the catalogue as this department stands to it."""

    name: str
    title: str
    title_zh: str
    kind: str
    level: int
    purposes: tuple[str, ...]
    held: bool
    never: bool = Field(description="whether the department's policy never answers about it")


class ContractView(Wire):
    """What this department has, and what it answers whatever the coordinator says."""

    department: str
    catalogue: str = Field(description="SHA-256 of the firm's catalogue")
    fields: tuple[FieldView, ...]
    view: str = Field(description="the SELECT that maps the department's tables to the fields")
    kinds: tuple[str, ...]
    minimum_cohort: int
    minimum_tolerance: int
    max_rho: float
    stopped: bool

    @classmethod
    def of(cls, node: OwnNode) -> Self:
        """Show a node's contract."""
        policy = node.policy
        fields = tuple(
            FieldView(
                name=f.name,
                title=f.title,
                title_zh=f.title_zh,
                kind=f.kind,
                level=int(f.level),
                purposes=f.purposes,
                held=node.department in f.departments,
                never=f.name in policy.never,
            )
            for f in node.catalogue.fields
        )
        return cls(
            department=node.department,
            catalogue=node.catalogue.digest(),
            fields=fields,
            view=node.source.view.read_text(encoding="utf-8"),
            kinds=tuple(sorted(policy.kinds)),
            minimum_cohort=policy.minimum_cohort,
            minimum_tolerance=policy.minimum_tolerance,
            max_rho=policy.max_rho,
            stopped=node.stop_switch.stopped(),
        )


class EpochView(Wire):
    """The consent snapshot that the worker had last. ``current``: it may still decide."""

    epoch: int
    age_s: int | None
    expires_at: datetime | None
    current: bool

    @classmethod
    def of(cls, node: OwnNode, *, now: int) -> Self:
        """Show how old a node's consent is; nothing of any client."""
        found = node.snapshot()
        known = found.epoch > 0
        return cls(
            epoch=found.epoch,
            age_s=max(now - found.issued_at, 0) if known else None,
            expires_at=datetime.fromtimestamp(found.expires_at, UTC) if known else None,
            current=known and now <= found.expires_at,
        )


class DepartureView(Wire):
    """Something that left the node."""

    number: int
    at: datetime
    plan: str
    attempt: int
    leg: str
    round: int
    bytes: int
    consent_epoch: int


class JournalView(Wire):
    """Departures, newest first. ``next``: what to send as ``before`` for older ones."""

    departures: tuple[DepartureView, ...]
    next: int | None

    @classmethod
    def of(cls, node: OwnNode, *, before: int | None, limit: int) -> Self:
        """Show one page of a node's journal."""
        found = node.journal.page(before=before, limit=limit)
        shown = tuple(_departure(number, one) for number, one in found)
        return cls(departures=shown, next=shown[-1].number if len(shown) == limit else None)


class NoiseView(Wire):
    """How much noise is drawn ahead: draws by width in lattice points."""

    left: Mapping[int, int]
    draws: int

    @classmethod
    def of(cls, node: OwnNode) -> Self:
        """Show a node's noise pool."""
        left = dict(sorted(node.noise_left().items()))
        return cls(left=left, draws=sum(left.values()))


class WindowView(Wire):
    """One window of one pool, as ε at the policy's δ. ``budget_epsilon`` null: no such limit."""

    spent_epsilon: float
    budget_epsilon: float | None


class LimitView(Wire):
    """One pool of the department's own ledger; what is promised counts as spent."""

    pool: str
    purpose: str | None
    delta: float
    month: WindowView
    year: WindowView
    lifetime: WindowView
    budget_rho: float
    used_rho: float
    left_rho: float


def limits_of(node: OwnNode, *, now: datetime) -> tuple[LimitView, ...]:
    """Return every pool that the policy names, the department's own first."""
    found = []
    for pool in node.policy.budgets():
        state = node.ledger.state(pool, now)
        found.append(_limit(pool, state))
    return tuple(found)


def _limit(pool: str, state: PoolState) -> LimitView:
    used = state.spent + state.reserved
    _root, _, purpose = pool.partition("/")
    return LimitView(
        pool=pool,
        purpose=purpose or None,
        delta=state.delta.value,
        month=_window(state.month, state.delta),
        year=_window(state.year, state.delta),
        lifetime=_window(state.lifetime, state.delta),
        budget_rho=state.budget.value,
        used_rho=used.value,
        left_rho=state.remaining.value,
    )


def _window(window: WindowState, delta: Delta) -> WindowView:
    return WindowView(
        spent_epsilon=_epsilon(window.spent + window.reserved, delta),
        budget_epsilon=None if window.budget is None else _epsilon(window.budget, delta),
    )


def _epsilon(rho: Rho, delta: Delta) -> float:
    return 0.0 if rho.value == 0 else epsilon_of(rho, delta).value


def _departure(number: int, one: Departure) -> DepartureView:
    return DepartureView(
        number=number,
        at=datetime.fromtimestamp(one.at, UTC),
        plan=one.plan,
        attempt=one.attempt,
        leg=one.leg,
        round=one.round,
        bytes=one.size,
        consent_epoch=one.epoch,
    )
