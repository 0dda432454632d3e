"""Changing the policy: less holds at once, more waits for another officer. With what it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.errors import NotAllowed
from api.people.roles import Caller, Role
from api.routes.desk import RUN
from api.web.caller import PageCaller
from api.web.forms import Fields, Posted
from api.web.page_route import PageRoute
from federation.coordinator.desk import Desk
from federation.coordinator.errors import ReasonNeeded
from federation.coordinator.policy import FIRM, Policy, pool_of
from federation.coordinator.policy_changes import Change
from federation.coordinator.proposals import (
    Proposal,
    Proposals,
    ProposalState,
    changes_of,
    decide,
    propose,
    settled,
)
from federation.plans import explain
from privacy.entries import Opinion
from privacy.errors import InvalidBound

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_SHOWN = 10
_LEAST, _MOST = 3, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """One proposal, as one officer may see it. ``changes``: against the policy that holds now."""

    proposal: Proposal
    changes: Sequence[Change]
    own: bool
    may_decide: bool


@router.post("/studio/propose")
def propose_policy(request: Request, caller: PageCaller, fields: Posted) -> Response:
    """Let a policy hold that only takes away; propose one that allows more."""
    _officer(caller)
    state = request.app.state
    with state.policy_lock:
        policy = _policy(fields, state.desk)
        done = propose(policy, state.desk, base=fields.one("base"), officer=caller.name)
        if not isinstance(done, Proposal):
            state.desk = done
    place = "/approvals#policies" if isinstance(done, Proposal) else "/budget"
    return RedirectResponse(place, status_code=HTTPStatus.SEE_OTHER)


@router.post("/approvals/policies/{proposal_id}")
def decide_policy(
    request: Request,
    proposal_id: Annotated[str, Path(pattern=RUN)],
    caller: PageCaller,
    fields: Posted,
) -> Response:
    """Decide about another officer's proposal."""
    _officer(caller)
    state, reason = request.app.state, fields.one("reason")
    if fields.one("opinion") not in set(Opinion) or not _LEAST <= len(reason) <= _MOST:
        raise ReasonNeeded(_LEAST, _MOST)
    opinion = Opinion(fields.one("opinion"))
    with state.policy_lock:
        state.desk = decide(
            proposal_id, state.desk, officer=caller.name, opinion=opinion, reason=reason
        )
    return RedirectResponse("/approvals#policies", status_code=HTTPStatus.SEE_OTHER)


def proposed(desk: Desk, caller: Caller) -> list[Proposed]:
    """Return the newest proposals, newest first, as a caller may see them."""
    now = datetime.now(UTC)
    found = [settled(p, desk, now) for p in Proposals(desk.engine).latest(limit=_SHOWN)]
    return [
        Proposed(
            proposal=proposal,
            changes=changes_of(proposal, desk),
            own=proposal.proposer == caller.name,
            may_decide=proposal.state is ProposalState.WAITING
            and proposal.proposer != caller.name
            and caller.role is Role.PRIVACY_OFFICER,
        )
        for proposal in found
    ]


def _officer(caller: Caller) -> None:
    if caller.role is not Role.PRIVACY_OFFICER:
        raise NotAllowed(caller.role, Role.PRIVACY_OFFICER)


def _policy(fields: Fields, desk: Desk) -> Policy:
    """Return the policy of a form: the one that holds, with other lifetimes and another reason."""
    values: dict[str, Any] = desk.policy.model_dump(mode="json")
    values["reason"] = fields.one("reason")
    pools = {pool_of(name): pool for name, pool in values["purposes"].items()}
    for path, pool in ({FIRM: values["firm"]} | pools).items():
        pool["epsilon"] = fields.number(f"pool.{path}", pool["epsilon"])
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        raise InvalidBound("policy", explain(error)) from None
