from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.architectures import Architecture, layer_sizes
from models.evenness import CELLS, GRAIN, TILE, fast, is_even, product_for, slow, widths
from models.objectives import MAX_OUTPUTS, Objective
from models.slopes import Product
from models.threads import torch_threads

SHAPES = [
    Architecture(inputs=3),
    Architecture(inputs=50),
    Architecture(inputs=50, hidden=(64,)),
    Architecture(inputs=50, hidden=(64, 32)),
    Architecture(inputs=400, hidden=(256, 256)),
    Architecture(inputs=50, objective=Objective.MULTICLASS, outputs=64),
]
shapes = pytest.mark.parametrize("architecture", SHAPES, ids=str)
networks = st.builds(
    Architecture,
    inputs=st.integers(1, 4096),
    objective=st.just(Objective.ORDINAL),
    outputs=st.integers(1, MAX_OUTPUTS),
    hidden=st.lists(st.integers(1, 256), max_size=2).map(tuple),
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@shapes
@pytest.mark.parametrize("threads", [1, 2])
def test_the_product_that_is_used_is_even(architecture: Architecture, threads: int) -> None:
    with torch_threads(threads):
        assert is_even(product_for(architecture), architecture)


@shapes
def test_the_slow_product_is_even(architecture: Architecture) -> None:
    assert is_even(slow, architecture)


def with_an_edge(weights: Tensor, columns: Tensor, out: Tensor) -> None:
    """The last columns of a block go to another kernel, as they do in many libraries."""
    fast(weights, columns, out)
    fast(weights.flip(1), columns[:, -4:].flip(0), out[:, -4:])


def scaled_by_the_largest(weights: Tensor, columns: Tensor, out: Tensor) -> None:
    """Numbers are stored relative to the block's largest."""
    scale = columns.abs().max() * 3
    fast(weights, columns / scale, out)
    out.mul_(scale)


@pytest.mark.parametrize("saboteur", [with_an_edge, scaled_by_the_largest])
@shapes
def test_a_product_that_looks_beside_a_client_is_found(
    saboteur: Product, architecture: Architecture
) -> None:
    assert not is_even(saboteur, architecture)


@pytest.mark.parametrize("architecture", SHAPES[:4], ids=str)
def test_a_product_that_changes_with_the_width_is_found(architecture: Architecture) -> None:
    narrowest = widths(architecture)[0]

    def by_the_width(weights: Tensor, columns: Tensor, out: Tensor) -> None:
        if columns.shape[1] > narrowest:
            fast(weights, columns, out)
        else:
            fast(weights.flip(1), columns.flip(0), out)

    assert not is_even(by_the_width, architecture)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(outputs=st.integers(1, 9), inputs=st.integers(1, 70), columns=st.integers(1, 40))
def test_the_slow_product_is_the_product(
    dtype: torch.dtype, outputs: int, inputs: int, columns: int
) -> None:
    generator = torch.Generator().manual_seed(inputs)
    weights = torch.randn(outputs, inputs, generator=generator, dtype=dtype)
    signal = torch.randn(inputs, columns, generator=generator, dtype=dtype)
    out = torch.full((outputs, columns), torch.nan, dtype=dtype)
    slow(weights, signal, out)
    torch.testing.assert_close(out, weights @ signal)


@given(architecture=networks)
def test_the_widths_leave_no_edge_and_fit_the_cache(architecture: Architecture) -> None:
    allowed = widths(architecture)
    cells = sum(inputs + outputs for inputs, outputs in layer_sizes(architecture))
    assert [width % TILE for width in allowed] == [0] * len(allowed)
    assert allowed[0] == allowed.step
    assert allowed[-1] == TILE or allowed[-1] * cells <= CELLS
    assert allowed[-1] * architecture.outputs <= GRAIN
