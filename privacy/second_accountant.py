"""The same total by somebody else: dp_accounting, on Renyi orders and on loss distributions.

Never asked to decide, only to confirm. It knows continuous Gaussians; ours are discrete, and from 8
lattice points a share on the two are alike to 1e-3 (`odds`). It is slow to import, so only these
functions import it.
"""

import math
from collections import Counter
from collections.abc import Iterable

from privacy.loss import Delta, Rho

_GRID = 1e-3


def epsilon_by_renyi(losses: Iterable[Rho], delta: Delta) -> float:
    """Return epsilon at delta of Gaussian releases that cost these losses, each added by itself.

    dp_accounting's RdpAccountant composes them at 4,000 orders and converts the best one.

    Args:
        losses: of every release, above 0. Public.
        delta: where epsilon is stated.
    """
    from dp_accounting import GaussianDpEvent  # noqa: PLC0415 - seconds to import
    from dp_accounting.rdp import RdpAccountant  # noqa: PLC0415 - as above

    orders = [1 + 10 ** (step / 400 - 3) for step in range(4001)]
    accountant = RdpAccountant(orders=orders)
    for rho, times in Counter(losses).items():
        accountant.compose(GaussianDpEvent(_noise_multiplier(rho.value)), times)
    return float(accountant.get_epsilon(delta.value))


def epsilon_by_loss_distribution(losses: Iterable[Rho], delta: Delta) -> float:
    """Return epsilon at delta of the same releases, tightly, by dp_accounting's PLDAccountant.

    Gaussians add up to one Gaussian of the sum of their losses exactly (Dong, Roth and Su 2022,
    Corollary 3.3), so one distribution is computed, pessimistically rounded.

    Args:
        losses: of every release. Public; none at all costs nothing.
        delta: where epsilon is stated.
    """
    from dp_accounting import GaussianDpEvent  # noqa: PLC0415 - seconds to import
    from dp_accounting.pld import PLDAccountant  # noqa: PLC0415 - as above

    total = math.fsum(rho.value for rho in losses)
    if total == 0:
        return 0.0
    grid = _GRID * math.sqrt(2 * total)  # of the standard deviation of the privacy loss
    accountant = PLDAccountant(value_discretization_interval=grid)
    accountant.compose(GaussianDpEvent(_noise_multiplier(total)))
    return float(accountant.get_epsilon(delta.value))


def _noise_multiplier(rho: float) -> float:
    return 1 / math.sqrt(2 * rho)
