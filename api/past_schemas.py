"""The wire of solving for a training: the AUC that is wanted, and the past model that had it."""

import json
from typing import Self

from pydantic import ConfigDict, Field, JsonValue

from api.plan_requests import TrainingRequest
from api.wire import Wire
from federation.coordinator.past_models import TrainingSolution
from federation.plans import canonical


class SolveTrainingRequest(Wire):
    """A training without a price, and the AUC that is wanted of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "training": {
                    "purpose": "preference_model",
                    "target": "prefers_paying_in_full",
                    "features": ["age", "credit_limit_ntd"],
                    "reason": "the shared preference model",
                },
                "auc": 0.8,
            }
        }
    )

    training: TrainingRequest
    auc: float = Field(gt=0.5, lt=1, description="at the lower end of a past model's interval")


class PastModelView(Wire):
    """One comparable model of the past, as it was evaluated; ``least`` and ``most`` at 95 %."""

    model_config = ConfigDict(from_attributes=True)

    run: str
    evaluation: str
    rho: float
    auc: float
    least: float
    most: float


class TrainingSolved(Wire):
    """A training at the least loss that sufficed before; evidence, not a promise."""

    plan: dict[str, JsonValue] = Field(description="submit it as a training, less its catalogue")
    rho: float
    epsilon: float
    delta: float
    evidence: PastModelView
    compared: int
    needs_approval: bool

    @classmethod
    def of(cls, solution: TrainingSolution) -> Self:
        """Show what was found."""
        return cls(
            plan=json.loads(canonical(solution.plan)),
            rho=solution.plan.rho,
            epsilon=solution.epsilon.value,
            delta=solution.delta.value,
            evidence=PastModelView.model_validate(solution.evidence),
            compared=solution.compared,
            needs_approval=solution.needs_approval,
        )
