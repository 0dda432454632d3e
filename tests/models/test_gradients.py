from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import binary_cross_entropy_with_logits

from models.architectures import Architecture, layer_sizes, size
from models.evenness import widths
from models.gradients import clipped_sum_over
from models.networks import linear_layers
from models.packing import LARGEST
from models.parameters import initial_vector, model_with
from models.threads import torch_threads
from tests.models.gradient_cases import Case, clipped_gradient_sum, crowd

MARGIN = 1e-4
ROUNDING = 1e-12  # of a sum of a few clients, in clip norms
SHAPES = [
    Architecture(inputs=3),
    Architecture(inputs=3, hidden=(4,)),
    Architecture(inputs=3, hidden=(4, 2)),
]
GradientSum = Callable[[Architecture, np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@st.composite
def cases(
    draw: st.DrawFn, *, smallest: int = 0, widest: float = 10.0, grid: float | None = None
) -> Case:
    """A network and a few clients; on a grid of 1/8 all logits are exact in float32."""
    architecture = draw(st.sampled_from(SHAPES))
    n = draw(st.integers(smallest, 6))
    entries, features = st.floats(-3, 3), st.floats(-widest, widest, width=32)
    if grid is not None:
        entries = features = st.integers(int(-2 / grid), int(2 / grid)).map(lambda i: i * grid)
    return (
        architecture,
        draw(arrays(np.float64, size(architecture), elements=entries)),
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
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    clip_norm: float,
) -> np.ndarray:
    model = model_with(architecture, weights)
    total = np.zeros(size(architecture))
    for row, label in zip(features, labels, strict=True):
        gradient = client_gradient(model, row, float(label))
        norm = np.linalg.norm(gradient)
        total += gradient if norm <= clip_norm else gradient * (clip_norm / norm)
    return total


@given(case=cases(grid=0.125), clip_norm=clip_norms)
@settings(deadline=None)
def test_the_sum_is_that_of_a_loop_over_clients(case: Case, clip_norm: float) -> None:
    np.testing.assert_allclose(
        clipped_gradient_sum(*case, clip_norm),
        clipped_client_by_client(*case, clip_norm),
        rtol=1e-5,
        atol=1e-5 * clip_norm,
    )


@pytest.mark.parametrize("hidden", [(), (64,), (64, 32)])
@pytest.mark.parametrize("clip_norm", [0.1, 100.0])
def test_the_sum_of_a_crowd_is_that_of_a_loop_too(
    hidden: tuple[int, ...], clip_norm: float
) -> None:
    case = crowd(200, hidden)
    np.testing.assert_allclose(
        clipped_gradient_sum(*case, clip_norm),
        clipped_client_by_client(*case, clip_norm),
        rtol=1e-4,
        atol=1e-5 * clip_norm,
    )


@given(case=cases(), clip_norm=clip_norms, order=st.permutations(range(6)))
@settings(deadline=None)
def test_what_a_client_adds_depends_on_nobody_else(
    case: Case, clip_norm: float, order: list[int]
) -> None:
    architecture, weights, features, labels = case
    places = [place for place in order if place < len(labels)]
    one_by_one = np.zeros(size(architecture))
    for place in places:
        client = slice(place, place + 1)
        alone = (architecture, weights, features[client], labels[client])
        one_by_one += clipped_gradient_sum(*alone, clip_norm)
    together = (architecture, weights, features[places], labels[places])
    shift = np.linalg.norm(clipped_gradient_sum(*together, clip_norm) - one_by_one)
    assert shift <= ROUNDING * clip_norm


def largest_move(gradient_sum: GradientSum, case: Case, clip_norm: float) -> float:
    """How far the sum moves, at most, when one client is taken away; in clip norms."""
    architecture, weights, features, labels = case
    whole = gradient_sum(architecture, weights, features, labels, clip_norm)
    moves = []
    for client in range(len(labels)):
        others = np.arange(len(labels)) != client
        rest = gradient_sum(architecture, weights, features[others], labels[others], clip_norm)
        moves.append(float(np.linalg.norm(whole - rest)) / clip_norm)
    return max(moves)


@given(case=cases(smallest=1), clip_norm=clip_norms)
@settings(deadline=None)
def test_one_client_moves_the_sum_by_at_most_the_clip_norm(case: Case, clip_norm: float) -> None:
    assert largest_move(clipped_gradient_sum, case, clip_norm) <= 1 + ROUNDING


@given(case=cases(smallest=1, widest=float(np.finfo(np.float32).max)))
@settings(deadline=None)
def test_the_largest_features_a_float_can_hold_move_it_no_further(case: Case) -> None:
    assert largest_move(clipped_gradient_sum, case, 1.0) <= 1 + ROUNDING


@pytest.mark.parametrize("hidden", [(), (256, 256)])
def test_the_largest_weights_and_features_move_it_no_further(hidden: tuple[int, ...]) -> None:
    architecture, weights, features, labels = crowd(3, hidden)
    weights = LARGEST * np.sign(weights)
    features = np.float32(2 * LARGEST) * (-1) ** np.arange(150, dtype=np.float32).reshape(3, 50)
    assert largest_move(clipped_gradient_sum, (architecture, weights, features, labels), 1) <= 2


def largest_rounding(gradient_sum: GradientSum, case: Case) -> float:
    """How far the others' sum moves, at most, when one of a few clients is taken away."""
    architecture, weights, features, labels = case
    width = widths(architecture)[-1]
    whole = gradient_sum(architecture, weights, features, labels, 1.0)
    errors = []
    for client in (0, 1, width, len(labels) - 1):
        others = np.arange(len(labels)) != client
        rest = gradient_sum(architecture, weights, features[others], labels[others], 1.0)
        alone = gradient_sum(architecture, weights, features[[client]], labels[[client]], 1.0)
        assert np.linalg.norm(alone) <= 1 + ROUNDING
        errors.append(float(np.linalg.norm(whole - rest - alone)))
    return max(errors)


def several_blocks(hidden: tuple[int, ...]) -> Case:
    return crowd(3 * widths(Architecture(inputs=50, hidden=hidden))[-1] + 7, hidden)


@pytest.mark.parametrize("hidden", [(), (64, 32)])
def test_the_others_stay_in_place_in_a_crowd_that_fills_several_blocks(
    hidden: tuple[int, ...],
) -> None:
    assert largest_rounding(clipped_gradient_sum, several_blocks(hidden)) <= 1e-9


def in_single_precision(
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    _clip_norm: float,
) -> np.ndarray:
    model = model_with(architecture, weights).float()
    logits = model(torch.from_numpy(features)).squeeze(1)
    loss = binary_cross_entropy_with_logits(logits, torch.from_numpy(labels), reduction="sum")
    parts = torch.autograd.grad(loss / 100, list(model.parameters()))
    return torch.cat([part.reshape(-1) for part in parts]).double().numpy()


@pytest.mark.parametrize("hidden", [(), (64, 32)])
def test_the_rounding_check_rejects_single_precision(hidden: tuple[int, ...]) -> None:
    assert largest_rounding(in_single_precision, several_blocks(hidden)) > 1e-8


def without_clipping(
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    _clip_norm: float,
) -> np.ndarray:
    return clipped_gradient_sum(architecture, weights, features, labels, 1e12)


def clipped_layer_by_layer(
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    clip_norm: float,
) -> np.ndarray:
    model = model_with(architecture, weights)
    total = np.zeros(size(architecture))
    for row, label in zip(features, labels, strict=True):
        gradient = client_gradient(model, row, float(label))
        start = 0
        for inputs, outputs in layer_sizes(architecture):
            part = gradient[start : start + outputs * (inputs + 1)]
            part *= min(1.0, clip_norm / max(float(np.linalg.norm(part)), 1e-300))
            start += len(part)
        total += gradient
    return total


def norm_without_bias(
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    clip_norm: float,
) -> np.ndarray:
    model = model_with(architecture, weights)
    counted = np.concatenate(
        [
            np.repeat([1.0, 0.0], [outputs * inputs, outputs])
            for inputs, outputs in layer_sizes(architecture)
        ]
    )
    total = np.zeros(size(architecture))
    for row, label in zip(features, labels, strict=True):
        gradient = client_gradient(model, row, float(label))
        norm = max(float(np.linalg.norm(gradient * counted)), 1e-300)
        total += gradient * min(1.0, clip_norm / norm)
    return total


@pytest.mark.parametrize("saboteur", [without_clipping, clipped_layer_by_layer, norm_without_bias])
def test_the_neighbor_check_rejects_a_broken_clip(saboteur: GradientSum) -> None:
    case = crowd(20, (8, 4))
    assert largest_move(clipped_gradient_sum, case, 0.1) <= 1 + MARGIN
    assert largest_move(saboteur, case, 0.1) > 1 + MARGIN


def test_a_gradient_of_zero_stays_zero() -> None:
    weights = np.array([0.0, 0.0, 1e4])
    features = np.zeros((3, 2), dtype=np.float32)
    total = clipped_gradient_sum(
        Architecture(inputs=2), weights, features, np.ones(3, np.float32), 1.0
    )
    assert total.tolist() == [0, 0, 0]


@pytest.mark.parametrize("clip_norm", [1.0, 1e-39, 1e-310])
def test_a_gradient_too_small_for_a_normal_float_is_added_and_clipped(clip_norm: float) -> None:
    case = (
        Architecture(inputs=1, hidden=(1,)),
        np.array([1.0, 1.0, 1e-3, -87.0]),
        np.array([[1.0], [1e-40]], np.float32),
        np.zeros(2, np.float32),
    )
    expected = clipped_client_by_client(*case, clip_norm)
    assert 0 < np.abs(expected[:2]).max() < np.finfo(np.float32).tiny
    np.testing.assert_allclose(clipped_gradient_sum(*case, clip_norm), expected, rtol=1e-3)


def test_a_gradient_too_small_for_any_float_counts_as_zero() -> None:
    weights = np.array([1.0, -200.0])
    features, labels = np.ones((3, 1), np.float32), np.zeros(3, np.float32)
    total = clipped_gradient_sum(Architecture(inputs=1), weights, features, labels, 1e-300)
    assert total.tolist() == [0.0, 0.0]


def test_a_department_without_clients_sums_to_zero() -> None:
    none = np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
    total = clipped_gradient_sum(SHAPES[2], initial_vector(SHAPES[2]), *none, 1.0)
    assert total.tolist() == [0.0] * size(SHAPES[2])


def test_the_same_weights_give_the_same_sum_again() -> None:
    architecture, weights, features, labels = crowd(1000, (64, 32))
    clipped_sum = clipped_sum_over(features, labels, architecture=architecture, clip_norm=0.1)
    first = clipped_sum(weights)
    kept = first.tobytes()
    assert clipped_sum(weights / 2).tobytes() != kept
    assert clipped_sum(weights).tobytes() == kept == first.tobytes()
