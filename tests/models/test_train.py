from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.architectures import Architecture, size
from models.errors import InvalidSetting, LabelInvalid, ModelError, NotFinite, WrongShape
from models.evaluate import auc, scores
from models.gradients import clipped_sum_over
from models.networks import linear_layers
from models.parameters import initial_vector, model_with, vector_of
from models.train import local_steps

NETWORK = Architecture(inputs=3, hidden=(4,))
RECIPE = {
    "architecture": NETWORK,
    "steps": 3,
    "clip_norm": 1.0,
    "learning_rate": 0.5,
    "momentum": 0.9,
    "noisy_count": 5.0,
}
Train = Callable[..., np.ndarray]


def unchanged(total: np.ndarray) -> np.ndarray:
    return total


def some_rows(n: int, inputs: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(n)
    features = torch.randn(n, inputs, generator=generator)
    labels = (torch.rand(n, generator=generator) < 0.5).float()
    return features.numpy(), labels.numpy()


def some_weights() -> np.ndarray:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(size(NETWORK), dtype=torch.float64, generator=generator)
    return initial_vector(NETWORK) + noise.numpy()


def test_one_step_goes_down_the_mean_clipped_gradient() -> None:
    features, labels = some_rows(5)
    start = some_weights()
    total = clipped_sum_over(features, labels, architecture=NETWORK, clip_norm=1.0)(start)
    after = local_steps(start, features, labels, **RECIPE | {"steps": 1}, noised=unchanged)
    np.testing.assert_allclose(after, start - 0.5 * total / 5.0, rtol=1e-12)


def test_the_steps_are_those_of_torch_with_momentum() -> None:
    features, labels = some_rows(40)
    start = some_weights()
    model = model_with(NETWORK, start)
    parameters = [part for layer in linear_layers(model) for part in (layer.weight, layer.bias)]
    optimizer = torch.optim.SGD(parameters, lr=0.5, momentum=0.9)
    loss = torch.nn.BCEWithLogitsLoss()
    for _ in range(6):
        optimizer.zero_grad()
        logits = model(torch.tensor(features, dtype=torch.float64)).squeeze(1)
        loss(logits, torch.tensor(labels, dtype=torch.float64)).backward()
        optimizer.step()
    recipe = RECIPE | {"steps": 6, "clip_norm": 1e6, "noisy_count": 40.0}
    after = local_steps(start, features, labels, **recipe, noised=unchanged)
    np.testing.assert_allclose(after, vector_of(model), rtol=1e-4, atol=1e-5)


def rows_reach_the_weights_only_through_noised(train: Train) -> bool:
    """Whether two departments that release the same sums get the same weights."""
    results = []
    for n in (3, 50):
        released = iter(np.linspace(-1, 1, 3 * size(NETWORK)).reshape(3, -1))
        features, labels = some_rows(n)
        results.append(
            train(some_weights(), features, labels, **RECIPE, noised=lambda _, r=released: next(r))
        )
    return results[0].tobytes() == results[1].tobytes()


def train_divided_by_the_exact_count(
    weights: np.ndarray, features: np.ndarray, labels: np.ndarray, **recipe: object
) -> np.ndarray:
    return local_steps(weights, features, labels, **recipe | {"noisy_count": float(len(labels))})


def test_rows_reach_the_weights_only_through_noised() -> None:
    assert rows_reach_the_weights_only_through_noised(local_steps)


def test_the_check_rejects_training_that_uses_the_exact_count() -> None:
    assert not rows_reach_the_weights_only_through_noised(train_divided_by_the_exact_count)


def test_every_step_is_released_once() -> None:
    seen: list[np.ndarray] = []

    def noised(total: np.ndarray) -> np.ndarray:
        seen.append(total.copy())
        return total

    features, labels = some_rows(5)
    local_steps(some_weights(), features, labels, **RECIPE | {"steps": 7}, noised=noised)
    assert [total.shape for total in seen] == [(size(NETWORK),)] * 7


def test_the_proximal_term_draws_back_to_the_start_after_the_release() -> None:
    start, released = some_weights(), np.ones(size(NETWORK))
    features, labels = some_rows(5)
    recipe = RECIPE | {"momentum": 0.0, "proximal": 0.3}
    after = local_steps(start, features, labels, **recipe, noised=lambda _: released)
    expected = np.zeros(size(NETWORK))
    for _ in range(3):
        expected -= 0.5 * (released / 5.0 + 0.3 * expected)
    np.testing.assert_allclose(after - start, expected, rtol=1e-9)


def test_a_stronger_proximal_term_stays_closer_to_the_start() -> None:
    features, labels = some_rows(40)
    ways = [
        np.linalg.norm(
            local_steps(
                some_weights(),
                features,
                labels,
                **RECIPE | {"steps": 20, "noisy_count": 40.0, "proximal": strength},
                noised=unchanged,
            )
            - some_weights()
        )
        for strength in (0.0, 0.1, 1.0)
    ]
    assert ways[0] > ways[1] > ways[2]


def test_a_clients_rows_are_clipped_together() -> None:
    features, labels = some_rows(6)
    clients = np.array([0, 1, 0, 2, 1, 0], np.int32)
    start = some_weights()
    total = clipped_sum_over(
        features, labels, architecture=NETWORK, clip_norm=1.0, clients=clients
    )(start)
    recipe = RECIPE | {"steps": 1, "noisy_count": 3.0, "clients": clients}
    after = local_steps(start, features, labels, **recipe, noised=unchanged)
    np.testing.assert_allclose(after, start - 0.5 * total / 3.0, rtol=1e-12)


@pytest.mark.parametrize("noisy_count", [-5.0, 0.0, 0.3])
def test_a_noisy_count_below_one_counts_as_one(noisy_count: float) -> None:
    features, labels = some_rows(5)
    small, one = (
        local_steps(
            some_weights(), features, labels, **RECIPE | {"noisy_count": count}, noised=unchanged
        )
        for count in (noisy_count, 1.0)
    )
    assert small.tolist() == one.tolist()


def test_a_department_without_clients_moves_by_its_noise() -> None:
    features, labels = np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
    recipe = RECIPE | {"steps": 1, "noisy_count": 2.0}
    after = local_steps(some_weights(), features, labels, **recipe, noised=lambda total: total + 4)
    np.testing.assert_allclose(after, some_weights() - 0.5 * 4 / 2, rtol=1e-12)


def test_the_weights_given_stay_as_they_were() -> None:
    start = some_weights()
    features, labels = some_rows(5)
    local_steps(start, features, labels, **RECIPE, noised=unchanged)
    assert start.tolist() == some_weights().tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("clip_norm", 0.0),
        ("learning_rate", 0.0),
        ("learning_rate", np.inf),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("momentum", np.nan),
        ("noisy_count", np.nan),
        ("noisy_count", np.inf),
        ("proximal", -0.1),
        ("proximal", np.nan),
        ("proximal", np.inf),
        ("threads", 0),
    ],
)
def test_a_setting_outside_its_range_is_refused_before_anything_is_released(
    name: str, value: float
) -> None:
    def noised(_: np.ndarray) -> np.ndarray:
        raise AssertionError

    features, labels = some_rows(5)
    with pytest.raises(InvalidSetting) as refusal:
        local_steps(some_weights(), features, labels, **RECIPE | {name: value}, noised=noised)
    assert refusal.value.name == name


@pytest.mark.parametrize(
    ("noised", "error"),
    [
        (lambda total: total[:-1], WrongShape),
        (lambda total: total * np.nan, NotFinite),
        (lambda total: total + np.inf, NotFinite),
    ],
)
def test_a_broken_release_stops_the_training(
    noised: Callable[[np.ndarray], np.ndarray], error: type[ModelError]
) -> None:
    features, labels = some_rows(5)
    with pytest.raises(error):
        local_steps(some_weights(), features, labels, **RECIPE, noised=noised)


def test_rows_that_no_gradient_may_be_taken_of_stop_the_training() -> None:
    features, labels = some_rows(5)
    with pytest.raises(LabelInvalid):
        local_steps(some_weights(), features, labels + 1, **RECIPE, noised=unchanged)


@given(pushes=arrays(np.float64, (4, 4), elements=st.floats(-9, 9)), momentum=st.floats(0, 0.99))
@settings(deadline=None)
def test_what_is_released_is_all_that_moves_the_weights(
    pushes: np.ndarray, momentum: float
) -> None:
    """The heavy ball unrolled: step k is moved by every release before it, momentum^age each."""
    released = iter(pushes)
    after = local_steps(
        np.zeros(4),
        np.zeros((2, 3), np.float32),
        np.ones(2, np.float32),
        **RECIPE
        | {
            "architecture": Architecture(inputs=3),
            "steps": 4,
            "momentum": momentum,
            "learning_rate": 0.1,
            "noisy_count": 2.0,
        },
        noised=lambda _: next(released),
    )
    expected = np.zeros(4)
    for step in range(4):
        for past in range(step + 1):
            expected -= 0.1 * momentum ** (step - past) * pushes[past] / 2.0
    np.testing.assert_allclose(after, expected, rtol=1e-9, atol=1e-12)


def test_logistic_regression_learns_a_line() -> None:
    features, _ = some_rows(500)
    labels = (features @ np.array([1.0, -2.0, 0.5]) > 0.2).astype(np.float32)
    line = Architecture(inputs=3)
    recipe = RECIPE | {"architecture": line, "steps": 40, "noisy_count": 500.0}
    weights = local_steps(initial_vector(line), features, labels, **recipe, noised=unchanged)
    assert auc(labels, scores(line, weights, features)) > 0.99


def test_a_hidden_layer_learns_what_no_line_can() -> None:
    features, _ = some_rows(500, inputs=2)
    labels = (features[:, 0] * features[:, 1] > 0).astype(np.float32)
    ranks = {}
    for hidden in ((), (16,)):
        network = Architecture(inputs=2, hidden=hidden)
        recipe = RECIPE | {"architecture": network, "steps": 100, "noisy_count": 500.0}
        weights = local_steps(initial_vector(network), features, labels, **recipe, noised=unchanged)
        ranks[hidden] = auc(labels, scores(network, weights, features))
    assert ranks[16,] > 0.95
    assert ranks[()] < 0.7
