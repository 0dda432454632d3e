"""The policy: read it with its ETag, change it against one; more than before takes two officers."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response

from api.auth import Officer, Overseer, Staff
from api.errors import IfMatchNeeded
from api.idempotency import Answer, OnlyOnce
from api.paging import OnePage
from api.policy_schemas import EXAMPLE, DecisionRequest, ProposalView
from api.routes.desk import RUN, OpenDesk
from federation.coordinator.policy import Policy
from federation.coordinator.policy_changes import tag_of
from federation.coordinator.proposals import Proposal, Proposals, decide, propose, settled

router = APIRouter(tags=["policy"])

PLACE = "/api/v1/policy/proposals"
IfMatch = Annotated[
    str | None, Header(max_length=200, description="the ETag of the policy that was read")
]
ProposalId = Annotated[str, Path(pattern=RUN)]
NewPolicy = Annotated[Policy, Body(examples=[EXAMPLE])]


@router.get("/api/v1/policy")
def read_policy(desk: OpenDesk, _caller: Staff, response: Response) -> Policy:
    """Return the policy that holds; its ETag goes with a change."""
    response.headers["ETag"] = _etag(desk.policy)
    return desk.policy


@router.put("/api/v1/policy", response_model=Policy | ProposalView)
def change_policy(
    *,
    body: NewPolicy,
    caller: Officer,
    request: Request,
    once: OnlyOnce,
    if_match: IfMatch = None,
) -> Response:
    """Let a policy hold that allows no more than before; propose one that does (202).

    412 with what has changed if somebody else changed it in between.
    """
    if if_match is None:
        raise IfMatchNeeded

    def work() -> Answer:
        state = request.app.state
        base = if_match.removeprefix("W/").strip('"')
        with state.policy_lock:
            done = propose(body, state.desk, base=base, officer=caller.name)
            if not isinstance(done, Proposal):
                state.desk = done
        if isinstance(done, Proposal):
            view = ProposalView.of(done, state.desk, viewer=caller.name)
            return Answer(
                status=HTTPStatus.ACCEPTED,
                body=view.model_dump_json().encode(),
                headers={"Location": f"{PLACE}/{done.id}"},
            )
        told = done.policy.model_dump_json().encode()
        return Answer(body=told, headers={"ETag": _etag(done.policy)})

    return once.do(caller, body, work)


@router.get(PLACE)
def list_proposals(
    desk: OpenDesk,
    caller: Overseer,
    page: OnePage,
    before: Annotated[str | None, Query(pattern=RUN)] = None,
) -> list[ProposalView]:
    """Return the newest proposals, newest first; ``Link`` leads to the next page."""
    found = Proposals(desk.engine).latest(limit=page.enough, before=before)
    shown = page.of(found, lambda one: one.id)
    now = datetime.now(UTC)
    by_now = (settled(proposal, desk, now) for proposal in shown)
    return [ProposalView.of(proposal, desk, viewer=caller.name) for proposal in by_now]


@router.get(PLACE + "/{proposal_id}")
def read_proposal(proposal_id: ProposalId, desk: OpenDesk, caller: Overseer) -> ProposalView:
    """Return one proposal, and what it would change."""
    found = settled(Proposals(desk.engine).get(proposal_id), desk, datetime.now(UTC))
    return ProposalView.of(found, desk, viewer=caller.name)


@router.post(PLACE + "/{proposal_id}", response_model=ProposalView)
def decide_proposal(
    *,
    proposal_id: ProposalId,
    body: DecisionRequest,
    caller: Officer,
    request: Request,
    once: OnlyOnce,
) -> Response:
    """Decide about another officer's proposal; approved, it holds from now on."""

    def work() -> Answer:
        state = request.app.state
        with state.policy_lock:
            state.desk = decide(
                proposal_id,
                state.desk,
                officer=caller.name,
                opinion=body.opinion,
                reason=body.reason,
            )
        found = Proposals(state.desk.engine).get(proposal_id)
        view = ProposalView.of(found, state.desk, viewer=caller.name)
        return Answer(body=view.model_dump_json().encode())

    return once.do(caller, body, work)


def _etag(policy: Policy) -> str:
    return f'"{tag_of(policy)}"'
