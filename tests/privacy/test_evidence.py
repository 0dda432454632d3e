import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from privacy.errors import InvalidBound
from privacy.evidence import Evidence, least_epsilon
from privacy.loss import Epsilon

PAST = st.lists(st.tuples(st.integers(1, 20), st.floats(0.5, 1)), min_size=1, max_size=12)


@given(PAST, st.floats(0.5, 1))
def test_the_least_epsilon_lies_on_the_isotonic_curve(
    past: list[tuple[int, float]], auc: float
) -> None:
    evidence = [Evidence(epsilon=Epsilon(e / 2), clients=100, auc=a) for e, a in past]
    tried = sorted({e for e, _ in past})
    groups = [[a for e, a in past if e == one] for one in tried]
    fitted = isotonic_regression(
        [sum(g) / len(g) for g in groups], weights=[len(g) for g in groups]
    ).x
    if auc > fitted[-1] + 1e-9:
        with pytest.raises(InvalidBound, match="auc"):
            least_epsilon(evidence, auc=auc, clients=100)
    elif auc < fitted[-1] - 1e-9:
        found = least_epsilon(evidence, auc=auc, clients=100).value * 2
        place = next(i for i, f in enumerate(fitted) if f >= auc - 1e-12)
        assert tried[max(place - 1, 0)] * (1 - 1e-9) <= found <= tried[place] * (1 + 1e-9)
        if place and fitted[place] - fitted[place - 1] > 1e-6:
            part = (auc - fitted[place - 1]) / (fitted[place] - fitted[place - 1])
            ratio = tried[place] / tried[place - 1]
            assert found == pytest.approx(tried[place - 1] * ratio**part, rel=1e-3)


def test_only_trainings_on_no_more_clients_are_evidence() -> None:
    small = Evidence(epsilon=Epsilon(4.0), clients=1_000, auc=0.70)
    large = Evidence(epsilon=Epsilon(1.0), clients=50_000, auc=0.76)
    assert least_epsilon([small, large], auc=0.70, clients=1_000) == Epsilon(4.0)
    assert least_epsilon([small, large], auc=0.70, clients=50_000) == Epsilon(1.0)
    for auc, clients in ((0.75, 1_000), (0.6, 500), (math.nan, 50_000)):
        with pytest.raises(InvalidBound, match="auc"):
            least_epsilon([small, large], auc=auc, clients=clients)
    for epsilon, auc in ((0.0, 0.7), (1.0, 1.1), (1.0, math.nan)):
        with pytest.raises(InvalidBound, match="evidence"):
            Evidence(epsilon=Epsilon(epsilon), clients=10, auc=auc)
