"""Pools recomputed from the ledger's entries: totals, budgets, and epsilon by two accountants."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from federation.coordinator.export import EvidenceFile, totals
from federation.coordinator.findings import Finding, Wrong
from federation.coordinator.policy import Policy
from privacy.entries import Entry, Reserved
from privacy.ledger_state import LedgerState, Status
from privacy.loss import ZERO_RHO, Rho
from privacy.mechanisms import epsilon_of
from privacy.pools import exact, lineage, rounded
from privacy.second_accountant import epsilon_by_loss_distribution, epsilon_by_renyi
from privacy.windows import Window

AGREE = 1e-3
"""How far two accountants may be apart, as a part of epsilon."""
_SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """One pool for life, recomputed. What is reserved counts as spent.

    Attributes:
        pool: its path.
        budget_rho, used_rho: what it was given, and what weighs on it.
        delta: where the epsilons are stated.
        budget_epsilon, epsilon: of both, by OpenDP.
        epsilon_renyi: of what weighs on it, charge by charge, by dp_accounting on Renyi orders.
        epsilon_exact: the same by dp_accounting's privacy loss distribution: how much OpenDP's
            conversion gives away.
    """

    pool: str
    budget_rho: float
    used_rho: float
    delta: float
    budget_epsilon: float
    epsilon: float
    epsilon_renyi: float
    epsilon_exact: float


def check_pools(
    file: EvidenceFile, entries: Sequence[Entry], state: LedgerState
) -> tuple[tuple[PoolFigures, ...], list[Finding]]:
    """Recompute every pool and compare it with what the export states."""
    figures = tuple(_figures(name, state) for name in sorted(state.accounts))
    findings = [found for pool in figures if (found := _disagreement(pool)) is not None]
    return figures, findings + _totals(file, state) + _policy(file, entries, state)


def _figures(name: str, state: LedgerState) -> PoolFigures:
    held = state.pool(name)
    used = rounded(state.accounts[name].charged)
    losses = _losses(name, state)
    return PoolFigures(
        pool=name,
        budget_rho=held.budget.value,
        used_rho=used.value,
        delta=held.delta.value,
        budget_epsilon=epsilon_of(held.budget, held.delta).value,
        epsilon=epsilon_of(used, held.delta).value,
        epsilon_renyi=epsilon_by_renyi(losses, held.delta),
        epsilon_exact=epsilon_by_loss_distribution(losses, held.delta),
    )


def _losses(name: str, state: LedgerState) -> list[Rho]:
    """Return every charge on a pool by itself, and what a repair added as one more."""
    losses = [
        promise.rho
        for promise in state.reservations.values()
        if promise.status is not Status.ABANDONED and name in lineage(promise.pool)
    ]
    repaired = state.accounts[name].charged - sum(map(exact, losses))
    added = rounded(repaired) if repaired > 0 else ZERO_RHO
    return [rho for rho in (*losses, added) if rho.value > 0]


def _disagreement(pool: PoolFigures) -> Finding | None:
    alike = math.isclose(pool.epsilon, pool.epsilon_renyi, rel_tol=AGREE, abs_tol=_SAME)
    if alike and pool.epsilon_exact <= pool.epsilon * (1 + AGREE) + _SAME:
        return None
    text = (
        f"OpenDP says epsilon {pool.epsilon:.6g}, dp_accounting {pool.epsilon_renyi:.6g} "
        f"(at least {pool.epsilon_exact:.6g})"
    )
    return Finding(Wrong.ACCOUNTANTS, pool.pool, text)


def _totals(file: EvidenceFile, state: LedgerState) -> list[Finding]:
    try:
        now = datetime.fromisoformat(str(file.header.get("exported_at")))
        folded = totals(state, now)
    except (ValueError, TypeError):
        return [Finding(Wrong.MALFORMED, "header", "has no time of export")]
    findings = []
    for pool in sorted(set(folded) | set(file.totals)):
        told, found = file.totals.get(pool), folded.get(pool)
        wrong = _differing(told, found)
        if wrong:
            text = f"the entries add up to {wrong} otherwise"
            findings.append(Finding(Wrong.TOTALS, pool, text))
    return findings


def _differing(told: object, found: Mapping[str, float | None] | None) -> str:
    """Name the sums that differ, if any."""
    if not isinstance(told, dict) or found is None or set(told) != set(found):
        return "another set of sums"
    return ", ".join(key for key, value in found.items() if not _same(told[key], value))


def _same(told: object, value: float | None) -> bool:
    if value is None or not isinstance(told, int | float):
        return told is value
    return math.isclose(told, value, rel_tol=_SAME)


def _policy(file: EvidenceFile, entries: Sequence[Entry], state: LedgerState) -> list[Finding]:
    """Compare the newest policy's budgets with the ledger's, which hold."""
    if not entries and not file.policies:
        return []
    policy = read_policy(file.policies[-1]["policy"]) if file.policies else None
    if policy is None:
        return [Finding(Wrong.POLICY, "policy", "is missing or cannot be read")]
    findings = []
    for pool, budgets in policy.budgets().items():
        account = state.accounts.get(pool)
        for window in Window:
            stated = budgets.over(window)
            held = None if account is None else account.budgets.over(window)
            if not _alike(stated, held):
                text = f"the policy's budget {window} is not the ledger's"
                findings.append(Finding(Wrong.POLICY, pool, text))
    named = {p for line in file.policies for p in _pools_of(line["policy"])}
    charged = {entry.event.pool for entry in entries if isinstance(entry.event, Reserved)}
    findings += [
        Finding(Wrong.POLICY, pool, "is charged and in no policy")
        for pool in sorted(charged - named)
    ]
    return findings


def _pools_of(body: Mapping[str, Any]) -> set[str]:
    policy = read_policy(body)
    return set() if policy is None else set(policy.budgets())


def _alike(stated: Rho | None, held: Rho | None) -> bool:
    if stated is None or held is None:
        return stated is held
    return math.isclose(stated.value, held.value, rel_tol=_SAME)


def read_policy(body: Mapping[str, Any]) -> Policy | None:
    """Read a policy of an export; None if it is none."""
    try:
        return Policy.model_validate(dict(body))
    except ValidationError:
        return None
