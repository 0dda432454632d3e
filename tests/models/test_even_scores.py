"""Even scores: the model's own, and a row's score is its own bit for bit."""

from collections.abc import Callable

import numpy as np
import pytest

from models.architectures import Architecture, size
from models.errors import InvalidSetting, NotFinite, WrongShape
from models.evaluate import scores
from models.even_scores import even_logits
from models.objectives import Objective


def rows(n: int, inputs: int) -> np.ndarray:
    return np.sin(np.arange(1.0, n * inputs + 1)).reshape(n, inputs).astype(np.float32)


def weights_of(architecture: Architecture) -> np.ndarray:
    return np.cos(np.arange(float(size(architecture))) ** 2)


SHAPES = [
    Architecture(inputs=7),
    Architecture(inputs=7, hidden=(5,)),
    Architecture(inputs=3, hidden=(8, 4)),
]


@pytest.mark.parametrize("architecture", SHAPES)
def test_even_logits_are_the_model_s_own(architecture: Architecture) -> None:
    features, weights = rows(50, architecture.inputs), weights_of(architecture)
    logits = even_logits(architecture, weights, features)
    assert np.allclose(
        1 / (1 + np.exp(-logits)), scores(architecture, weights, features), atol=1e-12
    )


def is_even(logits: Callable[..., np.ndarray], architecture: Architecture) -> bool:
    """Say whether each row's logit stays the same bit for bit, whoever else is scored."""
    features, weights = rows(40, architecture.inputs), weights_of(architecture)
    together = logits(architecture, weights, features)
    return all(
        np.array_equal(logits(architecture, weights, features[kept]), together[kept])
        for kept in (slice(0, 1), slice(3, 40), slice(0, 40, 7), slice(39, None, -1))
    )


@pytest.mark.parametrize("architecture", SHAPES)
def test_a_row_s_logit_is_its_own_whoever_else_is_scored(architecture: Architecture) -> None:
    assert is_even(even_logits, architecture)


def summed_in_another_order(
    architecture: Architecture, weights: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """The same sum, begun at a place that depends on how many rows there are."""
    order = np.roll(np.arange(architecture.inputs), len(features))
    total = np.full(len(features), weights[-1])
    for place in order:
        total += weights[place] * features[:, place].astype(np.float64)
    return total


def test_a_logit_that_differs_in_its_last_bit_with_the_crowd_is_noticed() -> None:
    architecture = SHAPES[0]
    features, weights = rows(40, architecture.inputs), weights_of(architecture)
    sabotaged = summed_in_another_order(architecture, weights, features)
    assert np.allclose(sabotaged, even_logits(architecture, weights, features), rtol=1e-12)
    assert not is_even(summed_in_another_order, architecture)


def test_nobody_has_no_scores() -> None:
    architecture = Architecture(inputs=7, hidden=(5,))
    assert even_logits(architecture, weights_of(architecture), rows(0, 7)).shape == (0,)


def test_what_cannot_be_scored_is_refused() -> None:
    architecture = Architecture(inputs=2)
    with pytest.raises(NotFinite):
        even_logits(architecture, np.array([1.0, np.nan, 0.0]), rows(3, 2))
    with pytest.raises(NotFinite):
        even_logits(architecture, np.ones(3), np.full((2, 2), np.inf, dtype=np.float32))
    with pytest.raises(WrongShape):
        even_logits(architecture, np.ones(3), rows(3, 4))
    several = Architecture(inputs=2, objective=Objective.MULTICLASS, outputs=3)
    with pytest.raises(InvalidSetting):
        even_logits(several, np.ones(9), rows(3, 2))
