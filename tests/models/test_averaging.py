"""Averaging by holders: a department says nothing about inputs it cannot feed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.architectures import Architecture, size
from models.averaging import SHARED, average_by_holders, input_of
from models.errors import WrongShape
from models.objectives import Objective
from models.parameters import load_vector, model_with

WIDE = Architecture(inputs=3, hidden=(2,))


def test_only_the_first_layers_weights_belong_to_an_input() -> None:
    assert input_of(Architecture(inputs=2)).tolist() == [0, 1, SHARED]
    classes = Architecture(inputs=2, objective=Objective.MULTICLASS, outputs=3)
    assert input_of(classes).tolist() == [0, 1] * 3 + [SHARED] * 3
    owners = input_of(WIDE)
    assert owners.tolist() == [0, 1, 2, 0, 1, 2] + [SHARED] * 5
    # The torch network agrees: marking input 1's parameters marks one column of the first layer.
    model = model_with(WIDE, np.zeros(size(WIDE)))
    load_vector(model, (owners == 1).astype(np.float64))
    assert model[0].weight.detach().numpy().tolist() == [[0, 1, 0], [0, 1, 0]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_where_everyone_holds_everything_it_is_the_plain_average(counts: list[int]) -> None:
    updates = [np.arange(size(WIDE)) * (number + 1.0) for number in range(len(counts))]
    held = [np.ones(3, dtype=bool)] * len(counts)
    found = average_by_holders(WIDE, updates, counts, held)
    np.testing.assert_allclose(found, np.average(updates, axis=0, weights=counts))


def test_an_input_is_averaged_over_its_holders_only() -> None:
    line = Architecture(inputs=2)
    updates = [np.array([1.0, 9.0, 1.0]), np.array([5.0, 3.0, 4.0])]
    held = [np.array([True, False]), np.array([True, True])]
    found = average_by_holders(line, updates, [1, 3], held)
    np.testing.assert_allclose(found, [(1 + 15) / 4, 3.0, (1 + 12) / 4])


def test_an_input_that_nobody_holds_gets_no_weight() -> None:
    found = average_by_holders(
        Architecture(inputs=2), [np.array([7.0, 7.0, 7.0])], [2], [np.array([True, False])]
    )
    np.testing.assert_allclose(found, [7.0, 0.0, 7.0])


def test_a_mask_or_an_update_of_another_shape_is_refused() -> None:
    with pytest.raises(WrongShape):
        average_by_holders(WIDE, [np.zeros(size(WIDE))], [1], [np.ones(2, dtype=bool)])
    with pytest.raises(WrongShape):
        average_by_holders(WIDE, [np.zeros(3)], [1], [np.ones(3, dtype=bool)])
