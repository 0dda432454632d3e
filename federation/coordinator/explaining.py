"""Why: every reason against a plan at once, and for one client every field that is closed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from consent.decisions import check_fields
from consent.errors import ConsentError, UnknownField
from consent.explanations import Closed, explain
from consent.levels import Level
from federation.coordinator.desk import Desk, check
from federation.coordinator.policy import pool_of
from federation.coordinator.receipt_forms import family_closed_at
from federation.errors import FederationError
from federation.plans import AnyPlan
from models.errors import ModelError
from privacy.errors import PrivacyError
from privacy.loss import Rho
from privacy.pools import lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a field of a plan asks of a client. Public. rule: that narrows it, or ""."""

    field: str
    level: Level
    family: bool
    open_to: tuple[str, ...]
    rule: str
    rule_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A plan as it would be judged now. refusals: typed, each saying what would make it pass."""

    plan: AnyPlan
    needs: tuple[Needed, ...]
    refusals: tuple[Exception, ...]


def explain_plan(plan: AnyPlan, desk: Desk, *, now: datetime) -> Explanation:
    """Return every reason why a plan would be refused now. Spends nothing, touches no client.

    How many clients are short of a level is not among them: that is a figure about people, so it
    is asked for, paid and noised like any other (`federation.statistics.short`).

    Args:
        plan: what somebody means to ask; public.
        desk: of the coordinator.
        now: with a time zone.
    """
    each = [_refusal(check_fields, desk.catalogue, [n], plan.purpose) for n in plan.fields]
    found = [refusal for refusal in each if refusal is not None]
    if (other := _refusal(check, plan, desk)) and str(other) not in map(str, found):
        found.append(other)
    if refusal := _refusal(_affordable, plan, desk, now):
        found.append(refusal)
    return Explanation(plan=plan, needs=_needs(plan, desk), refusals=tuple(found))


def closed_fields(client_id: str, purpose: str, desk: Desk, *, now: datetime) -> tuple[Closed, ...]:
    """Return why each field that is closed to a purpose is so for one client; all of it sensitive.

    Raises:
        InvalidClientId, UnknownClient, UnknownPurpose: there is no such.
    """
    standing, at = desk.register.standing(client_id), int(now.timestamp())
    closed = family_closed_at(standing.household, desk)(desk.register.head())
    return tuple(
        reason
        for field in desk.catalogue.fields
        for reason in explain(
            desk.catalogue, field.name, purpose, standing, family_closed=closed, now=at
        )
    )


def _needs(plan: AnyPlan, desk: Desk) -> tuple[Needed, ...]:
    needs = []
    for name in plan.fields:
        with suppress(UnknownField):
            field = desk.catalogue.field(name)
            rule = next((r for r in desk.catalogue.rules if r.field == name), None)
            needs.append(
                Needed(
                    field=name,
                    level=field.level,
                    family=field.of_family,
                    open_to=field.purposes,
                    rule=rule.text if rule else "",
                    rule_zh=rule.text_zh if rule else "",
                )
            )
    return tuple(needs)


def _refusal(judge: Callable[..., object], *asked: object) -> Exception | None:
    try:
        judge(*asked)
    except (ConsentError, FederationError, ModelError, PrivacyError) as refusal:
        return refusal
    return None


def _affordable(plan: AnyPlan, desk: Desk, now: datetime) -> None:
    for pool in lineage(pool_of(plan.purpose)):
        desk.ledger.state(pool, now).admit(Rho(value=plan.rho), pool)
