"""Even scores: the model's own, and a row's score is its own bit for bit."""

from collections.abc import Callable

import numpy as np
import pytest

from models.architectures import Architecture, size
from models.errors import NotFinite, WrongShape
from models.evaluate import outputs, scores
from models.even_scores import even_outputs, even_probabilities, even_rates
from models.objectives import Objective


def rows(n: int, inputs: int) -> np.ndarray:
    return np.sin(np.arange(1.0, n * inputs + 1)).reshape(n, inputs).astype(np.float32)


def weights_of(architecture: Architecture) -> np.ndarray:
    return np.cos(np.arange(float(size(architecture))) ** 2)


SHAPES = [
    Architecture(inputs=7),
    Architecture(inputs=7, hidden=(5,)),
    Architecture(inputs=3, hidden=(8, 4)),
    Architecture(inputs=7, hidden=(5,), objective=Objective.MULTICLASS, outputs=4),
    Architecture(inputs=7, objective=Objective.ORDINAL, outputs=3),
    Architecture(inputs=7, objective=Objective.COUNT),
]


@pytest.mark.parametrize("architecture", SHAPES)
def test_even_outputs_are_the_model_s_own(architecture: Architecture) -> None:
    features, weights = rows(50, architecture.inputs), weights_of(architecture)
    found = even_outputs(architecture, weights, features)
    assert np.allclose(found, outputs(architecture, weights, features), atol=1e-12)


def test_even_predictions_are_the_model_s_own() -> None:
    *_, classes, _, count = SHAPES
    features = rows(50, 7)
    for architecture, predict in ((classes, even_probabilities), (count, even_rates)):
        weights = weights_of(architecture)
        found = predict(even_outputs(architecture, weights, features))
        assert np.allclose(found, scores(architecture, weights, features), atol=1e-12)
        assert predict(np.zeros((0, architecture.outputs))).shape[0] == 0
    assert np.isfinite(even_probabilities(np.array([[800.0, -800.0]]))).all()
    assert np.isfinite(even_rates(np.array([[800.0]]))).all()


def predicted(architecture: Architecture, weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    found = even_outputs(architecture, weights, features)
    if architecture.objective is Objective.MULTICLASS:
        return even_probabilities(found)
    return even_rates(found) if architecture.objective is Objective.COUNT else found


def is_even(logits: Callable[..., np.ndarray], architecture: Architecture) -> bool:
    """Say whether each row's prediction stays the same bit for bit, whoever else is scored."""
    features, weights = rows(40, architecture.inputs), weights_of(architecture)
    together = logits(architecture, weights, features)
    return all(
        np.array_equal(logits(architecture, weights, features[kept]), together[kept])
        for kept in (slice(0, 1), slice(3, 40), slice(0, 40, 7), slice(39, None, -1))
    )


@pytest.mark.parametrize("architecture", SHAPES)
def test_a_row_s_logit_is_its_own_whoever_else_is_scored(architecture: Architecture) -> None:
    assert is_even(predicted, architecture)


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
    assert np.allclose(sabotaged, even_outputs(architecture, weights, features)[:, 0], rtol=1e-12)
    assert not is_even(summed_in_another_order, architecture)


def test_nobody_has_no_scores() -> None:
    architecture = Architecture(inputs=7, hidden=(5,))
    assert even_outputs(architecture, weights_of(architecture), rows(0, 7)).shape == (0, 1)


def test_what_cannot_be_scored_is_refused() -> None:
    architecture = Architecture(inputs=2)
    with pytest.raises(NotFinite):
        even_outputs(architecture, np.array([1.0, np.nan, 0.0]), rows(3, 2))
    with pytest.raises(NotFinite):
        even_outputs(architecture, np.ones(3), np.full((2, 2), np.inf, dtype=np.float32))
    with pytest.raises(WrongShape):
        even_outputs(architecture, np.ones(3), rows(3, 4))
