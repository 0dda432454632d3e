"""What past trainings say about the epsilon that an accuracy needs. Pure, over released figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from privacy.errors import InvalidBound
from privacy.loss import Epsilon
from privacy.planning import positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a past training reached: a released AUC (0 to 1), at its epsilon (above 0) and size."""

    epsilon: Epsilon
    clients: int
    auc: float

    def __post_init__(self) -> None:
        """Refuse what no training reached."""
        positive("epsilon of the evidence", self.epsilon.value)
        if not 0 <= self.auc <= 1:
            raise InvalidBound("auc of the evidence", self.auc)


def least_epsilon(evidence: Sequence[Evidence], *, auc: float, clients: int) -> Epsilon:
    """Return the least epsilon at which past evidence supports an AUC, never extrapolating.

    Neither more epsilon nor more clients hurt, so only trainings on at most as many clients count,
    and a curve is fitted that never falls in epsilon (isotonic least squares by pooling adjacent
    violators), linear in log epsilon between its points. Below the smallest epsilon that was ever
    tried nothing is promised: it is the least answer.

    Args:
        evidence: past trainings of this kind, all at one delta. Public.
        auc: what is wanted; InvalidBound if the evidence does not reach it.
        clients: how many the new training will have, a guess.
    """
    past: dict[float, list[float]] = {}
    for one in evidence:
        if one.clients <= clients:
            past.setdefault(one.epsilon.value, []).append(one.auc)
    blocks: list[tuple[list[float], list[float]]] = []
    for epsilon in sorted(past):
        epsilons, aucs = [epsilon], past[epsilon]
        while blocks and fmean(blocks[-1][1]) >= fmean(aucs):
            before = blocks.pop()
            epsilons, aucs = before[0] + epsilons, before[1] + aucs
        blocks.append((epsilons, aucs))
    curve = [(epsilon, fmean(aucs)) for epsilons, aucs in blocks for epsilon in epsilons]
    if not (curve and auc <= curve[-1][1]):
        reached = f"{curve[-1][1]:.4g}" if curve else "none with so few clients"
        raise InvalidBound("auc", f"{auc} is wanted, past evidence reaches {reached}")
    place = next(i for i, (_, reached) in enumerate(curve) if reached >= auc)
    (low, worse), (high, better) = curve[max(place - 1, 0)], curve[place]
    part = (auc - worse) / (better - worse) if place else 1.0
    return Epsilon(min(low * (high / low) ** part, high))
