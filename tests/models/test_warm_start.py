"""A network that begins as a linear model says what the linear model says."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.architectures import Architecture, check_linear_start, linear_part, size
from models.errors import InvalidSetting
from models.evaluate import scores
from models.objectives import Objective
from models.warm_start import network_from_linear


@given(
    st.sampled_from([(4,), (8,), (7, 6), (64, 32)]),
    st.sampled_from([(Objective.BINARY, 1), (Objective.ORDINAL, 2), (Objective.AMOUNT, 1)]),
    st.integers(0, 2**32),
)
def test_the_network_says_what_the_linear_model_says(
    hidden: tuple[int, ...], what: tuple[Objective, int], seed: int
) -> None:
    objective, outputs = what
    network = Architecture(inputs=5, hidden=hidden, objective=objective, outputs=outputs)
    lot = torch.Generator().manual_seed(seed)
    linear = torch.randn(size(linear_part(network)), generator=lot).double().numpy()
    rows = torch.randn(20, 5, generator=lot).numpy()
    begun = network_from_linear(network, linear)
    np.testing.assert_allclose(
        scores(network, begun, rows), scores(linear_part(network), linear, rows), atol=1e-12
    )


def test_a_linear_model_of_zeros_is_a_beginning_too() -> None:
    network = Architecture(inputs=3, hidden=(2,))
    begun = network_from_linear(network, np.zeros(4))
    assert np.isfinite(begun).all()
    assert scores(network, begun, np.ones((1, 3), np.float32)).tolist() == [0.5]


@pytest.mark.parametrize("hidden", [(), (1,), (64, 1)])
def test_a_network_without_room_is_refused(hidden: tuple[int, ...]) -> None:
    with pytest.raises(InvalidSetting, match="at least 2"):
        check_linear_start(Architecture(inputs=3, hidden=hidden))
