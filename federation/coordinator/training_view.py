"""How far a training is: rounds, departments, ε so far. All of it is public."""

from collections.abc import Mapping
from dataclasses import dataclass

from federation.coordinator.desk import Desk
from federation.coordinator.runs import Run, RunState
from federation.coordinator.trainings import Trainings, Underway
from federation.plans import read_plan
from federation.training_plan import TrainingPlan
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of

_BEFORE = Underway(attempt=0, interruptions=0, missing=(), asked=0, done=0, waiting=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingView:
    """How far a training is.

    rounds: of the plan. asked: sent out so far. done: whose sum is known. interruptions: so many.
    stopping: it ends before its next round. departments: each one's state in words.
    epsilon: that the rounds sent out so far cost one client at most, at delta; at the departments
    the whole plan is charged with the first round.
    """

    rounds: int
    asked: int
    done: int
    interruptions: int
    stopping: bool
    departments: Mapping[str, str]
    epsilon: float
    delta: float


def training_view(run: Run, desk: Desk) -> TrainingView | None:
    """Return how far a run's training is; None if it is none."""
    plan = read_plan(run.plan)
    if not isinstance(plan, TrainingPlan):
        return None
    trainings = Trainings(desk.engine)
    found = trainings.underway(run.id) or _BEFORE
    delta = Delta(desk.policy.delta)
    so_far = Rho(min(plan.rho, plan.rho * found.asked / plan.rounds))
    return TrainingView(
        rounds=plan.rounds,
        asked=found.asked,
        done=found.done,
        interruptions=found.interruptions,
        stopping=run.state is RunState.RUNNING and trainings.stopped(run.id),
        departments={name: _state(name, found) for name in plan.cohort},
        epsilon=epsilon_of(so_far, delta).value,
        delta=delta.value,
    )


def _state(department: str, found: Underway) -> str:
    if department in found.missing:
        return f"silent in round {found.asked}; it is waited for"
    if found.waiting:
        return f"training for round {found.asked}"
    return f"answered {found.done} of {found.asked} rounds" if found.asked else "not asked yet"
