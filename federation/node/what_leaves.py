"""What would leave this node for a plan, before the department agrees to anything. A dry run.

Opens no row, asks nobody and writes nothing: everything follows from the plan, the catalogue, the
department's policy and its own ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from consent.decisions import check_fields
from consent.errors import ConsentError
from federation.errors import FederationError, PlanInvalid, PolicyRefusal
from federation.node import policy
from federation.node.own import OwnNode
from federation.plan_check import check
from federation.plans import AnyPlan, digest
from federation.tensors import Tensor, tensors
from models.errors import ModelError
from privacy.errors import PrivacyError
from privacy.loss import Rho
from privacy.mechanisms import epsilon_of
from privacy.pools import lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedField:
    """A field that would be opened: of whom, by the level a client must have given. Public."""

    name: str
    title: str
    level: int
    family: bool
    held: bool
    """Whether this department holds it; if not, it is absent in all its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one pool of this department's own ledger would pay, in ρ, and has left before."""

    pool: str
    rho: float
    epsilon: float
    left: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason against the plan. rule: the setting or the error that says so."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatLeaves:
    """One plan as this department would carry it out. Public but for nothing: no row is in it."""

    plan: str
    kind: str
    purpose: str
    unit: str
    reason: str
    department: str
    cohort: tuple[str, ...]
    tolerance: int
    fields: tuple[OpenedField, ...]
    tensors: tuple[Tensor, ...]
    charges: tuple[Charge, ...]
    delta: float
    refusals: tuple[Refusal, ...]

    @property
    def agreed(self) -> bool:
        """Whether the node would carry it out as things stand; consent is looked at then."""
        return not self.refusals


def what_leaves(node: OwnNode, plan: AnyPlan, *, now: datetime) -> WhatLeaves:
    """Say what a plan would open, send, add as noise and charge here, and whether it would pass.

    Every refusal is listed, not the first alone.

    Args:
        node: the department's.
        plan: as it would be asked; public.
        now: with a time zone; for the ledger's months.

    Raises:
        UnknownField: the catalogue has no field of that name.
        LedgerBroken: the ledger was altered.
    """
    looks: tuple[Callable[[], object], ...] = (
        node.stop_switch.check,
        lambda: _is_ours(node, plan),
        lambda: policy.check(plan, node.policy, department=node.department),
        lambda: check_fields(node.catalogue, plan.fields, plan.purpose),
        lambda: check(plan, node.catalogue),
        lambda: _affordable(node, plan, now),
    )
    refusals = tuple(found for look in looks if (found := _refusal(look)))
    sent: tuple[Tensor, ...] = ()
    if _refusal(lambda: check(plan, node.catalogue)) is None and node.department in plan.parties:
        sent = tensors(plan, node.catalogue, node.department)
    return WhatLeaves(
        plan=digest(plan).hex(),
        kind=plan.kind,
        purpose=plan.purpose,
        unit=plan.unit.value,
        reason=plan.reason,
        department=node.department,
        cohort=plan.cohort,
        tolerance=plan.tolerance,
        fields=tuple(_opened(node, name) for name in plan.fields),
        tensors=sent,
        charges=tuple(_charges(node, plan, now)),
        delta=node.policy.delta,
        refusals=refusals,
    )


def _is_ours(node: OwnNode, plan: AnyPlan) -> None:
    if plan.catalogue != node.catalogue.digest():
        raise PlanInvalid("catalogue: this department has another one; compare the two files")
    if node.department not in plan.parties:
        raise PlanInvalid(f"cohort: {node.department} has no part in it")


def _affordable(node: OwnNode, plan: AnyPlan, now: datetime) -> None:
    if plan.purpose not in node.policy.purposes:
        return  # the policy has said so already, and there is no pool
    for pool in lineage(policy.pool_of(plan.purpose)):
        node.ledger.state(pool, now).admit(Rho(value=plan.rho), pool)


def _charges(node: OwnNode, plan: AnyPlan, now: datetime) -> list[Charge]:
    """The whole ρ of the plan is charged to the purpose's pool and to every pool above it."""
    if plan.purpose not in node.policy.purposes:
        return []
    found = []
    for pool in lineage(policy.pool_of(plan.purpose)):
        state = node.ledger.state(pool, now)
        left = state.remaining.value
        found.append(
            Charge(
                pool=pool,
                rho=plan.rho,
                epsilon=epsilon_of(Rho(value=plan.rho), state.delta).value,
                left=left,
                after=max(left - plan.rho, 0.0),
            )
        )
    return found


def _opened(node: OwnNode, name: str) -> OpenedField:
    field = node.catalogue.field(name)
    return OpenedField(
        name=name,
        title=field.title,
        level=int(field.level),
        family=field.of_family,
        held=node.department in field.departments,
    )


def _refusal(look: Callable[[], object]) -> Refusal | None:
    try:
        look()
    except PolicyRefusal as refusal:
        return Refusal(rule=refusal.rule, text=refusal.reason)
    except (ConsentError, FederationError, ModelError, PrivacyError) as refusal:
        return Refusal(rule=type(refusal).__name__, text=str(refusal))
    return None
