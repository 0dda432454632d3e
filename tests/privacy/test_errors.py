import inspect

import pytest

from privacy import errors
from privacy.errors import BudgetExceeded, PrivacyError

LEAVES = [
    leaf
    for _, leaf in inspect.getmembers(errors, inspect.isclass)
    if issubclass(leaf, PrivacyError) and leaf is not PrivacyError
]
VALUES = {str: "firm/risk", float: 0.25, int: 7, object: -1.5}


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_refusal_keeps_its_values_and_says_them(leaf: type[PrivacyError]) -> None:
    parameters = inspect.signature(leaf).parameters
    values = {name: VALUES[parameter.annotation] for name, parameter in parameters.items()}
    refusal = leaf(**values)
    assert vars(refusal) == values
    assert all(str(value) in str(refusal) for value in values.values())


def test_a_budget_refusal_carries_both_amounts() -> None:
    refusal = BudgetExceeded("firm", 0.5, 0.25)
    assert (refusal.pool, refusal.requested, refusal.remaining) == ("firm", 0.5, 0.25)
