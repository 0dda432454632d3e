"""From an AUC that is wanted to a training's loss, on past evidence: released evaluations only.

No formula says how well a model will rank at a loss. What the firm knows are the models it trained
and evaluated before: each evaluation is a release with an interval of its noise. The wish is met by
the cheapest past loss at which a comparable model's AUC was at least so much at the lower end of
its interval. It is evidence, not a promise: clients and consent change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from federation.coordinator.desk import Desk, check, needs_approval, plan_of
from federation.coordinator.errors import NoPastModel
from federation.coordinator.policy import pool_of
from federation.coordinator.runs import RunState
from federation.errors import PlanInvalid
from federation.evaluation_plan import EvaluationPlan
from federation.plans import read_plan
from federation.training_plan import TrainingPlan
from privacy.errors import TargetUnreachable
from privacy.loss import Delta, Epsilon, Rho
from privacy.mechanisms import epsilon_of
from privacy.planning import LEAST_RHO
from privacy.pools import lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class PastModel:
    """One comparable model of the past. All of it was released.

    Attributes:
        run: that trained it. evaluation: the run that evaluated it.
        rho: what the training cost.
        auc: as evaluated. least, most: ends of its 95 % interval of the noise.
    """

    run: str
    evaluation: str
    rho: float
    auc: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSolution:
    """A training that costs what sufficed before. Nothing is spent until it is submitted.

    Attributes:
        plan: ready to submit.
        epsilon: of the plan, at delta, the policy's.
        evidence: the model whose loss it takes.
        compared: how many past models could be compared.
        needs_approval: it costs more than one person may spend.
    """

    plan: TrainingPlan
    epsilon: Epsilon
    delta: Delta
    evidence: PastModel
    compared: int
    needs_approval: bool


def solve_training(request: Mapping[str, object], *, auc: float, desk: Desk) -> TrainingSolution:
    """Find the least loss at which a comparable past model reached an AUC.

    Comparable are models of the same target, features, network and departments, trained in the same
    way for the same unit; the loss and the wording may differ.

    Args:
        request: a training as for plan_of, with neither rho nor epsilon.
        auc: above one half and below 1.
        desk: its policy, catalogue, ledger and released runs are read.

    Raises:
        PlanInvalid: a request with a price, or an AUC out of range.
        NoPastModel: nothing comparable reached it; says how near the best came.
        TargetUnreachable: what sufficed costs more than its pools have left.
        PurposeNotOpen, UnknownField, UnknownPurpose, CohortTooSmall, UnknownPool: as for submit.
    """
    if not 0.5 < auc < 1:  # noqa: PLR2004 - a coin's AUC
        raise PlanInvalid("auc: give a number above 0.5 and below 1")
    if priced := {"rho", "epsilon"} & set(request):
        raise PlanInvalid(f"{min(priced)}: leave it out, it is solved for")
    draft = plan_of({"kind": "training"} | dict(request) | {"rho": LEAST_RHO}, desk)
    if not isinstance(draft, TrainingPlan):
        raise PlanInvalid("kind: only a training has an AUC")
    check(draft, desk)
    past = past_models(draft, desk)
    reached = [one for one in past if one.least >= auc]
    if not reached:
        raise NoPastModel(draft.target, len(past), max((one.least for one in past), default=None))
    best = min(reached, key=lambda one: one.rho)
    left = min(desk.ledger.state(pool).remaining for pool in lineage(pool_of(draft.purpose)))
    if Rho(best.rho) > left:
        within = [one.least for one in past if Rho(one.rho) <= left]
        raise TargetUnreachable("AUC", max(within, default=0.5), best.rho, left.value)
    plan, delta = draft.model_copy(update={"rho": best.rho}), Delta(desk.policy.delta)
    return TrainingSolution(
        plan=plan,
        epsilon=epsilon_of(Rho(best.rho), delta),
        delta=delta,
        evidence=best,
        compared=len(past),
        needs_approval=needs_approval(plan, desk),
    )


def past_models(plan: TrainingPlan, desk: Desk) -> list[PastModel]:
    """Return the evaluated models that can be compared with a training, newest first."""
    found = []
    for run in desk.runs.latest(limit=None):
        evaluated = read_plan(run.plan) if run.state is RunState.RELEASED else None
        if not isinstance(evaluated, EvaluationPlan) or evaluated.explain or run.result is None:
            continue
        metrics = run.result["everyone"]["metrics"]
        if _way(evaluated.training) == _way(plan) and "auc" in metrics:
            least, most = metrics["auc"]["interval"]
            found.append(
                PastModel(
                    run=evaluated.run,
                    evaluation=run.id,
                    rho=evaluated.training.rho,
                    auc=metrics["auc"]["value"],
                    least=least,
                    most=most,
                )
            )
    return found


def _way(plan: TrainingPlan) -> dict[str, object]:
    """Say what was learned from what and how, whatever it cost and whoever asked why."""
    free = {"rho", "reason", "model", "purpose", "catalogue"}
    return plan.model_dump(exclude=free)
