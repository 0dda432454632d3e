"""The wire of sweeps: recipes tried on real clients, priced as one sum, and the verdict."""

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from api.plan_requests import TrainingRequest
from api.wire import Wire
from federation.coordinator.runs import Runs
from federation.coordinator.sweep_view import LEVEL, measured, verdict
from federation.coordinator.sweeps import Sweep, SweepState
from federation.coordinator.tuning import LEAST_RECIPES, MOST_RECIPES
from federation.training_plan import LEAST_CLIP


class RecipeRequest(Wire):
    """What one recipe changes of the training that all have in common."""

    hidden: tuple[int, ...] | None = Field(default=None, max_length=2)
    rounds: int | None = Field(default=None, ge=1, le=100)
    local_steps: int | None = Field(default=None, ge=1, le=1000)
    clip_norm: float | None = Field(default=None, ge=LEAST_CLIP, le=100)
    learning_rate: float | None = Field(default=None, gt=0, le=100)
    momentum: float | None = Field(default=None, ge=0, lt=1)
    linear_rounds: int | None = Field(default=None, ge=0, le=99)
    linear_learning_rate: float | None = Field(default=None, gt=0, le=100)
    noise: Literal["local", "shared"] | None = None
    proximal: float | None = Field(default=None, ge=0, le=100)


class SweepRequest(Wire):
    """Recipes to try; ρ of all their trainings and evaluations is reserved at once, or refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "training": {
                    "purpose": "preference_insight",
                    "target": "prefers_paying_in_full",
                    "features": ["age", "credit_limit_ntd"],
                    "clients": 25000,
                    "holdout": 0.2,
                    "epsilon": 0.5,
                    "reason": "which recipe suits our clients",
                },
                "recipes": [{}, {"learning_rate": 1.0}, {"hidden": [32]}],
                "epsilon_of_evaluation": 0.3,
            }
        }
    )

    training: TrainingRequest
    recipes: tuple[RecipeRequest, ...] = Field(min_length=LEAST_RECIPES, max_length=MOST_RECIPES)
    epsilon_of_evaluation: float = Field(
        gt=0, le=100, description="what judging each of them may cost, at the policy's δ"
    )


class SweepPrice(Wire):
    """What a sweep costs in all, and what its pool has left."""

    rho: float
    epsilon: float
    delta: float
    remaining_rho: float
    runs: int


class RecipeView(Wire):
    """One recipe: its plan, its runs once they were begun, and its noised AUC once it is known."""

    plan: dict[str, Any]
    training: str | None
    evaluation: str | None
    refusal: str | None
    auc: float | None
    interval: tuple[float, float] | None


class VerdictView(Wire):
    """The recipe of the highest noised AUC, and those that noise alone may hold below it."""

    best: int
    alike: tuple[int, ...]
    level: float


class SweepView(Wire):
    """One sweep, its recipes in the order they are tried, and what it recommends so far."""

    id: str
    asker: str
    accepted_at: datetime
    state: SweepState
    rho_of_evaluation: float
    recipes: list[RecipeView]
    recommends: VerdictView | None

    @classmethod
    def of(cls, sweep: Sweep, runs: Runs) -> Self:
        """Show a sweep."""
        found = measured(sweep, runs)
        best = verdict(found)
        recipes = []
        for place, plan in enumerate(sweep.plans):
            begun = place < len(sweep.tried)
            told = found[place] if begun else None
            tried = sweep.tried[place] if begun else None
            recipes.append(
                RecipeView(
                    plan=plan,
                    training=tried and tried["training"],
                    evaluation=tried and tried["evaluation"],
                    refusal=tried and tried["refusal"],
                    auc=told and told.auc,
                    interval=told and (told.low, told.high),
                )
            )
        return cls(
            id=sweep.id,
            asker=sweep.asker,
            accepted_at=datetime.fromtimestamp(sweep.accepted_at, UTC),
            state=sweep.state,
            rho_of_evaluation=sweep.rho_of_evaluation,
            recipes=recipes,
            recommends=best and VerdictView(best=best.best, alike=best.alike, level=LEVEL),
        )
