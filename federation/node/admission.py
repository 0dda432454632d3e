"""Admission: every check a leg must pass before a row is touched, in one order, failing closed.

Nothing is written before all checks that only look have passed; then the journal takes the permit,
then the department's own ledger reserves. Whoever fails early has spent nothing.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.decisions import Permit, check_fields, decide
from consent.epochs import apply, open_delta
from federation.errors import PermitInvalid, PlanInvalid, ProtocolError, SessionUnknown
from federation.messages import CONSENT_LABEL, Ask
from federation.node import policy
from federation.node.announcements import read_announcements
from federation.node.learned import Attempt
from federation.node.node import Node
from federation.plan_check import check
from federation.plans import AnyPlan, canonical, digest, read_plan
from federation.run_permit import FREE, RESUMPTIONS, RunPermit, verify_permit
from federation.sealing import open_sealed
from federation.secure_aggregation.keys import Announcement, verified_publics
from federation.training_plan import TrainingPlan
from privacy.loss import Rho
from privacy.pools import lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A leg that passed every check: what may be computed, for whom, on which reservation."""

    plan: AnyPlan
    run: RunPermit
    announcements: tuple[Announcement, ...]
    permit: Permit = field(repr=False)

    @property
    def attempt(self) -> Attempt:
        """Names the attempt in the worker's memory."""
        return self.run.plan, self.run.attempt

    @property
    def request(self) -> str:
        """The reservation in the department's own ledger: one for all legs of an attempt."""
        return f"{self.run.plan}#{self.run.attempt}"


def admit(node: Node, ask: Ask, now: int) -> Admitted:
    """Check one leg and reserve its plan's whole ρ in the department's own ledger.

    A leg of FREE releases no sum, so it is only asked whether the plan could be paid for: if
    another department then turns out to be missing or refuses, nothing was spent here.

    Args:
        node: the department's; its consent snapshot moves forward with the ask's delta.
        ask: as it arrived; not trusted.
        now: seconds since the Unix epoch.

    Raises:
        NodeStopped: by the department's stop switch.
        PermitInvalid, PermitExpired: by the permit to run.
        PlanInvalid: by the plan or the catalogue.
        NotInRoster, WrongSignature, SessionUnknown, ProtocolError: by the cohort's announcements.
        PolicyRefusal: by the department's own policy.
        UnknownField, UnknownPurpose, PurposeNotOpen, EpochInvalid, EpochStale: by consent.
        PermitReplayed, AlreadyAnswered: by the journal.
        BudgetExceeded: by the department's own ledger.
    """
    node.stop_switch.check()
    run, plan = _signed_plan(node, ask, now)
    announcements = _cohort(node, ask, run, plan)
    policy.check(plan, node.policy, department=node.department)
    fields = check_fields(node.catalogue, plan.fields, plan.purpose)
    check(plan, node.catalogue)
    take_epoch(node, ask)
    permit = decide(node.memory.snapshot, fields, plan.purpose, now=now, at_least=run.epoch)
    admitted = Admitted(plan=plan, run=run, announcements=announcements, permit=permit)
    node.journal.admit(run)
    at = datetime.fromtimestamp(now, UTC)
    pool = policy.pool_of(plan.purpose)
    if run.leg in FREE:
        _affordable(node, pool, Rho(value=plan.rho), at)
    else:
        node.ledger.reserve(pool, Rho(value=plan.rho), admitted.request, at)
    return admitted


def _affordable(node: Node, pool: str, rho: Rho, at: datetime) -> None:
    for name in lineage(pool):
        node.ledger.state(name, at).admit(rho, name)


def _signed_plan(node: Node, ask: Ask, now: int) -> tuple[RunPermit, AnyPlan]:
    """Return the permit and the very plan it names, if this leg belongs to that plan."""
    coordinator = Ed25519PublicKey.from_public_bytes(node.roster.coordinator)
    run = verify_permit(ask.permit, coordinator, now=now)
    if run.leg != ask.leg:
        raise PermitInvalid("it is for another leg")
    plan = read_plan(ask.plan)
    if canonical(plan) != ask.plan or digest(plan).hex() != run.plan:
        raise PermitInvalid("it is for another plan than the one that came with it")
    if plan.catalogue != node.catalogue.digest():
        raise PlanInvalid("catalogue: this department has another one; compare the two files")
    rounds = plan.legs.get(run.leg, 0)
    if isinstance(plan, TrainingPlan) and run.leg in FREE:
        rounds *= RESUMPTIONS
    if run.round >= rounds:
        raise PermitInvalid("its leg or round is not one of the plan's")
    return run, plan


def _cohort(node: Node, ask: Ask, run: RunPermit, plan: AnyPlan) -> tuple[Announcement, ...]:
    """Return the parties' announcements, each signed by its department, this session among them."""
    if tuple(run.cohort) != plan.cohort:
        raise PermitInvalid("its cohort is not the plan's")
    if node.department not in plan.parties:
        raise PermitInvalid("this department is not in its cohort")
    for department in plan.parties:
        node.roster.keys_of(department)
    announcements = read_announcements(ask.announcements)
    publics = verified_publics(announcements, node.roster)
    if tuple(publics) != plan.parties:
        raise ProtocolError("There is not one announcement for each department of the cohort.")
    if publics[node.department] != node.session.public:
        raise SessionUnknown(node.department)
    return announcements


def take_epoch(node: Node, ask: Ask) -> None:
    """Move the consent snapshot forward by the delta that came with the ask, if one came.

    The delta is sealed to this node and signed by the consent service, so it needs no permit.

    Raises:
        EpochInvalid, EpochStale: by the delta; the snapshot stays as it is.
    """
    if not ask.consent:
        return
    data = open_sealed(node.sealing, ask.consent, label=CONSENT_LABEL)
    service = Ed25519PublicKey.from_public_bytes(node.roster.consent)
    delta = open_delta(data, service, department=node.department)
    snapshot = apply(node.memory.snapshot, delta)
    if snapshot is not node.memory.snapshot:
        node.consent.keep(delta, data)
        node.memory.snapshot = snapshot
