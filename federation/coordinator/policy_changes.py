"""What differs between two policies, what of it is a raise, and how a new one comes to hold."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import rfc8785

from federation.budgets import keep_to_policy
from federation.coordinator.desk import Desk
from federation.coordinator.documents import Documents, keep_documents
from federation.coordinator.errors import PolicyChanged, PolicyFixed
from federation.coordinator.policy import FIRM, Policy, Pool
from privacy.errors import BudgetBelowSpent, PrivacyError, UnknownPool
from privacy.loss import Delta
from privacy.windows import Window

_WINDOWS = ("epsilon", "year_epsilon", "month_epsilon")
_LEAST = ("minimum_cohort", "least_count", "least_share")
_HEADER = "# Written by the privacy desk. Comments are not kept.\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure that differs between two policies. None: no such limit, or no such purpose.

    raises: whether more may be released than before, so that two people must agree.
    """

    key: str
    before: float | None
    after: float | None
    raises: bool


def tag_of(policy: Policy) -> str:
    """Name a policy by its content: the SHA-256 of its canonical JSON."""
    return sha256(rfc8785.dumps(policy.model_dump(mode="json"))).hexdigest()


def changes(before: Policy, after: Policy) -> tuple[Change, ...]:
    """Return every figure that differs, reasons aside. Pure."""
    old, new = _figures(before), _figures(after)
    return tuple(
        Change(
            key=key,
            before=old.get(key),
            after=new.get(key),
            raises=_raises(key, old.get(key), new.get(key)),
        )
        for key in old | new
        if old.get(key) != new.get(key)
    )


def check_change(before: Policy, after: Policy, desk: Desk) -> None:
    """Refuse a policy that cannot follow on another. Changes nothing.

    Raises:
        PolicyFixed: it has another δ, or lacks a purpose that has a budget.
        UnknownPurpose: a purpose is not in the catalogue.
        BudgetBelowSpent: a window has spent or promised more.
    """
    if after.delta != before.delta:
        raise PolicyFixed("delta")
    if gone := sorted(set(before.purposes) - set(after.purposes)):
        raise PolicyFixed(f"purposes.{gone[0]}")
    for purpose in after.purposes:
        desk.catalogue.purpose(purpose)
    for pool, budgets in after.budgets().items():
        try:
            state = desk.ledger.state(pool)
        except UnknownPool:
            continue
        held = {
            Window.LIFETIME: state.lifetime,
            Window.YEAR: state.year,
            Window.MONTH: state.month,
        }
        for window, figures in held.items():
            budget, used = budgets.over(window), figures.spent + figures.reserved
            if budget is not None and used > budget:
                raise BudgetBelowSpent(pool, window, budget.value, used.value)


def since(tag: str, desk: Desk) -> tuple[Change, ...]:
    """Return what has changed since the policy of a tag; all there is if the tag is unknown."""
    for document in reversed(Documents(desk.engine).all()):
        if document.kind == "policy":
            policy = Policy.model_validate(document.body)
            if tag_of(policy) == tag:
                return changes(policy, desk.policy)
    return ()


def apply(policy: Policy, desk: Desk, *, base: str, who: str, now: datetime | None = None) -> Desk:
    """Let a policy hold from now on: in its file, in the ledger and in the evidence.

    One caller at a time: the desk must be the newest.

    Args:
        policy: checked against the desk's.
        desk: under the policy that held so far.
        base: the tag of the policy that was changed.
        who: whoever answers for it; stands in the ledger.
        now: with a time zone; the clock's unless given.

    Returns:
        The desk under the new policy.

    Raises:
        PolicyChanged: another policy holds by now; with what has changed.
        PolicyFixed, UnknownPurpose, BudgetBelowSpent: as ``check_change``; nothing was changed.
    """
    if base != tag_of(desk.policy):
        raise PolicyChanged([c.key for c in since(base, desk)])
    check_change(desk.policy, policy, desk)
    at, delta = now or datetime.now(UTC), Delta(value=policy.delta)
    _write(policy, desk.settings.policy)
    try:
        keep_to_policy(desk.ledger, policy.budgets(), delta, reason=policy.reason, at=at, who=who)
    except PrivacyError:
        _write(desk.policy, desk.settings.policy)
        keep_to_policy(
            desk.ledger, desk.policy.budgets(), delta, reason=desk.policy.reason, at=at, who=who
        )
        raise
    keep_documents(desk.engine, policy=policy, catalogue=desk.catalogue, at=at)
    return Desk(
        settings=desk.settings,
        catalogue=desk.catalogue,
        policy=policy,
        engine=desk.engine,
        runs=desk.runs,
        registry=desk.registry,
        ledger=desk.ledger,
        register=desk.register,
        evidence=desk.evidence,
        data_epochs=desk.data_epochs,
    )


def _figures(policy: Policy) -> dict[str, float | None]:
    pools = {FIRM: policy.firm} | {f"purposes.{name}": p for name, p in policy.purposes.items()}
    found: dict[str, float | None] = {
        "delta": policy.delta,
        "automatic_epsilon": policy.automatic_epsilon,
        "minimum_cohort": policy.minimum_cohort,
        "least_count": policy.least_count,
        "least_share": policy.least_share,
    }
    for place, pool in pools.items():
        found |= {f"{place}.{window}": getattr(pool, window) for window in _WINDOWS}
    return found


def _raises(key: str, before: float | None, after: float | None) -> bool:
    """Say whether a changed figure allows more. A new purpose does, a limit taken away does."""
    if key in _LEAST:
        return (after or 0) < (before or 0)
    if before is None:
        return key.endswith(".epsilon")
    return after is None or after > before


def _write(policy: Policy, path: Path) -> None:
    """Replace the file at once: whoever reads it finds the one policy or the other."""
    lines = [_HEADER.rstrip("\n"), ""]
    lines += [
        f"{key} = {_toml(getattr(policy, key))}"
        for key in ("delta", "automatic_epsilon", *_LEAST, "reason")
    ]
    pools: Mapping[str, Pool] = {"firm": policy.firm} | {
        f"purposes.{name}": pool for name, pool in policy.purposes.items()
    }
    for place, pool in pools.items():
        held = pool.model_dump(exclude_none=True)
        lines += ["", f"[{place}]", *(f"{key} = {_toml(value)}" for key, value in held.items())]
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _toml(value: float | str) -> str:
    # A JSON string without \\u escapes is a TOML string, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
