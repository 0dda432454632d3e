"""Plans: ask what they cost, submit them, follow them, read what they released.

Everything here is the coordinator's own database: no request waits for a department.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Asker, Staff, Trainer
from api.idempotency import Answer, Once, OnlyOnce
from api.paging import OnePage
from api.people.roles import Caller
from api.plan_requests import (
    EvaluationRequest,
    PlanRequest,
    QuestionRequest,
    SqlRequest,
    TrainingRequest,
)
from api.routes.desk import RUN, OpenDesk, RunId
from api.schemas import Price, RunSummary, RunView, Submitted
from api.stage_schemas import ExplanationView
from federation.coordinator.desk import Desk, plan_of, price, submit
from federation.coordinator.explaining import explain_plan
from federation.coordinator.runs import RunState

router = APIRouter(tags=["plans"])


@router.post("/api/v1/questions", status_code=HTTPStatus.ACCEPTED, response_model=Submitted)
def ask(
    body: QuestionRequest,
    desk: OpenDesk,
    caller: Asker,
    once: OnlyOnce,
) -> Response:
    """Ask a question. 202 and a run to follow; 200 if it was answered before, which is free."""
    return submitted(body, desk, caller, once)


@router.post("/api/v1/sql", status_code=HTTPStatus.ACCEPTED, response_model=Submitted)
def ask_sql(
    body: SqlRequest,
    desk: OpenDesk,
    caller: Asker,
    once: OnlyOnce,
) -> Response:
    """Ask a question written as one SELECT over ``clients``: the same plan, the same price."""
    return submitted(body, desk, caller, once)


@router.post("/api/v1/trainings", status_code=HTTPStatus.ACCEPTED, response_model=Submitted)
def train(
    body: TrainingRequest,
    desk: OpenDesk,
    caller: Trainer,
    once: OnlyOnce,
) -> Response:
    """Train a shared model. 202 and a run to follow; 200 if it was trained before."""
    return submitted(body, desk, caller, once)


@router.post("/api/v1/evaluations", status_code=HTTPStatus.ACCEPTED, response_model=Submitted)
def evaluate(
    body: EvaluationRequest,
    desk: OpenDesk,
    caller: Trainer,
    once: OnlyOnce,
) -> Response:
    """Evaluate a model. 202 and a run to follow; 200 if it was evaluated before."""
    return submitted(body, desk, caller, once)


@router.post("/api/v1/price")
def ask_price(body: PlanRequest, desk: OpenDesk, _caller: Staff) -> Price:
    """Say what a plan would cost. Touches no data and spends nothing."""
    return Price.model_validate(price(plan_of(body.request(), desk), desk))


@router.post("/api/v1/explain")
def explain(body: PlanRequest, desk: OpenDesk, _caller: Staff) -> ExplanationView:
    """Say every reason why a plan would be refused now, and what would make it pass."""
    plan = plan_of(body.request(), desk)
    return ExplanationView.of(explain_plan(plan, desk, now=datetime.now(UTC)))


@router.get("/api/v1/runs")
def list_runs(
    desk: OpenDesk,
    _caller: Staff,
    page: OnePage,
    before: Annotated[str | None, Query(pattern=RUN, description="a run of the last page")] = None,
) -> list[RunSummary]:
    """Return the newest runs, newest first, without results; ``Link`` leads to the next page."""
    found = desk.runs.latest(limit=page.enough, before=before)
    runs = page.of(found, lambda run: run.id)
    return [RunSummary.of(run) for run in runs]


@router.get("/api/v1/runs/{run_id}")
def read_run(run_id: RunId, desk: OpenDesk, _caller: Staff) -> RunView:
    """Return one run: state, progress and step; then its result and label, or its refusal."""
    return RunView.of(desk.runs.get(run_id))


def submitted(body: PlanRequest | SqlRequest, desk: Desk, caller: Caller, once: Once) -> Response:
    """Turn a request into a plan and submit it, once for each key of a caller."""

    def work() -> Answer:
        asked = body.question(desk.catalogue) if isinstance(body, SqlRequest) else body.request()
        plan = plan_of(asked, desk)
        # One caller's keys never meet another's.
        name = None if once.key is None else f"{caller.name}:{once.key}"
        submission = submit(plan, desk, asker=caller.name, request=name)
        released = submission.run.state is RunState.RELEASED
        return Answer(
            status=HTTPStatus.OK if released else HTTPStatus.ACCEPTED,
            body=Submitted.of_submission(submission).model_dump_json().encode(),
            headers={"Location": f"/api/v1/runs/{submission.run.id}"},
        )

    return once.do(caller, body, work)
