"""The coordinator's desk: a request comes in, is checked, priced and reserved, and becomes a run.

Everything here happens before any node hears of the plan, and nothing here touches a client's row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from consent.catalogue import Catalogue, load_catalogue
from consent.decisions import check_fields
from consent.store import Register
from federation import plan_check
from federation.budgets import keep_to_policy
from federation.coordinator.cache import (
    name_of_policy,
    of_this_data,
    question_name,
    run_name,
    standing_epochs,
    standing_run,
)
from federation.coordinator.data_epochs import DataEpochs
from federation.coordinator.derived import answered_by
from federation.coordinator.documents import keep_documents
from federation.coordinator.evidence_log import (
    Evidence,
    log_accepted,
    log_collections,
    open_evidence,
    open_register,
)
from federation.coordinator.filters import check_filter
from federation.coordinator.model_book import weights_for
from federation.coordinator.plan_request import completed
from federation.coordinator.policy import Policy, load_policy, pool_of
from federation.coordinator.registry import Registry
from federation.coordinator.runs import Run, Runs, Submission
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database
from federation.errors import CohortTooSmall, PlanInvalid, RequestMismatch
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan, canonical, digest, owners_save, read_plan
from federation.question_plan import QuestionPlan
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of
from privacy.pools import PoolState, lineage
from privacy.store import Ledger
from privacy.windows import WindowState


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One coordinator's opened stores. Open it with :func:`open_desk`."""

    settings: CoordinatorSettings
    catalogue: Catalogue
    policy: Policy
    engine: Engine = field(repr=False)
    runs: Runs = field(repr=False)
    registry: Registry = field(repr=False)
    ledger: Ledger = field(repr=False)
    register: Register = field(repr=False)
    evidence: Evidence = field(repr=False)
    data_epochs: DataEpochs = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """One window of a pool: ρ, and ε at the pool's δ. What is reserved counts as spent in ε.

    Without a budget of its own, what depends on one is None.
    """

    budget_rho: float | None
    spent_rho: float
    reserved_rho: float
    remaining_rho: float | None
    budget_epsilon: float | None
    spent_epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool as people read it: ρ as the ledger holds it, and ε at the pool's δ.

    The plain figures are the lifetime's, but for ``remaining_rho``, the least of all windows: what
    may be asked now. ``month`` is the calendar month in UTC, ``year`` that and the eleven before.
    """

    pool: str
    budget_rho: float
    spent_rho: float
    reserved_rho: float
    remaining_rho: float
    budget_epsilon: float
    spent_epsilon: float
    delta: float
    month: WindowView
    year: WindowView
    lifetime: WindowView


def open_desk(settings: CoordinatorSettings, *, now: datetime | None = None) -> Desk:
    """Open the coordinator's stores and its pools; opening twice changes nothing.

    Raises:
        SettingsInvalid, CatalogueError: a file is missing or wrong; names the file and the key.
        LedgerBroken: the ledger's hash chain does not hold; nothing is served until it is repaired.
        BudgetBelowSpent: the policy gives less than what is spent. ClockWentBack: by the ledger.
    """
    engine = open_database(settings.database)
    evidence = open_evidence(settings, engine)
    desk = Desk(
        settings=settings,
        catalogue=load_catalogue(settings.catalogue),
        policy=load_policy(settings.policy),
        engine=engine,
        runs=Runs(engine),
        registry=Registry(engine),
        ledger=Ledger(engine, head=settings.models / "ledger.head"),
        register=open_register(engine, evidence),
        evidence=evidence,
        data_epochs=DataEpochs(engine),
    )
    desk.ledger.verify()
    at = now or datetime.now(UTC)
    log_collections(evidence, desk.catalogue, engine, at=int(at.timestamp()))
    delta = Delta(value=desk.policy.delta)
    keep_to_policy(desk.ledger, desk.policy.budgets(), delta, reason=desk.policy.reason, at=at)
    keep_documents(engine, policy=desk.policy, catalogue=desk.catalogue, at=at)
    return desk


def plan_of(request: Mapping[str, object], desk: Desk) -> AnyPlan:
    """Turn a request into a plan over this firm's catalogue; plan_request says what it may omit.

    Raises:
        PlanInvalid: an unknown key, or a value out of range.
        UnknownField, UnknownPurpose, ModelUnknown: with the names there are.
    """
    values = completed(
        request,
        catalogue=desk.catalogue,
        policy=desk.policy,
        runs=desk.runs,
        registry=desk.registry,
    )
    return read_plan(values)


def price(plan: AnyPlan, desk: Desk) -> dict[str, float]:
    """Say what a plan costs and what its pool has left, without touching data or spending."""
    left = min(desk.ledger.state(pool).remaining for pool in lineage(pool_of(plan.purpose)))
    return {
        "rho": plan.rho,
        "epsilon": epsilon_of(Rho(value=plan.rho), Delta(value=desk.policy.delta)).value,
        "delta": desk.policy.delta,
        "remaining_rho": left.value,
        "needs_approval": needs_approval(plan, desk),
        "owners_save": owners_save(plan),
        "clients_per_household": plan.clients_per_household,
    }


def submit(
    plan: AnyPlan,
    desk: Desk,
    *,
    asker: str,
    request: str | None = None,
    now: datetime | None = None,
) -> Submission:
    """Take a plan in, or raise the reason why not; nothing is spent unless a run comes back.

    A plan above the automatic limit becomes a run that waits for two people (`approvals`), with
    nothing reserved. Any other is reserved and accepted at once.

    The same request key with the same plan gives the same run. The same question in the same
    consent epoch, or while its answer stands, gives the run that answered it, at no cost. A run is
    named by its question and attempt, so two askers who race with one question reserve once and
    share one run.

    Raises:
        RequestMismatch: the key was used for another plan.
        PurposeNotOpen, UnknownField, UnknownPurpose: by the catalogue.
        CohortTooSmall, FilterTooNarrow: by the policy.
        BudgetExceeded: by the ledger.
        PlanInvalid, NoiseTooSmall: the plan cannot be carried out as it is.
    """
    at = now or datetime.now(UTC)
    name = digest(plan).hex()
    if request is not None and (earlier := desk.runs.by_request(request)) is not None:
        if earlier.digest != name:
            raise RequestMismatch(request)
        return Submission(run=earlier, new=False)
    check(plan, desk)
    epoch, policy = desk.register.head(), name_of_policy(desk.policy)
    question = question_name(plan, epoch, policy)
    seconds = int(at.timestamp())
    if (answered := standing_answer(plan, desk, epoch=epoch, at=seconds)) is not None:
        return Submission(run=answered, new=False)
    if (follows := follows_from(plan, desk, epoch=epoch, at=seconds)) is not None:
        return Submission(run=follows[0], new=False, result=follows[1])
    waiting = needs_approval(plan, desk)
    attempt = desk.runs.attempts(name, question)
    run = run_name(question, attempt)
    if waiting:
        desk.ledger.state(pool_of(plan.purpose))  # there must be a budget, however little is left
    else:
        desk.ledger.reserve(pool_of(plan.purpose), Rho(value=plan.rho), run, at)
        log_accepted(desk.evidence, plan, run=run, asker=asker, at=seconds)
    return desk.runs.add(
        run=run,
        request=request,
        asker=asker,
        plan=canonical(plan),
        digest=name,
        question=question,
        attempt=attempt,
        epoch=epoch,
        policy=policy,
        now=seconds,
        waiting=waiting,
    )


def standing_answer(plan: AnyPlan, desk: Desk, *, epoch: int, at: int) -> Run | None:
    """Return the run that answers an equal question for free now, if there is one."""
    epochs = standing_epochs(desk.runs, epoch=epoch, span=desk.settings.answers_stand_s, at=at)
    policy, data = name_of_policy(desk.policy), desk.data_epochs.all()
    return standing_run(plan, desk.runs, epochs=epochs, policy=policy, data=data)


def follows_from(
    plan: AnyPlan, desk: Desk, *, epoch: int, at: int
) -> tuple[Run, dict[str, Any]] | None:
    """Return a stored release that answers a question for free now, and what it tells of it."""
    epochs = standing_epochs(desk.runs, epoch=epoch, span=desk.settings.answers_stand_s, at=at)
    stored = desk.runs.released_in(epochs, name_of_policy(desk.policy))
    data = desk.data_epochs.all()
    there = [run for run in stored if of_this_data(run, plan, data)]
    return answered_by(plan, there, desk.catalogue, threshold=desk.policy.least_count)


def check(plan: AnyPlan, desk: Desk) -> None:
    """Refuse a plan that the catalogue, the policy or the noise rules forbid. Spends nothing."""
    check_fields(desk.catalogue, plan.fields, plan.purpose)
    plan_check.check(plan, desk.catalogue)
    if len(plan.cohort) < desk.policy.minimum_cohort:
        raise CohortTooSmall(len(plan.cohort), desk.policy.minimum_cohort)
    if unknown := set(plan.cohort) - set(desk.catalogue.departments):
        raise PlanInvalid(f"cohort: {', '.join(sorted(unknown))} is no department of this firm")
    if isinstance(plan, QuestionPlan):
        check_filter(plan, desk.catalogue, least=desk.policy.least_share)
    if isinstance(plan, EvaluationPlan):
        weights_for(plan, desk.runs, desk.registry, desk.settings.models)


def needs_approval(plan: AnyPlan, desk: Desk) -> bool:
    """Say whether a plan costs more than one person may spend."""
    return plan.rho > desk.policy.rho(desk.policy.automatic_epsilon).value


def budgets(desk: Desk, *, now: datetime | None = None) -> list[PoolView]:
    """Return every pool, the firm's first, with its windows side by side."""
    pools = list(desk.policy.budgets())
    return list(map(_pool_view, pools, desk.ledger.states(pools, now)))


def _pool_view(pool: str, state: PoolState) -> PoolView:
    lifetime = _window_view(state.lifetime, state.delta)
    return PoolView(
        pool=pool,
        budget_rho=state.budget.value,
        spent_rho=lifetime.spent_rho,
        reserved_rho=lifetime.reserved_rho,
        remaining_rho=state.remaining.value,
        budget_epsilon=epsilon_of(state.budget, state.delta).value,
        spent_epsilon=lifetime.spent_epsilon,
        delta=state.delta.value,
        month=_window_view(state.month, state.delta),
        year=_window_view(state.year, state.delta),
        lifetime=lifetime,
    )


def _window_view(held: WindowState, delta: Delta) -> WindowView:
    budget, left, used = held.budget, held.remaining, held.spent + held.reserved
    return WindowView(
        budget_rho=None if budget is None else budget.value,
        spent_rho=held.spent.value,
        reserved_rho=held.reserved.value,
        remaining_rho=None if left is None else left.value,
        budget_epsilon=None if budget is None else epsilon_of(budget, delta).value,
        spent_epsilon=epsilon_of(used, delta).value if used.value else 0.0,
    )
