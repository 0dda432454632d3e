"""The privacy desk's figures: solve for a loss, what-if, replay, odds. No data, nothing spent."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Json

from api.auth import Overseer, Staff
from api.desk_schemas import (
    OddsView,
    PointView,
    ReplayRequest,
    ReplayView,
    Solved,
    SolveRequest,
)
from api.past_schemas import SolveTrainingRequest, TrainingSolved
from api.routes.desk import OpenDesk
from federation.coordinator.past_models import solve_training
from federation.coordinator.studio import curve, solve
from privacy.loss import Delta, Epsilon
from privacy.odds import log_grid, odds_of_claim
from privacy.odds_text import Language, sentences
from privacy.replay import Proposal, replay

router = APIRouter(tags=["desk"])

MOST_POINTS = 101
Wished = Annotated[float, Query(gt=0, le=100)]


@router.post("/api/v1/solve")
def solve_for_loss(body: SolveRequest, desk: OpenDesk, _caller: Staff) -> Solved:
    """Find the least loss at which a question's answer meets every error target."""
    targets = [target.model_dump() for target in body.targets]
    return Solved.of(solve(body.question.request(), targets, desk))


@router.post("/api/v1/solve-training")
def solve_for_past_auc(
    body: SolveTrainingRequest, desk: OpenDesk, _caller: Staff
) -> TrainingSolved:
    """Find the least loss at which a comparable model of the past reached an AUC."""
    return TrainingSolved.of(solve_training(body.training.request(), auc=body.auc, desk=desk))


@router.get("/api/v1/what-if")
def draw_what_if(
    *,
    desk: OpenDesk,
    _caller: Staff,
    request: Annotated[Json[SolveRequest], Query(description="the body of solve, as JSON")],
    lowest: Wished = 0.1,
    highest: Wished = 10.0,
    points: Annotated[int, Query(ge=2, le=MOST_POINTS)] = 21,
) -> list[PointView]:
    """Return what each ε of a logarithmic grid would buy: errors, and questions left."""
    grid = log_grid(Epsilon(lowest), Epsilon(highest), points)
    guesses = [target.model_dump() for target in request.targets]
    points_ = curve(request.question.request(), guesses, desk, grid)
    return [PointView.of(point) for point in points_]


@router.post("/api/v1/replay")
def replay_ledger(body: ReplayRequest, desk: OpenDesk, _caller: Overseer) -> ReplayView:
    """Run the ledger's past again under another policy: who would have been refused."""
    proposal = Proposal(
        budgets={pool: Epsilon(epsilon) for pool, epsilon in body.budgets.items()},
        delta=None if body.delta is None else Delta(body.delta),
        rho_factor=body.rho_factor,
        since=body.since,
    )
    return ReplayView.of(replay(desk.ledger.entries(), proposal))


@router.get("/api/v1/odds")
def say_odds(
    desk: OpenDesk,
    _caller: Staff,
    epsilon: Wished,
    delta: Annotated[
        float | None, Query(gt=0, lt=1, description="the policy's if left out")
    ] = None,
    language: Language = "en",
) -> OddsView:
    """Say what ε at δ lets an attacker do: the worst case of any noise, and of Gaussian noise."""
    odds = odds_of_claim(Epsilon(epsilon), Delta(desk.policy.delta if delta is None else delta))
    return OddsView.of(odds, sentences(odds, language), language)
