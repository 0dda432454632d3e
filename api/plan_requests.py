"""What a caller asks for: questions, trainings, evaluations and cubes, before they are plans."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.wire import Wire
from consent.catalogue import Catalogue
from federation.coordinator.sql import LONGEST, question_of
from federation.plan_base import Name
from federation.question_plan import Statistic
from federation.training_plan import LEAST_CLIP
from models.objectives import Objective
from privacy.units import PrivacyUnit

Loss = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class _PlanRequest(Wire):
    purpose: Name
    reason: str = Field(min_length=3, max_length=500)
    cohort: tuple[Name, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=16,
        description="departments; left out: every department that holds the fields",
    )
    unit: PrivacyUnit | None = Field(
        default=None, description="left out: the household if a field is of level 3 or 4"
    )
    clients_per_household: int | None = Field(
        default=None, ge=1, le=100, description="how many of one household count, if it is the unit"
    )
    tolerance: int = Field(default=1, ge=0, le=15)
    epsilon: Loss | None = Field(default=None, description="at the policy's δ; or give rho")
    rho: Loss | None = None

    def request(self) -> dict[str, object]:
        """Return what the desk turns into a plan: what the caller has set, and the kind."""
        values = self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
        return values | {"kind": self.model_dump()["kind"]}


class ConditionRequest(Wire):
    """Only clients whose field is one label, one of some, or from one public edge up to another."""

    field: Name
    equal: str | None = None
    one_of: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1000)
    from_: float | None = Field(default=None, alias="from")
    to: float | None = None


class QuestionRequest(_PlanRequest):
    """A question: statistics of clients, in the cells that the ``by`` fields span."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "statistics": [{"kind": "count"}, {"kind": "mean", "field": "credit_limit_ntd"}],
                "by": ["age"],
                "epsilon": 0.5,
                "reason": "how credit limits grow with age",
            }
        }
    )

    kind: Literal["question"] = "question"
    statistics: tuple[Statistic, ...] = Field(min_length=1, max_length=8)
    by: tuple[Name, ...] = Field(default=(), max_length=3)
    where: tuple[ConditionRequest, ...] = Field(default=(), max_length=16)
    owned: bool = Field(default=True, description="count each client at one department only")


class SqlRequest(_PlanRequest):
    """A question as one SELECT over ``clients``; it is parsed, never executed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sql": "SELECT age, count(*), avg(credit_limit_ntd) FROM clients "
                "WHERE education IN ('graduate', 'university') GROUP BY age",
                "purpose": "preference_insight",
                "epsilon": 0.5,
                "reason": "how credit limits grow with age",
            }
        }
    )

    kind: Literal["question"] = "question"
    sql: str = Field(min_length=1, max_length=LONGEST)
    owned: bool = Field(default=True, description="count each client at one department only")

    def question(self, catalogue: Catalogue) -> dict[str, object]:
        """Return the request that the statement means; SqlRefused says where it means none."""
        values = self.request()
        del values["sql"]
        return values | question_of(self.sql, catalogue)


class TrainingRequest(_PlanRequest):
    """A training: one shared model that predicts ``target`` from ``features``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "target": "prefers_paying_in_full",
                "features": ["age", "credit_limit_ntd"],
                "clients": 25000,
                "epsilon": 2.0,
                "reason": "the shared preference model",
            }
        }
    )

    kind: Literal["training"] = "training"
    model: Name | None = Field(default=None, description="the registry's name for it")
    target: Name
    features: tuple[Name, ...] = Field(min_length=1, max_length=200)
    hidden: tuple[int, ...] = Field(default=(), max_length=2)
    clients: int | None = Field(
        default=None, ge=1, description="about how many the cohort has: chooses the recipe"
    )
    rounds: int | None = Field(default=None, ge=1, le=100, description="left out: the recipe's")
    local_steps: int | None = Field(default=None, ge=1, le=1000)
    clip_norm: float = Field(default=1.0, ge=LEAST_CLIP, le=100)
    learning_rate: float = Field(default=1.0, gt=0, le=100)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    linear_rounds: int = Field(
        default=0, ge=0, le=100, description="the first rounds train the linear part of a network"
    )
    linear_learning_rate: float = Field(default=3.0, gt=0, le=100)
    objective: Objective | None = Field(default=None, description="left out: by the target's kind")
    noise: Literal["local", "shared"] = Field(
        default="local", description="shared: less noise, one step a round"
    )
    owned: bool = Field(default=False, description="train each client at one department only")
    proximal: float = Field(default=0.0, ge=0, le=100, description="FedProx, with local noise")
    personal: bool = Field(default=False, description="the last layer stays on each node")
    holdout: float = Field(
        default=0.0, ge=0, le=0.5, description="share of clients left out, to be evaluated on"
    )


class EvaluationRequest(_PlanRequest):
    """An evaluation: how good one version of a model is, or which fields drive what it says."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "model": "prefers_paying_in_full",
                "group": "education",
                "epsilon": 0.5,
                "reason": "is the model as good for every level of education",
            }
        }
    )

    kind: Literal["evaluation"] = "evaluation"
    model: Name
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="left out: the one in use, or the newest"
    )
    group: Name | None = Field(default=None, description="a field whose labels are told apart")
    bins: int = Field(default=32, ge=8, le=64, description="of the scores, or of the errors")
    error_cap: float | None = Field(
        default=None,
        gt=0,
        description="of a count or an amount: a larger error counts as this; left out: the largest",
    )
    owned: bool = Field(default=True, description="count each client at one department only")
    explain: bool = Field(
        default=False, description="instead of judging the scores, say which fields drive them"
    )
    clip_norm: float = Field(
        default=2.0, ge=LEAST_CLIP, le=100, description="most that one client's fields move, in L2"
    )


class CubeRequest(_PlanRequest):
    """A cube: all two-way tables of some fields, over the clients that the departments share."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "purpose": "preference_insight",
                "fields": ["age", "credit_limit_ntd", "education", "payment_ntd_2005_08"],
                "taken_from": {"age": "risk", "education": "research"},
                "clients": 32768,
                "epsilon": 1.0,
                "reason": "what goes together across the departments",
            }
        }
    )

    kind: Literal["cube"] = "cube"
    fields: tuple[Name, ...] = Field(min_length=2, max_length=40)
    taken_from: dict[Name, Name] | None = Field(
        default=None, description="field → department; else the first that holds it"
    )
    clients: int = Field(ge=2**10, le=2**19, description="at most so many in all departments")
    padded: bool = Field(default=False, description="hide how many each department has")
    dealer: Name | None = Field(default=None, description="the third, if the cohort has two")


PlanRequest = Annotated[
    QuestionRequest | TrainingRequest | EvaluationRequest | CubeRequest,
    Field(discriminator="kind"),
]
