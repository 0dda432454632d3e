"""Policies that allow more than before: one officer proposes, another one decides.

A policy that only takes away holds at once.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from federation.coordinator.desk import Desk
from federation.coordinator.errors import (
    OwnProposal,
    PolicyChanged,
    ProposalEnded,
    ProposalUnknown,
)
from federation.coordinator.policy import Policy
from federation.coordinator.policy_changes import (
    Change,
    apply,
    changes,
    check_change,
    since,
    tag_of,
)
from federation.database import create_tables
from privacy.entries import Opinion

_METADATA = sa.MetaData()
_PROPOSALS = sa.Table(
    "policy_proposals",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(16), unique=True, nullable=False),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("policy", sa.JSON, nullable=False),
    sa.Column("proposer", sa.String(100), nullable=False),
    sa.Column("proposed_at", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("decided_by", sa.String(100)),
    sa.Column("reason", sa.String(500)),
)


class ProposalState(StrEnum):
    """waiting → approved | declined. ``stale``: another policy came to hold, or time ran out."""

    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One policy that somebody proposed. ``base``: tag of the policy that it changes."""

    id: str
    base: str
    policy: Policy
    proposer: str
    proposed_at: int
    state: ProposalState
    decided_by: str | None
    reason: str | None


class Proposals:
    """The table of proposals in the coordinator's database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def add(self, policy: Policy, *, base: str, proposer: str, now: int) -> Proposal:
        """Take a proposal in."""
        name = secrets.token_hex(8)
        row: dict[str, object] = {
            "id": name,
            "base": base,
            "policy": policy.model_dump(mode="json"),
            "proposer": proposer,
            "proposed_at": now,
            "state": ProposalState.WAITING,
        }
        with self._engine.begin() as db:
            db.execute(_PROPOSALS.insert().values(**row))
        return self.get(name)

    def get(self, proposal: str) -> Proposal:
        """Return one proposal, or raise ProposalUnknown."""
        with self._engine.connect() as db:
            row = db.execute(sa.select(_PROPOSALS).where(_PROPOSALS.c.id == proposal)).one_or_none()
        if row is None:
            raise ProposalUnknown(proposal)
        return _proposal(row)

    def latest(self, *, limit: int, before: str | None = None) -> list[Proposal]:
        """Return the newest proposals, newest first; those older than ``before``."""
        query = sa.select(_PROPOSALS).order_by(_PROPOSALS.c.number.desc()).limit(limit)
        if before is not None:
            place = sa.select(_PROPOSALS.c.number).where(_PROPOSALS.c.id == self.get(before).id)
            query = query.where(_PROPOSALS.c.number < place.scalar_subquery())
        with self._engine.connect() as db:
            return [_proposal(row) for row in db.execute(query)]

    def end(
        self,
        proposal: str,
        state: ProposalState,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> bool:
        """Move a waiting proposal on; False if it waits no longer."""
        here = (_PROPOSALS.c.id == proposal) & (_PROPOSALS.c.state == ProposalState.WAITING)
        values = {"state": state, "decided_by": by, "reason": reason}
        with self._engine.begin() as db:
            return db.execute(sa.update(_PROPOSALS).where(here).values(**values)).rowcount == 1


def propose(
    policy: Policy, desk: Desk, *, base: str, officer: str, now: datetime | None = None
) -> Desk | Proposal:
    """Let a policy hold if it allows nothing more than before; otherwise keep it as a proposal.

    Args:
        policy: the whole new one; its ``reason`` says why.
        desk: the newest, and nobody else changes it meanwhile.
        base: the tag of the policy that the officer changed.
        officer: who.
        now: with a time zone; the clock's unless given.

    Raises:
        PolicyChanged: another policy holds by now; with what has changed.
        PolicyFixed, UnknownPurpose, BudgetBelowSpent: it cannot follow on the policy that holds.
    """
    at = now or datetime.now(UTC)
    if base != tag_of(desk.policy):
        raise PolicyChanged([c.key for c in since(base, desk)])
    check_change(desk.policy, policy, desk)
    if any(change.raises for change in changes(desk.policy, policy)):
        proposals = Proposals(desk.engine)
        return proposals.add(policy, base=base, proposer=officer, now=int(at.timestamp()))
    return apply(policy, desk, base=base, who=officer, now=at)


def decide(
    proposal: str,
    desk: Desk,
    *,
    officer: str,
    opinion: Opinion,
    reason: str,
    now: datetime | None = None,
) -> Desk:
    """Decide about another officer's proposal; approved, it holds from now on.

    Returns:
        The desk under the policy that holds now.

    Raises:
        ProposalUnknown: there is none of this id.
        OwnProposal: the officer proposed it.
        ProposalEnded: it was decided, is too old, or another policy came to hold.
        PolicyFixed, UnknownPurpose, BudgetBelowSpent: it cannot follow any more; it still waits.
    """
    at, proposals = now or datetime.now(UTC), Proposals(desk.engine)
    found = settled(proposals.get(proposal), desk, at)
    if found.state is not ProposalState.WAITING:
        raise ProposalEnded(found.id, found.state)
    if officer == found.proposer:
        raise OwnProposal(found.id)
    if opinion is Opinion.DECLINE:
        proposals.end(found.id, ProposalState.DECLINED, by=officer, reason=reason)
        return desk
    who = f"{found.proposer}, approved by {officer}: {reason}"
    after = apply(found.policy, desk, base=found.base, who=who, now=at)
    proposals.end(found.id, ProposalState.APPROVED, by=officer, reason=reason)
    return after


def settled(proposal: Proposal, desk: Desk, now: datetime) -> Proposal:
    """Return a proposal as it is by now: one that can hold no more is stale."""
    proposals = Proposals(desk.engine)
    came = datetime.fromtimestamp(proposal.proposed_at, UTC)
    old = now - came >= timedelta(days=desk.settings.approval_days)
    if proposal.state is ProposalState.WAITING and (old or proposal.base != tag_of(desk.policy)):
        proposals.end(proposal.id, ProposalState.STALE)
        return proposals.get(proposal.id)
    return proposal


def changes_of(proposal: Proposal, desk: Desk) -> tuple[Change, ...]:
    """Return what a waiting proposal would change; nothing of one that ended."""
    waits = proposal.state is ProposalState.WAITING
    return changes(desk.policy, proposal.policy) if waits else ()


def _proposal(row: sa.Row[tuple[object, ...]]) -> Proposal:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    del values["number"]
    policy = Policy.model_validate(values.pop("policy"))
    return Proposal(policy=policy, **values | {"state": ProposalState(values["state"])})
