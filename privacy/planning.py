"""Planning without data: what error a loss buys, and the least loss for an error. Pure.

Every argument is public: a setting, a bound, or a guess that somebody states or an earlier release
gave; guesses never come from rows. A release holds the count of each cell and, for some statistics,
one total more, in half widths of its field's range around the middle, like the sums that leave a
node. With V_0 and V_j the variances of their noise, the error of statistic j is the half width

    e_j = z sqrt(a_j^2 V_j + b_j^2 V_0),    P(|Z| <= z) = level for a standard normal Z,

exactly for a count and a total, by the delta method for a ratio of two (as results are shown).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

from privacy.errors import InvalidBound, TargetUnreachable
from privacy.loss import ZERO_RHO, Rho
from privacy.noise_shares import count_scale, share_sigma
from privacy.total_lattice import total_lattice

LEVEL = 0.95
LEAST_RHO = 1e-12
MOST_RHO = 100.0  # no plan may ask for more: beyond it no promise is left
TOLD_MARGIN = 2.0  # a mean is planned where its count's error is at most 1 / this of the count
_TINY = 1e-12
_WIDEST = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Who adds noise: n nodes, of whose shares t may be known; a unit counts in k departments."""

    cohort: int
    tolerance: int
    departments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """How strongly noise moves a statistic, in its unit. Public.

    Attributes:
        of_total: a, per half width of noise in its own total; 0 if it needs none.
        of_count: b, per client of noise in its cell's count.
        told_within: it is told only while the count's error is below this, in clients.
    """

    of_total: float
    of_count: float
    told_within: float = math.inf


COUNT = Statistic(of_total=0.0, of_count=1.0)


def total_of(*, lower: float, upper: float) -> Statistic:
    """Return a cell's total of a number within public bounds, or raise InvalidBound."""
    if not (lower < upper and math.isfinite(upper - lower)):
        raise InvalidBound("bounds", f"{lower} to {upper}")
    return Statistic(of_total=(upper - lower) / 2, of_count=abs(lower + upper) / 2)


def mean_of(*, lower: float, upper: float, value: float, clients: float) -> Statistic:
    """Return a cell's mean of a number: noised total over noised count.

    Args:
        lower: the field's smallest value.
        upper: its largest.
        value: a guess of the mean, within the bounds; InvalidBound if not.
        clients: a guess of the cell's count, above 0; InvalidBound if not.
    """
    if not lower <= value <= upper:
        raise InvalidBound("guessed mean", f"{value} is not within {lower} to {upper}")
    return Statistic(
        of_total=total_of(lower=lower, upper=upper).of_total / positive("guessed count", clients),
        of_count=abs(value - (lower + upper) / 2) / clients,
        told_within=clients,
    )


def positive(what: str, value: float) -> float:
    """Return a finite number above 0, or raise InvalidBound, which names it."""
    if not (math.isfinite(value) and value > 0):
        raise InvalidBound(what, value)
    return value


def standard_error(rho: Rho, sharing: Sharing, *, sensitivity: float, scale: int) -> float:
    """Return the deviation of the whole cohort's noise, exactly as a Release will state it.

    Args:
        rho: loss of this one sum, above 0.
        sharing: who adds noise.
        sensitivity: L2 over all departments, in lattice points.
        scale: lattice points per unit of the sum.

    Raises:
        NoiseTooSmall, InvalidBound, InvalidLoss: as share_sigma.
    """
    n, t = sharing.cohort, sharing.tolerance
    sigma = share_sigma(sensitivity=sensitivity, rho=rho, cohort=n, tolerance=t)
    return sigma * math.sqrt(n) / scale


def count_noise(rho: Rho, sharing: Sharing) -> float:
    """Return the deviation of a count's noise in clients: stairs that fall. Raises as above."""
    n, t, k = sharing.cohort, sharing.tolerance, sharing.departments
    scale = count_scale(departments=k, rho=rho, cohort=n, tolerance=t)
    return standard_error(rho, sharing, sensitivity=float(scale * k), scale=scale)


def total_noise(rho: Rho, sharing: Sharing) -> float:
    """Return the deviation of a total's noise in half widths of its field. Raises as above."""
    lattice = total_lattice(lower=-1.0, upper=1.0)
    reach = float(lattice.reach * sharing.departments)
    return standard_error(rho, sharing, sensitivity=reach, scale=lattice.scale)


def error(statistic: Statistic, *, count: float, total: float, level: float = LEVEL) -> float:
    """Return the half width of a statistic's interval; infinity where it would not be told.

    Args:
        statistic: what is released.
        count: deviation of the noise of its cell's count, in clients.
        total: deviation of the noise of its own total, in half widths; 0 if it has none.
        level: probability that the noise stays within, strictly between 0 and 1.

    Raises:
        InvalidBound: the level is not a probability.
    """
    if (z := normal_quantile(level)) * count >= statistic.told_within:
        return math.inf
    return z * math.hypot(statistic.of_total * total, statistic.of_count * count)


def normal_quantile(level: float) -> float:
    """Return z with P(|Z| <= z) = level; InvalidBound if the level is not a probability."""
    if not 0.5 < 0.5 + level / 2 < 1:  # noqa: PLR2004 - above the median, below certainty
        raise InvalidBound("level", level)
    return NormalDist().inv_cdf(0.5 + level / 2)


def least_rho(fits: Callable[[Rho], bool]) -> Rho | None:
    """Return the least rho that fits, to one part in 10^12 above; None if MOST_RHO does not.

    `fits` is false up to some rho and true from there on.
    """
    if not fits(Rho(MOST_RHO)):
        return None
    return Rho(_turn(lambda rho: fits(Rho(rho)), LEAST_RHO, MOST_RHO))


def _turn(holds: Callable[[float], bool], low: float, high: float, part: float = _TINY) -> float:
    """Return where `holds` turns true, from above; `high` if it does nowhere."""
    while high > low * (1 + part):
        middle = math.sqrt(low) * math.sqrt(high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class Target:
    """An error that is wanted: a half width in the statistic's unit, finite and above 0."""

    name: str
    statistic: Statistic
    within: float

    def __post_init__(self) -> None:
        """Refuse an error that is no number."""
        positive(f"error of {self.name}", self.within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What the shared count gets, each target's own total (0 if it has none), and its error."""

    count: Rho
    totals: tuple[Rho, ...]
    errors: tuple[float, ...]

    @property
    def total(self) -> Rho:
        """The loss of the whole release, rounded up."""
        return sum(self.totals, self.count)


def allocate(
    targets: Sequence[Target], sharing: Sharing, *, remaining: Rho, level: float = LEVEL
) -> Allocation:
    """Return the least loss that meets every target, and how the sums share it.

    Why it is least. Gaussian noise of loss rho has variance A / rho, so given the count's variance
    v, target j needs a_j^2 A / rho_j <= B_j - b_j^2 v with B_j = (e_j / z)^2: its loss is set by
    its own error alone. What is left is one number: minimize over v

        A / v  +  sum_j A a_j^2 / (B_j - b_j^2 v),    v <= B_j / b_j^2 for every j.

    1/v and 1/(B - b^2 v) are convex there, so the minimum is where the slope changes sign, found by
    bisection to one part in 10^12; on the count's lattice it is one of the two steps around it.
    The public list of widths (`noise_shares`) adds less than 3.2 % to the loss of a sum.

    TOLD_MARGIN keeps the noised count in the range of the delta method, and the mean told.

    Args:
        targets: at least one; they share the count of one cell.
        sharing: who adds noise.
        remaining: what the pool has left.
        level: of the intervals, strictly between 0 and 1.

    Raises:
        TargetUnreachable: it needs more; names the costliest target and the least error that can be
            reached, to one part in 100, if all targets are widened alike.
        InvalidBound: no target, or the level or the sharing is out of range.
    """
    if not targets:
        raise InvalidBound("targets", "none")
    found = _least(targets, sharing, level)
    if found is not None and found.total <= remaining:
        return found

    def reached(factor: float) -> bool:
        eased = [Target(t.name, t.statistic, t.within * factor) for t in targets]
        return _cost(_least(eased, sharing, level)) <= remaining.value

    wider = _turn(reached, 1.0, _WIDEST, 0.01) if reached(_WIDEST) else math.inf
    worst = max(targets, key=lambda target: _cost(_least([target], sharing, level)))
    raise TargetUnreachable(worst.name, worst.within * wider, _cost(found), remaining.value)


def _cost(found: Allocation | None) -> float:
    return math.inf if found is None else found.total.value


def _least(targets: Sequence[Target], sharing: Sharing, level: float) -> Allocation | None:
    z = normal_quantile(level)
    widest = min(
        count_noise(Rho(LEAST_RHO), sharing),
        *(t.statistic.told_within / (TOLD_MARGIN * z) for t in targets),
        *(t.within / (z * t.statistic.of_count) for t in targets if t.statistic.of_count),
    ) * (1 - _TINY)

    def rises(v: float) -> bool:
        rooms = ((t.statistic, (t.within / z) ** 2) for t in targets)
        slopes = ((s.of_total * s.of_count / (b - s.of_count**2 * v)) ** 2 for s, b in rooms)
        return sum(slopes) > 1 / v**2

    best = math.sqrt(_turn(rises, widest**2 * _TINY, widest**2))
    finer = least_rho(lambda rho: count_noise(rho, sharing) <= best)
    if finer is None:
        return None
    step = min(count_noise(Rho(finer.value * (1 - 1e-9)), sharing), widest)
    coarser = least_rho(lambda rho: count_noise(rho, sharing) <= step) or finer
    shared = (_shared(rho, targets, sharing, level) for rho in (finer, coarser))
    return min((found for found in shared if found is not None), key=_cost, default=None)


def _shared(
    count: Rho, targets: Sequence[Target], sharing: Sharing, level: float
) -> Allocation | None:
    """Give each target's total the least it needs beside a count of this loss."""
    noise = count_noise(count, sharing)

    def half_width(wants: Statistic, rho: Rho) -> float:
        own = total_noise(rho, sharing) if wants.of_total else 0.0
        return error(wants, count=noise, total=own, level=level)

    def meets(target: Target, rho: Rho) -> bool:
        return half_width(target.statistic, rho) <= target.within

    totals, errors = [], []
    for target in targets:
        rho = least_rho(partial(meets, target))
        if rho is None:
            return None
        totals.append(rho if target.statistic.of_total else ZERO_RHO)
        errors.append(half_width(target.statistic, rho))
    return Allocation(count=count, totals=tuple(totals), errors=tuple(errors))
