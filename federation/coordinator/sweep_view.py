"""What a sweep has found so far: each recipe's AUC, and the one to take, if they differ at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from federation.coordinator.runs import Runs, RunState
from federation.coordinator.sweeps import Sweep, Tried
from privacy.planning import normal_quantile

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A recipe's noised AUC on the hold-out and its 95 % interval."""

    auc: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which recipe to take. best: its place. alike: the places that noise alone may hold below it.

    If ``alike`` is empty the best is better than every other, at LEVEL jointly, as far as the
    noise goes.
    """

    best: int
    alike: tuple[int, ...]


def measured(sweep: Sweep, runs: Runs) -> list[Measured | None]:
    """Return the AUC of each recipe that was begun; None where there is none (yet)."""
    return [_measured(one, runs) for one in sweep.tried]


def verdict(found: Sequence[Measured | None]) -> Verdict | None:
    """Return the recipe of the highest noised AUC, and those it cannot be told from. Pure.

    Two AUCs of independent noise differ by noise of standard error √(e₁² + e₂²). A recipe is told
    from the best if the difference passes what this noise does at LEVEL for all the pairs together
    (Bonferroni). The noise only: the clients of the hold-out are the same for all, and few. The
    best AUC of several is itself a little too high, for the luckiest noise helped to choose it.
    """
    there = [(place, one) for place, one in enumerate(found) if one is not None]
    if not there:
        return None
    best, top = max(there, key=lambda pair: pair[1].auc)
    others = [(place, one) for place, one in there if place != best]
    z = normal_quantile(1 - (1 - LEVEL) / max(len(others), 1))
    return Verdict(
        best=best,
        alike=tuple(
            place
            for place, one in others
            if top.auc - one.auc <= z * (_error(top) ** 2 + _error(one) ** 2) ** 0.5
        ),
    )


def _measured(one: Tried, runs: Runs) -> Measured | None:
    run = None if one["evaluation"] is None else runs.get(one["evaluation"])
    if run is None or run.state is not RunState.RELEASED or run.result is None:
        return None
    told = run.result["everyone"]["metrics"]
    if "auc" not in told:
        return None
    low, high = told["auc"]["interval"]
    return Measured(auc=told["auc"]["value"], low=low, high=high)


def _error(one: Measured) -> float:
    """The standard error; an interval that is cut at 0 or 1 is judged by its longer side."""
    return max(one.high - one.auc, one.auc - one.low) / normal_quantile(LEVEL)
