"""Shares of fields: complete, exact for a linear model, and nothing from what is absent."""

import numpy as np
import pytest
import torch

from models.architectures import Architecture, size
from models.errors import InvalidSetting, NotFinite, WrongShape
from models.explain import ROWS_AT_ONCE, attributions
from models.objectives import Objective
from models.parameters import model_with
from tests.models.objective_cases import OUTPUTS, network

FIELDS = [slice(0, 2), slice(2, 4), slice(4, 9), slice(9, 12)]
Case = tuple[Architecture, np.ndarray, np.ndarray]


def drawn(objective: Objective, hidden: tuple[int, ...], n: int = 40) -> Case:
    architecture = network(objective, hidden, inputs=12)
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(size(architecture), dtype=torch.float64, generator=generator)
    return architecture, weights.numpy(), torch.randn(n, 12, generator=generator).numpy()


def gained(architecture: Architecture, weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The outputs beyond those for a client of whom nothing is known."""
    model = model_with(architecture, weights)
    with torch.no_grad():
        nothing = model(torch.zeros(1, 12, dtype=torch.float64))
        return (model(torch.from_numpy(features).double()) - nothing).numpy()


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_the_shares_add_up_to_what_the_client_gains(
    objective: Objective, hidden: tuple[int, ...]
) -> None:
    case = drawn(objective, hidden)
    for output in range(OUTPUTS[objective]):
        shares = attributions(*case, groups=FIELDS, output=output)
        assert shares.shape == (40, 4)
        np.testing.assert_allclose(shares.sum(axis=1), gained(*case)[:, output], atol=1e-9)


def test_a_linear_models_shares_are_its_weights_times_the_inputs() -> None:
    architecture, weights, features = drawn(Objective.MULTICLASS, ())
    shares = attributions(architecture, weights, features, groups=FIELDS, output=2)
    products = features * weights[24:36]
    expected = np.stack([products[:, field].sum(axis=1) for field in FIELDS], axis=1)
    np.testing.assert_allclose(shares, expected, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_an_absent_field_has_no_share(hidden: tuple[int, ...]) -> None:
    architecture, weights, features = drawn(Objective.BINARY, hidden)
    features[:, FIELDS[1]] = 0
    shares = attributions(architecture, weights, features, groups=FIELDS)
    assert shares[:, 1].tolist() == [0.0] * 40
    assert (np.abs(shares[:, 0]) > 0).all()


def test_a_clients_shares_depend_on_no_other_client() -> None:
    architecture, weights, features = drawn(Objective.BINARY, (16, 8), ROWS_AT_ONCE + 3)
    together = attributions(architecture, weights, features, groups=FIELDS)
    for row in (0, ROWS_AT_ONCE + 2):
        alone = attributions(architecture, weights, features[row : row + 1], groups=FIELDS)
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_no_clients_have_no_shares(hidden: tuple[int, ...]) -> None:
    case = drawn(Objective.BINARY, hidden, 0)
    assert attributions(*case, groups=FIELDS).shape == (0, 4)
    assert attributions(*case, groups=[]).shape == (0, 0)


def test_what_cannot_be_explained_is_refused() -> None:
    architecture, weights, features = drawn(Objective.BINARY, (16,))
    with pytest.raises(InvalidSetting):
        attributions(architecture, weights, features, groups=FIELDS, output=1)
    for group in (slice(10, 13), slice(3, 3), slice(0, 4, 2), slice(-2, 3), slice(3)):
        with pytest.raises(WrongShape):
            attributions(architecture, weights, features, groups=[group])
    with pytest.raises(NotFinite):
        attributions(architecture, weights, features * np.nan, groups=FIELDS)
