import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting.rdp import RdpAccountant

from privacy.accounting import GaussianEvent, cost
from privacy.errors import InvalidLoss
from privacy.loss import ZERO_RHO, Delta, Rho
from privacy.mechanisms import epsilon_of

DELTA = 1e-6
PLANS = {
    "one count": [GaussianEvent(rho=Rho(0.005))],
    "fifty counts": [GaussianEvent(rho=Rho(0.005), repetitions=50)],
    "a training": [GaussianEvent(rho=Rho(0.0002), repetitions=300)],
    "a year": [
        GaussianEvent(rho=Rho(0.01), repetitions=12),
        GaussianEvent(rho=Rho(0.3)),
        GaussianEvent(rho=Rho(1e-5), repetitions=1000),
    ],
    "too much": [GaussianEvent(rho=Rho(2.0), repetitions=5)],
}


def oracle(events: list[GaussianEvent]) -> float:
    """Return epsilon of the same Gaussians by dp_accounting, at the best of many Renyi orders."""
    accountant = RdpAccountant(orders=[*(1 + np.geomspace(1e-3, 1e4, 4000)).tolist()])
    for event in events:
        noise_multiplier = 1 / math.sqrt(2 * event.rho.value)
        accountant.compose(dp_accounting.GaussianDpEvent(noise_multiplier), event.repetitions)
    return float(accountant.get_epsilon(DELTA))


def agrees(rho: Rho, events: list[GaussianEvent]) -> bool:
    """Tell whether a total rho gives the oracle's epsilon to one in a thousand."""
    return math.isclose(epsilon_of(rho, Delta(DELTA)).value, oracle(events), rel_tol=1e-3)


@pytest.mark.parametrize("plan", PLANS)
def test_the_cost_of_a_plan_is_what_dp_accounting_says(plan: str) -> None:
    events = PLANS[plan]
    assert agrees(cost(events), events)


@pytest.mark.parametrize("plan", PLANS)
def test_forgetting_one_percent_of_the_cost_is_noticed(plan: str) -> None:
    events = PLANS[plan]
    assert not agrees(Rho(cost(events).value * 0.99), events)


@pytest.mark.parametrize("plan", PLANS)
def test_the_shown_epsilon_is_never_below_the_exact_one_of_a_single_gaussian(plan: str) -> None:
    rho = cost(PLANS[plan])
    exact = dp_accounting.get_epsilon_gaussian(1 / math.sqrt(2 * rho.value), DELTA)
    assert epsilon_of(rho, Delta(DELTA)).value >= exact


def test_nothing_happened_costs_nothing() -> None:
    assert cost([]) == ZERO_RHO


def test_repetitions_cost_what_separate_events_cost() -> None:
    once = GaussianEvent(rho=Rho(0.125))
    assert cost([once] * 8) == cost([GaussianEvent(rho=Rho(0.125), repetitions=8)]) == Rho(1.0)


@pytest.mark.parametrize("repetitions", [0, -1, 1.5, True])
def test_an_event_happened_a_whole_number_of_times(repetitions: int) -> None:
    with pytest.raises(InvalidLoss):
        GaussianEvent(rho=Rho(0.1), repetitions=repetitions)
