"""An AUC is solved for on released evaluations of comparable models, and on nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.errors import NoPastModel
from federation.coordinator.past_models import solve_training
from federation.errors import PlanInvalid
from federation.plans import canonical, digest
from privacy.errors import TargetUnreachable
from tests.federation.coordinator.conftest import AT, POLICY, TRAINING, finish

WISH = {key: value for key, value in TRAINING.items() if key != "rho"}


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(POLICY)


def evaluated(desk: Desk, *, rho: float, least: float | None, **changes: Any) -> str:
    """Train a model at a loss and evaluate it; return the training's run."""
    training = submit(plan_of(TRAINING | changes | {"rho": rho}, desk), desk, asker="a", now=AT).run
    finish(training, desk)
    asked = {"kind": "evaluation", "model": "defaulted", "purpose": "review", "rho": 0.001}
    plan = plan_of(asked | {"reason": "how good it is"}, desk)
    name = digest(plan).hex()
    desk.runs.add(
        run=name[:16],
        request=None,
        asker="a",
        plan=canonical(plan),
        digest=name,
        question=name,
        attempt=0,
        epoch=0,
        now=1,
        policy="0" * 64,
    )
    desk.runs.take()
    auc = {"value": 0.9, "interval": [least, 0.95]}
    metrics = {"note": "too few"} if least is None else {"auc": auc}
    result = {"everyone": {"metrics": metrics}}
    desk.runs.end_released(name[:16], result=result, label={"rho": 0.001}, now=1)
    return training.id


def test_the_cheapest_loss_that_sufficed_is_taken(desk: Desk) -> None:
    evaluated(desk, rho=0.02, least=0.70)
    enough = evaluated(desk, rho=0.03, least=0.81)
    evaluated(desk, rho=0.04, least=0.85)
    evaluated(desk, rho=0.01, least=None)
    found = solve_training(WISH, auc=0.8, desk=desk)
    assert (found.evidence.run, found.plan.rho, found.compared) == (enough, 0.03, 3)
    assert not found.needs_approval
    assert submit(found.plan, desk, asker="ann", now=AT).run.id == enough


def test_another_model_is_no_evidence(desk: Desk) -> None:
    evaluated(desk, rho=0.03, least=0.9, features=["age", "education"])
    with pytest.raises(NoPastModel, match="No model like it"):
        solve_training(WISH, auc=0.8, desk=desk)


def test_what_nothing_reached_is_said_with_how_near_it_came(desk: Desk) -> None:
    evaluated(desk, rho=0.03, least=0.81)
    with pytest.raises(NoPastModel, match=r"1 evaluated models like it is known to reach 0\.810"):
        solve_training(WISH, auc=0.9, desk=desk)


def test_what_costs_more_than_is_left_is_refused(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(POLICY.replace("epsilon = 8.0", "epsilon = 1.0"))
    evaluated(desk, rho=0.015, least=0.9)
    with pytest.raises(TargetUnreachable):
        solve_training(WISH, auc=0.8, desk=desk)


@pytest.mark.parametrize(
    ("request_", "auc"), [(TRAINING, 0.8), (WISH, 0.5), (WISH, 1.0), (WISH, float("nan"))]
)
def test_a_wish_that_makes_no_sense_is_refused(
    desk: Desk, request_: dict[str, Any], auc: float
) -> None:
    with pytest.raises(PlanInvalid):
        solve_training(request_, auc=auc, desk=desk)
