"""What happened is data; what it costs is a function."""

from collections.abc import Iterable
from dataclasses import dataclass

from privacy.errors import InvalidLoss
from privacy.loss import ZERO_RHO, Rho


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianEvent:
    """The same discrete Gaussian mechanism ran some number of times. Public.

    Attributes:
        rho: loss of one run, for the worst coalition that the plan tolerates.
        repetitions: how many runs, at least 1; each may depend on the results before it.

    Raises:
        InvalidLoss: the number of runs is not an integer of at least 1.
    """

    rho: Rho
    repetitions: int = 1

    def __post_init__(self) -> None:
        """Refuse an event that did not happen."""
        if isinstance(self.repetitions, bool) or not isinstance(self.repetitions, int):
            raise InvalidLoss("repetitions", self.repetitions)
        if self.repetitions < 1:
            raise InvalidLoss("repetitions", self.repetitions)


def cost(events: Iterable[GaussianEvent]) -> Rho:
    """Return the loss of all events together, never rounded down.

    Guarantee: if each event is rho_i-zCDP given the results before it, all together are
    (sum of rho_i)-zCDP (Bun and Steinke 2016, Lemma 2.3).

    Args:
        events: what ran. Public. None at all costs nothing.
    """
    total = ZERO_RHO
    for event in events:
        total = total + event.rho.times(event.repetitions)
    return total
