"""Plans above the automatic limit: two officers decide, each blind to the other."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Officer, Overseer
from api.desk_schemas import ApprovalView, OpinionRequest
from api.idempotency import Answer, OnlyOnce
from api.paging import OnePage
from api.routes.desk import RUN, OpenDesk, RunId
from federation.coordinator.approvals import approval_of, give_opinion, settle, settle_all
from federation.coordinator.runs import Run

router = APIRouter(tags=["approvals"])


@router.get("/api/v1/approvals")
def list_approvals(
    desk: OpenDesk,
    caller: Overseer,
    page: OnePage,
    after: Annotated[str | None, Query(pattern=RUN, description="a run of the last page")] = None,
) -> list[ApprovalView]:
    """Return the runs that wait for approval, oldest first; ``Link`` leads to the next page."""
    begun = -1 if after is None else desk.runs.get(after).accepted_at
    waiting = sorted(settle_all(desk, datetime.now(UTC)), key=_age)
    left = [run for run in waiting if _age(run) > (begun, after or "")]
    runs = page.of(left, lambda run: run.id, by="after")
    return [ApprovalView.of(approval_of(run, desk, viewer=caller.name)) for run in runs]


@router.get("/api/v1/approvals/{run_id}")
def read_approval(run_id: RunId, desk: OpenDesk, caller: Overseer) -> ApprovalView:
    """Return how far one run's approval is; both opinions once both are in."""
    run = settle(desk.runs.get(run_id), desk, datetime.now(UTC))
    return ApprovalView.of(approval_of(run, desk, viewer=caller.name))


@router.post("/api/v1/approvals/{run_id}", response_model=ApprovalView)
def give(
    *,
    run_id: RunId,
    body: OpinionRequest,
    desk: OpenDesk,
    caller: Officer,
    once: OnlyOnce,
) -> Response:
    """Give one opinion, which stands; the second one decides. The same again changes nothing."""

    def work() -> Answer:
        approval = give_opinion(
            run_id, desk, officer=caller.name, opinion=body.opinion, reason=body.reason
        )
        return Answer(body=ApprovalView.of(approval).model_dump_json().encode())

    return once.do(caller, body, work)


def _age(run: Run) -> tuple[int, str]:
    return run.accepted_at, run.id
