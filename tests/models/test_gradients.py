from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import binary_cross_entropy_with_logits

from models.architectures import Architecture, size
from models.errors import InvalidSetting, LabelNotBinary, ModelError, NotFinite, WrongShape
from models.gradients import BLOCK_ROWS, clipped_gradient_sum
from models.networks import linear_layers
from models.parameters import initial_vector, model_with

MARGIN = 1e-4
SHAPES = [
    Architecture(inputs=3),
    Architecture(inputs=3, hidden=(4,)),
    Architecture(inputs=3, hidden=(4, 2)),
]
Case = tuple[torch.nn.Sequential, np.ndarray, np.ndarray]
GradientSum = Callable[[torch.nn.Sequential, np.ndarray, np.ndarray, float], np.ndarray]


@st.composite
def cases(draw: st.DrawFn, *, smallest: int = 0, widest: float = 10.0) -> Case:
    architecture = draw(st.sampled_from(SHAPES))
    n = draw(st.integers(smallest, 6))
    entries = st.floats(-3, 3)
    features = st.floats(-widest, widest, width=32)
    return (
        model_with(architecture, draw(arrays(np.float64, size(architecture), elements=entries))),
        draw(arrays(np.float32, (n, 3), elements=features)),
        draw(arrays(np.float32, n, elements=st.sampled_from([0.0, 1.0]))),
    )


clip_norms = st.floats(1e-3, 1e3)


def client_gradient(model: torch.nn.Sequential, row: np.ndarray, label: float) -> np.ndarray:
    logit = model(torch.tensor(row, dtype=torch.float64))[0]
    loss = binary_cross_entropy_with_logits(logit, torch.tensor(label, dtype=torch.float64))
    parameters = [part for layer in linear_layers(model) for part in (layer.weight, layer.bias)]
    parts = torch.autograd.grad(loss, parameters)
    return torch.cat([part.reshape(-1) for part in parts]).numpy()


def clipped_client_by_client(
    model: torch.nn.Sequential, features: np.ndarray, labels: np.ndarray, clip_norm: float
) -> np.ndarray:
    total = np.zeros(sum(part.numel() for part in model.parameters()))
    for row, label in zip(features, labels, strict=True):
        gradient = client_gradient(model, row, float(label))
        norm = np.linalg.norm(gradient)
        total += gradient if norm <= clip_norm else gradient * (clip_norm / norm)
    return total


@given(case=cases(), clip_norm=clip_norms)
@settings(deadline=None)
def test_the_sum_is_that_of_a_loop_over_clients(case: Case, clip_norm: float) -> None:
    np.testing.assert_allclose(
        clipped_gradient_sum(*case, clip_norm),
        clipped_client_by_client(*case, clip_norm),
        rtol=1e-9,
        atol=1e-12 * clip_norm,
    )


def largest_move(gradient_sum: GradientSum, case: Case, clip_norm: float) -> float:
    """How far the sum moves, at most, when one client is taken away; in clip norms."""
    model, features, labels = case
    whole = gradient_sum(model, features, labels, clip_norm)
    moves = []
    for client in range(len(labels)):
        others = np.arange(len(labels)) != client
        rest = gradient_sum(model, features[others], labels[others], clip_norm)
        moves.append(float(np.linalg.norm(whole - rest)) / clip_norm)
    return max(moves)


@given(case=cases(smallest=1), clip_norm=clip_norms)
@settings(deadline=None)
def test_one_client_moves_the_sum_by_at_most_the_clip_norm(case: Case, clip_norm: float) -> None:
    assert largest_move(clipped_gradient_sum, case, clip_norm) <= 1 + MARGIN


@given(case=cases(smallest=1, widest=float(np.finfo(np.float32).max)))
@settings(deadline=None)
def test_the_largest_features_a_float_can_hold_move_it_no_further(case: Case) -> None:
    assert largest_move(clipped_gradient_sum, case, 1.0) <= 1 + MARGIN


def crowd(n: int, hidden: tuple[int, ...]) -> Case:
    generator = torch.Generator().manual_seed(n)
    architecture = Architecture(inputs=50, hidden=hidden)
    noise = torch.randn(size(architecture), dtype=torch.float64, generator=generator)
    return (
        model_with(architecture, initial_vector(architecture) + 0.1 * noise.numpy()),
        torch.rand(n, 50, generator=generator).numpy(),
        (torch.rand(n, generator=generator) < 0.5).float().numpy(),
    )


@pytest.mark.parametrize("hidden", [(), (64, 32)])
def test_the_bound_holds_in_a_crowd_that_fills_several_blocks(hidden: tuple[int, ...]) -> None:
    model, features, labels = crowd(3 * BLOCK_ROWS + 7, hidden)
    whole = clipped_gradient_sum(model, features, labels, 1.0)
    for client in (0, 1, BLOCK_ROWS, len(labels) - 1):
        others = np.arange(len(labels)) != client
        rest = clipped_gradient_sum(model, features[others], labels[others], 1.0)
        alone = clipped_gradient_sum(model, features[[client]], labels[[client]], 1.0)
        assert np.linalg.norm(whole - rest) <= 1 + MARGIN
        assert np.linalg.norm(whole - rest - alone) <= 1e-9


def without_clipping(
    model: torch.nn.Sequential, features: np.ndarray, labels: np.ndarray, _clip_norm: float
) -> np.ndarray:
    return clipped_gradient_sum(model, features, labels, 1e12)


def clipped_layer_by_layer(
    model: torch.nn.Sequential, features: np.ndarray, labels: np.ndarray, clip_norm: float
) -> np.ndarray:
    total = np.zeros(sum(part.numel() for part in model.parameters()))
    for row, label in zip(features, labels, strict=True):
        gradient = client_gradient(model, row, float(label))
        start = 0
        for layer in linear_layers(model):
            part = gradient[start : start + layer.weight.numel() + layer.bias.numel()]
            part *= min(1.0, clip_norm / max(float(np.linalg.norm(part)), 1e-300))
            start += len(part)
        total += gradient
    return total


def norm_without_bias(
    model: torch.nn.Sequential, features: np.ndarray, labels: np.ndarray, clip_norm: float
) -> np.ndarray:
    total = np.zeros(sum(part.numel() for part in model.parameters()))
    weights = torch.cat(
        [
            torch.full((part.numel(),), float(part.dim() == 2))
            for layer in linear_layers(model)
            for part in (layer.weight, layer.bias)
        ]
    ).numpy()
    for row, label in zip(features, labels, strict=True):
        gradient = client_gradient(model, row, float(label))
        norm = max(float(np.linalg.norm(gradient * weights)), 1e-300)
        total += gradient * min(1.0, clip_norm / norm)
    return total


@pytest.mark.parametrize("saboteur", [without_clipping, clipped_layer_by_layer, norm_without_bias])
def test_the_neighbor_check_rejects_a_broken_clip(saboteur: GradientSum) -> None:
    model, features, labels = crowd(20, (8, 4))
    assert largest_move(clipped_gradient_sum, (model, features, labels), 0.1) <= 1 + MARGIN
    assert largest_move(saboteur, (model, features, labels), 0.1) > 1 + MARGIN


def test_a_gradient_of_zero_stays_zero() -> None:
    model = model_with(Architecture(inputs=2), np.array([0.0, 0.0, 1e4]))
    features = np.zeros((3, 2), dtype=np.float32)
    assert clipped_gradient_sum(model, features, np.ones(3, np.float32), 1.0).tolist() == [0, 0, 0]


def test_a_department_without_clients_sums_to_zero() -> None:
    model = model_with(SHAPES[2], initial_vector(SHAPES[2]))
    total = clipped_gradient_sum(model, np.zeros((0, 3), np.float32), np.zeros(0, np.float32), 1.0)
    assert total.tolist() == [0.0] * size(SHAPES[2])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_refused(bad: float) -> None:
    model, features, labels = crowd(30, ())
    features[17, 3] = bad
    with pytest.raises(NotFinite) as refusal:
        clipped_gradient_sum(model, features, labels, 1.0)
    assert refusal.value.what == "features"
    assert_says_nothing_about_rows(refusal.value, ["17", "30", "nan", "inf"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.5, 2.0])
def test_a_label_that_is_neither_zero_nor_one_is_refused(bad: float) -> None:
    model, features, labels = crowd(30, ())
    labels[17] = bad
    with pytest.raises(LabelNotBinary) as refusal:
        clipped_gradient_sum(model, features, labels, 1.0)
    assert_says_nothing_about_rows(refusal.value, ["17", "30", "nan", "inf", "-1", "0.5", "2"])


@pytest.mark.parametrize(
    ("features_shape", "labels_shape"), [((30, 49), (30,)), ((30,), (30,)), ((30, 50), (31,))]
)
def test_arrays_that_do_not_fit_are_refused(
    features_shape: tuple[int, ...], labels_shape: tuple[int, ...]
) -> None:
    model = crowd(1, ())[0]
    features, labels = np.zeros(features_shape, np.float32), np.zeros(labels_shape, np.float32)
    with pytest.raises(WrongShape) as refusal:
        clipped_gradient_sum(model, features, labels, 1.0)
    assert_says_nothing_about_rows(refusal.value, ["30", "31"])


def assert_says_nothing_about_rows(error: ModelError, secrets: list[str]) -> None:
    said = f"{error} {error!r} {vars(error)}"
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, np.nan, np.inf])
def test_a_clip_norm_that_bounds_nothing_is_refused(clip_norm: float) -> None:
    with pytest.raises(InvalidSetting):
        clipped_gradient_sum(*crowd(3, ()), clip_norm)


def test_a_gradient_that_overflows_is_refused() -> None:
    architecture = Architecture(inputs=1, hidden=(1, 1))
    model = model_with(architecture, np.full(size(architecture), 1e300))
    with pytest.raises(NotFinite):
        clipped_gradient_sum(model, np.ones((1, 1), np.float32), np.zeros(1, np.float32), 1.0)
