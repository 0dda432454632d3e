"""Sweeps at work: priced and reserved as one sum, then tried one recipe after the other.

Choosing a recipe by how well it does on real clients is a release of its own. So each recipe is an
ordinary training, judged by an ordinary evaluation on the clients that all of them hold out, and
the ledger holds one reservation for what is to come. A step gives it back, submits the next run
(which reserves its own ρ, or nothing if it was answered already), and reserves the rest again. A
sweep is carried on by one process; a step that a crash cut short is taken again and pays once, for
every run is submitted under a key.
"""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from consent.decisions import check_fields
from consent.errors import ConsentError
from federation import plan_check, training_layout
from federation.coordinator.desk import Desk, check, plan_of, submit
from federation.coordinator.errors import SweepRefused
from federation.coordinator.policy import pool_of
from federation.coordinator.runs import Run, RunState
from federation.coordinator.stopping import stop as stop_run
from federation.coordinator.sweeps import Sweep, Sweeps, SweepState, Tried
from federation.errors import FederationError, RunNotStoppable
from federation.evaluation_plan import EvaluationPlan
from federation.plans import canonical, read_plan
from federation.training_plan import TrainingPlan
from models.errors import ModelError
from models.objectives import Objective
from privacy.errors import LedgerConflict, PrivacyError, UnknownReservation
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of
from privacy.pools import lineage

LEAST_RECIPES, MOST_RECIPES = 2, 16
_REFUSALS = (FederationError, ConsentError, PrivacyError, ModelError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A sweep that is not asked for yet. rho: of all its trainings and evaluations together."""

    plans: Sequence[TrainingPlan]
    rho_of_evaluation: Rho
    rho: Rho


def planned(
    training: Mapping[str, object],
    recipes: Sequence[Mapping[str, object]],
    *,
    epsilon_of_evaluation: float,
    desk: Desk,
) -> Planned:
    """Return the sweep that a request asks for, priced. Spends nothing, touches no client.

    Args:
        training: a request as for plan_of, with its price and a hold-out: what all have in common.
        recipes: what each of them changes of it.
        epsilon_of_evaluation: what judging each of them may cost, at the policy's δ.
        desk: checks and prices.

    Raises:
        SweepRefused: no hold-out, not a model of yes or no, one recipe twice, or more than one
            person may spend in all: cut in parts a sum is still that sum.
        PlanInvalid, PurposeNotOpen and the like: as submit, of any of its plans.
    """
    if not LEAST_RECIPES <= len(recipes) <= MOST_RECIPES:
        raise SweepRefused(f"it takes {LEAST_RECIPES} to {MOST_RECIPES} recipes")
    plans = [_training({**training, **recipe}, desk) for recipe in recipes]
    if len({canonical(plan) for plan in plans}) < len(plans):
        raise SweepRefused("two of its recipes are the same")
    judged = desk.policy.rho(epsilon_of_evaluation)
    for plan in plans:
        evaluation = _evaluation(
            plan, judged, run="0" * 16, told={"sha256": "0" * 64, "attempt": 0}
        )
        check_fields(desk.catalogue, evaluation.fields, evaluation.purpose)
        plan_check.check(evaluation, desk.catalogue)
    rho = sum((Rho(plan.rho) + judged for plan in plans), start=Rho(0.0))
    if rho > desk.policy.rho(desk.policy.automatic_epsilon):
        raise SweepRefused("all of it costs more than one person may spend")
    return Planned(plans=plans, rho_of_evaluation=judged, rho=rho)


def price_of(found: Planned, desk: Desk) -> dict[str, float]:
    """Say what a sweep costs and what its pool has left; spends nothing."""
    delta = Delta(value=desk.policy.delta)
    pools = desk.ledger.states(lineage(pool_of(found.plans[0].purpose)))
    return {
        "rho": found.rho.value,
        "epsilon": epsilon_of(found.rho, delta).value,
        "delta": delta.value,
        "remaining_rho": min(state.remaining for state in pools).value,
        "runs": 2 * len(found.plans),
    }


def sweep(found: Planned, desk: Desk, *, asker: str, now: datetime | None = None) -> Sweep:
    """Take a sweep in: the ρ of all its runs is reserved as one sum, or it is refused.

    Raises:
        BudgetExceeded: by the ledger; then nothing is reserved and no run begins.
    """
    at = now or datetime.now(UTC)
    new = Sweep(
        id=secrets.token_hex(8),
        asker=asker,
        plans=[plan.model_dump(mode="json") for plan in found.plans],
        rho_of_evaluation=found.rho_of_evaluation.value,
        accepted_at=int(at.timestamp()),
        begun=0,
        tried=[],
        state=SweepState.TRYING,
    )
    _hold(new, desk, at)
    Sweeps(desk.engine).add(new)
    return new


def stop(sweep_id: str, desk: Desk, *, now: datetime | None = None) -> Sweep:
    """End a sweep: the rest is given back, a training under way keeps the rounds that are done.

    Raises:
        SweepUnknown: there is none.
    """
    sweeps = Sweeps(desk.engine)
    found = sweeps.get(sweep_id)
    if sweeps.move(found, state=SweepState.STOPPED):
        _let_go(found, desk, now or datetime.now(UTC))
        _stop_under_way(found, desk)
    return sweeps.get(sweep_id)


def carry_on_all(desk: Desk, at: datetime) -> None:
    """Begin whatever of each sweep can begin by now."""
    for one in Sweeps(desk.engine).trying():
        _carry_on(one, desk, at)


def _carry_on(one: Sweep, desk: Desk, at: datetime) -> None:
    """Take the next step if the run before it has ended."""
    last = one.tried[-1] if one.tried else None
    before = _under_way(one, desk)
    if before is not None and before.state not in (RunState.RELEASED, RunState.REFUSED):
        return
    judge = last is not None and last["refusal"] is None and last["evaluation"] is None
    if before is not None and before.state is RunState.REFUSED:
        told = (before.refusal or {}).get("code", "refused")
        one, judge = one.after(_with(one, refusal=told), begun=one.begun), False
    if not judge and len(one.tried) == len(one.plans):
        Sweeps(desk.engine).move(one, state=SweepState.ENDED, tried=list(one.tried))
        return
    _begin(one, desk, at, trained=before if judge else None)


def _begin(one: Sweep, desk: Desk, at: datetime, *, trained: Run | None) -> None:
    """Submit the evaluation of what was trained, or else the next training."""
    sweeps, state = Sweeps(desk.engine), SweepState.TRYING
    _let_go(one, desk, at)
    if trained is None:
        new: Tried = {"training": None, "evaluation": None, "refusal": None}
        one = one.after([*one.tried, new], begun=one.begun)
    try:
        plan = _next_plan(one, trained)
        run = submit(plan, desk, asker=one.asker, request=one.reservation, now=at).run.id
        found = _with(one, training=run) if trained is None else _with(one, evaluation=run)
    except _REFUSALS as refusal:
        found = _with(one, refusal=type(refusal).__name__)
    moved = one.after(found, begun=one.begun + 1)
    try:
        _hold(moved, desk, at)
    except PrivacyError:
        state = SweepState.REFUSED
    if not sweeps.move(one, begun=moved.begun, tried=found, state=state):  # stopped meanwhile
        _let_go(moved, desk, at)
        _stop_under_way(moved, desk)


def _next_plan(one: Sweep, trained: Run | None) -> TrainingPlan | EvaluationPlan:
    plan = read_plan(dict(one.plans[len(one.tried) - 1]))
    if not isinstance(plan, TrainingPlan):
        raise SweepRefused("it tries trainings only")
    if trained is None:
        return plan
    return _evaluation(plan, Rho(one.rho_of_evaluation), run=trained.id, told=trained.result or {})


def _with(
    one: Sweep, *, training: str = "", evaluation: str = "", refusal: str = ""
) -> list[Tried]:
    """Return what was tried, with more told of the last of it."""
    *before, last = one.tried
    more: Tried = {
        "training": training or last["training"],
        "evaluation": evaluation or last["evaluation"],
        "refusal": refusal or last["refusal"],
    }
    return [*before, more]


def _under_way(one: Sweep, desk: Desk) -> Run | None:
    """Return the run that was begun last, whether it has ended or not."""
    if not one.tried or one.tried[-1]["refusal"] is not None:
        return None
    run = one.tried[-1]["evaluation"] or one.tried[-1]["training"]
    return None if run is None else desk.runs.get(run)


def _stop_under_way(one: Sweep, desk: Desk) -> None:
    if (run := _under_way(one, desk)) is not None and run.asker == one.asker:
        with suppress(RunNotStoppable):
            stop_run(run.id, desk)


def _training(request: Mapping[str, object], desk: Desk) -> TrainingPlan:
    plan = plan_of({**request, "kind": "training"}, desk)
    if not isinstance(plan, TrainingPlan) or not plan.holdout:
        raise SweepRefused("its training needs a hold-out, on which the recipes are judged")
    check(plan, desk)
    if training_layout.objective_of(plan, desk.catalogue) is not Objective.BINARY:
        raise SweepRefused("recipes are told apart by AUC, which only models of yes or no have")
    return plan


def _evaluation(
    plan: TrainingPlan, rho: Rho, *, run: str, told: Mapping[str, Any]
) -> EvaluationPlan:
    same = ("catalogue", "purpose", "cohort", "unit", "clients_per_household", "tolerance")
    return EvaluationPlan(
        training=plan,
        run=run,
        sha256=told["sha256"],
        personal_attempt=told["attempt"] if plan.personal else None,
        rho=rho.value,
        reason=plan.reason,
        **{name: getattr(plan, name) for name in same},
    )


def _hold(one: Sweep, desk: Desk, at: datetime) -> None:
    if one.rest.value:
        pool = pool_of(str(one.plans[0]["purpose"]))
        desk.ledger.reserve(pool, one.rest, one.reservation, at)


def _let_go(one: Sweep, desk: Desk, at: datetime) -> None:
    with suppress(UnknownReservation, LedgerConflict):  # a crash in between has let it go
        desk.ledger.abandon(one.reservation, at)
