"""The wire of the policy: what holds, what would change, and who proposed it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Self

from pydantic import ConfigDict, Field

from api.wire import Wire
from federation.coordinator.desk import Desk
from federation.coordinator.policy import Policy
from federation.coordinator.policy_changes import Change
from federation.coordinator.proposals import Proposal, ProposalState, changes_of
from privacy.entries import Opinion

EXAMPLE = {
    "delta": 1e-6,
    "automatic_epsilon": 1.0,
    "minimum_cohort": 2,
    "reason": "the board's decision of 3 May",
    "firm": {"epsilon": 8.0, "year_epsilon": 3.0, "month_epsilon": 0.5},
    "purposes": {"preference_insight": {"epsilon": 4.0}},
}


class ChangeView(Wire):
    """One figure that differs. ``raises``: more may be released than before."""

    key: str
    before: float | None
    after: float | None
    raises: bool

    @classmethod
    def of(cls, change: Change) -> Self:
        """Show one change."""
        return cls.model_validate(asdict(change))


class ProposalView(Wire):
    """A proposed policy. ``changes`` are against what holds now, as long as it waits."""

    id: str
    state: ProposalState
    proposer: str
    proposed_at: datetime
    policy: Policy
    changes: tuple[ChangeView, ...]
    decided_by: str | None
    reason: str | None
    may_decide: bool

    @classmethod
    def of(cls, proposal: Proposal, desk: Desk, *, viewer: str) -> Self:
        """Show one proposal to an officer or an auditor."""
        waits = proposal.state is ProposalState.WAITING
        return cls(
            id=proposal.id,
            state=proposal.state,
            proposer=proposal.proposer,
            proposed_at=datetime.fromtimestamp(proposal.proposed_at, UTC),
            policy=proposal.policy,
            changes=tuple(ChangeView.of(change) for change in changes_of(proposal, desk)),
            decided_by=proposal.decided_by,
            reason=proposal.reason,
            may_decide=waits and viewer != proposal.proposer,
        )


class DecisionRequest(Wire):
    """A decision about another officer's proposal."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"opinion": "approve", "reason": "as the board decided"}}
    )

    opinion: Opinion
    reason: str = Field(min_length=3, max_length=500)
