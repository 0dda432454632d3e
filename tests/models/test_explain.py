"""Shares of fields: complete, exact for a linear model, and nothing from what is absent."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from models.architectures import Architecture, size
from models.errors import InvalidSetting, NotFinite, WrongShape
from models.explain import ROWS_AT_ONCE, attributions, influences
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


def is_even(explained: Callable[..., np.ndarray], hidden: tuple[int, ...]) -> bool:
    """Say whether each row's shares stay the same bit for bit, whoever else is explained."""
    architecture, weights, features = drawn(Objective.BINARY, hidden, ROWS_AT_ONCE + 30)
    together = explained(architecture, weights, features, groups=FIELDS)
    return all(
        np.array_equal(explained(architecture, weights, features[kept], groups=FIELDS), alone)
        for kept in (slice(0, 1), slice(3, 40), slice(0, None, 97), slice(ROWS_AT_ONCE + 29, None))
        for alone in (together[kept],)
    )


@pytest.mark.parametrize("hidden", [(), (16, 8)])
def test_a_clients_shares_depend_on_no_other_client(hidden: tuple[int, ...]) -> None:
    assert is_even(attributions, hidden)


def test_shares_that_lean_on_the_crowd_in_a_last_bit_are_noticed() -> None:
    def crowded(*case: Any, groups: list[slice]) -> np.ndarray:
        return attributions(*case, groups=groups) * (1 + 2.0**-52 * (len(case[2]) % 2))

    assert not is_even(crowded, (16, 8))


@pytest.mark.parametrize("objective", [Objective.BINARY, Objective.MULTICLASS])
@pytest.mark.parametrize("clip_norm", [0.01, 1.0, 100.0])
def test_influences_are_the_absolute_shares_clipped_together(
    objective: Objective, clip_norm: float
) -> None:
    case = drawn(objective, (16,))
    found = influences(*case, groups=FIELDS, clip_norm=clip_norm)
    outputs = range(OUTPUTS[objective])
    shares = np.mean(
        [np.abs(attributions(*case, groups=FIELDS, output=o)) for o in outputs], axis=0
    )
    norms = np.linalg.norm(found, axis=1)
    assert (norms <= clip_norm * (1 + 1e-9)).all()
    whole = np.linalg.norm(shares, axis=1)
    np.testing.assert_allclose(norms, np.minimum(whole, clip_norm), rtol=1e-9)
    np.testing.assert_allclose(found * whole[:, None], shares * norms[:, None], rtol=1e-9)


def test_influences_that_overflow_count_as_nothing() -> None:
    architecture, _weights, features = drawn(Objective.BINARY, (16,))
    huge = np.full(size(architecture), 1e300)
    found = influences(architecture, huge, features, groups=FIELDS, clip_norm=1.0)
    assert np.isfinite(found).all()
    assert (np.linalg.norm(found, axis=1) <= 1 + 1e-9).all()


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
