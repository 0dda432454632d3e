"""A training under way: how far it is, and how to stop it."""

from fastapi import APIRouter

from api.auth import Staff, Stopper
from api.errors import NotAllowed
from api.people.roles import Role
from api.routes.desk import OpenDesk, RunId
from api.schemas import RunView
from api.training_schemas import TrainingProgress
from federation.coordinator.stopping import stop
from federation.coordinator.training_view import training_view

router = APIRouter(tags=["plans"])


@router.get("/api/v1/runs/{run_id}/training")
def read_training(run_id: RunId, desk: OpenDesk, _caller: Staff) -> TrainingProgress | None:
    """Return how far a training is: rounds, each department, ε so far; null for other kinds."""
    view = training_view(desk.runs.get(run_id), desk)
    return None if view is None else TrainingProgress.of(view)


@router.post("/api/v1/runs/{run_id}/stop")
def stop_run(run_id: RunId, desk: OpenDesk, caller: Stopper) -> RunView:
    """Stop a run of your own, or any as an officer; a training keeps the rounds that are done."""
    run = desk.runs.get(run_id)
    if caller.role is not Role.PRIVACY_OFFICER and caller.name != run.asker:
        raise NotAllowed(caller.role, "its asker, or privacy_officer")
    return RunView.of(stop(run_id, desk))
