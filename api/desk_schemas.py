"""The wire of the privacy desk: solving for a loss, what-if, replay, odds and approvals."""

import json
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from api.plan_requests import Loss, QuestionRequest
from api.schemas import RunSummary
from api.wire import Wire
from federation.coordinator.approvals import LEAST_REASON, MOST_REASON, Approval
from federation.coordinator.studio import Solution
from federation.coordinator.targets import Target
from federation.plans import canonical
from privacy.entries import Decided, Opinion
from privacy.odds import Odds, Point
from privacy.odds_text import Language
from privacy.replay import Outlook, Replay, Replayed

HalfWidth = Annotated[
    float | None, Field(description="null: too few clients to tell, or nothing left")
]


class SolveRequest(Wire):
    """A question without a price, and the errors that people can live with."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "question": {
                    "purpose": "preference_insight",
                    "statistics": [{"kind": "count"}],
                    "by": ["age"],
                    "reason": "how many there are in each age band",
                },
                "targets": [{"kind": "count", "within": 40}],
            }
        }
    )

    question: QuestionRequest
    targets: tuple[Target, ...] = Field(min_length=1, max_length=9)


class PredictionView(Wire):
    """What an answer will show: the half width of a 95 % interval of its noise."""

    statistic: str
    half_width: HalfWidth
    target: float


class OddsView(Wire):
    """What one loss lets an attacker do who knows everything else, as numbers and in words."""

    epsilon: float
    delta: float
    mu: float = Field(description="of the Gaussian release, in standard deviations")
    prior: float = Field(description="the attacker's belief before that one unit is in")
    posterior: float = Field(description="the most it can become under pure ε")
    beyond: float = Field(description="chance that the Gaussian release passes it")
    pure_guess: float = Field(description="how often a coin-flip guess is right, under pure ε")
    gaussian_guess: float = Field(description="the same for the Gaussian release")
    language: Language
    sentences: tuple[str, ...]

    @classmethod
    def of(cls, odds: Odds, sentences: Sequence[str], language: Language) -> Self:
        """Show odds in one language."""
        numbers = ("mu", "prior", "posterior", "beyond", "pure_guess", "gaussian_guess")
        return cls(
            epsilon=odds.epsilon.value,
            delta=odds.delta.value,
            language=language,
            sentences=tuple(sentences),
            **{name: getattr(odds, name) for name in numbers},
        )


class Solved(Wire):
    """A plan that meets its targets at the least loss. Nothing is spent until it is submitted."""

    plan: dict[str, JsonValue] = Field(description="submit it as a question, less its catalogue")
    rho: float
    epsilon: float
    delta: float
    predictions: tuple[PredictionView, ...]
    smallest_group: int = Field(description="fewest clients whose count is told apart from zero")
    odds: OddsView
    sentences: dict[Language, tuple[str, ...]]
    questions_left: int
    needs_approval: bool

    @classmethod
    def of(cls, solution: Solution) -> Self:
        """Show what the studio found."""
        return cls(
            plan=json.loads(canonical(solution.plan)),
            rho=solution.plan.rho,
            epsilon=solution.epsilon.value,
            delta=solution.delta.value,
            predictions=tuple(
                PredictionView(
                    statistic=one.statistic, half_width=_finite(one.half_width), target=one.target
                )
                for one in solution.predictions
            ),
            smallest_group=solution.smallest_group,
            odds=OddsView.of(solution.odds, solution.sentences["en"], "en"),
            sentences=dict(solution.sentences),
            questions_left=solution.questions_left,
            needs_approval=solution.needs_approval,
        )


class PointView(Wire):
    """What one ε buys. ``errors`` are in the order of a solution's predictions: the count first."""

    epsilon: float
    rho: float
    errors: tuple[HalfWidth, ...]
    questions_left: int

    @classmethod
    def of(cls, point: Point) -> Self:
        """Show one point of the curve."""
        return cls(
            epsilon=point.epsilon.value,
            rho=point.rho.value,
            errors=tuple(map(_finite, point.errors)),
            questions_left=point.questions_left,
        )


class ReplayRequest(Wire):
    """Another policy to try on the past. What it leaves out stays as it was."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"budgets": {"firm": 4.0}, "rho_factor": 1.0}}
    )

    budgets: dict[str, Loss] = Field(default_factory=dict, description="ε for life, by pool")
    delta: float | None = Field(default=None, gt=0, lt=1e-3)
    rho_factor: float = Field(default=1.0, gt=0, le=1e6, description="on the ρ of every plan")
    since: AwareDatetime | None = Field(default=None, description="when it comes into force")


class ReplayedView(Wire):
    """One run of the period, as it would have gone."""

    run: str
    pool: str
    at: datetime
    rho_then: float
    rho_now: float
    error_factor: float = Field(description="by how much its errors would have grown")
    refused_by: str | None
    remaining_rho: float | None

    @classmethod
    def of(cls, one: Replayed) -> Self:
        """Show one reservation."""
        return cls(
            run=one.request,
            pool=one.pool,
            at=one.at,
            rho_then=one.rho_then.value,
            rho_now=one.rho_now.value,
            error_factor=one.error_factor,
            refused_by=one.refused_by,
            remaining_rho=None if one.remaining is None else one.remaining.value,
        )


class OutlookView(Wire):
    """One pool at the end of the replay."""

    budget_rho: float
    charged_rho: float
    remaining_rho: float
    first_refusal: datetime | None
    lasts_until: datetime | None = Field(
        description="at the period's burn; null: for good, or without enough history"
    )

    @classmethod
    def of(cls, outlook: Outlook, *, enough_history: bool) -> Self:
        """Show one pool."""
        return cls(
            budget_rho=outlook.budget.value,
            charged_rho=outlook.charged.value,
            remaining_rho=outlook.remaining.value,
            first_refusal=outlook.first_refusal,
            lasts_until=outlook.lasts_until if enough_history else None,
        )


class ReplayView(Wire):
    """The past under another policy: how many would have been refused, which, and every pool."""

    requests: int
    refused: tuple[ReplayedView, ...]
    pools: dict[str, OutlookView]
    enough_history: bool = Field(description="whether two weeks or more were replayed")

    @classmethod
    def of(cls, replayed: Replay) -> Self:
        """Show a replay."""
        return cls(
            requests=len(replayed.requests),
            refused=tuple(map(ReplayedView.of, replayed.refused)),
            pools={
                name: OutlookView.of(pool, enough_history=replayed.enough_history)
                for name, pool in replayed.pools.items()
            },
            enough_history=replayed.enough_history,
        )


class OpinionRequest(Wire):
    """An officer's opinion on a run that waits."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"opinion": "approve", "reason": "needed for the yearly suitability review"}
        }
    )

    opinion: Opinion
    reason: str = Field(min_length=LEAST_REASON, max_length=MOST_REASON)


class OpinionView(Wire):
    """One opinion, as the ledger has it."""

    officer: str
    opinion: Literal["approve", "decline"]
    reason: str
    at: datetime

    @classmethod
    def of(cls, decided: Decided) -> Self:
        """Show one entry of the ledger."""
        return cls(
            officer=decided.officer,
            opinion=decided.opinion.value,
            reason=decided.reason,
            at=decided.at,
        )


class ApprovalView(Wire):
    """How far a run's approval is, as the caller may see it.

    opinions: all of them once both are in; before, only the caller's own.
    """

    run: RunSummary
    plan: dict[str, Any]
    expires_at: datetime
    given: int
    opinions: tuple[OpinionView, ...]
    may_decide: bool

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """Show an approval."""
        return cls(
            run=RunSummary.of(approval.run),
            plan=json.loads(approval.run.plan),
            expires_at=approval.expires_at,
            given=approval.given,
            opinions=tuple(map(OpinionView.of, approval.opinions)),
            may_decide=approval.may_decide,
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
