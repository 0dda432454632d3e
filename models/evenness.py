"""A client's numbers must not depend on its place in a block or on who stands beside it.

A matrix product rounds a column by the kernel that took it, and at the edge of a block another
kernel takes what is left over. Remove one client and the others move up: rounded anew, their
gradients shift a little each, and a ReLU close to zero may switch. So blocks have widths that
leave no edge, and this module looks whether that works on the processor at hand. Where it does
not, a slower product is used that is even by construction.
"""

from functools import lru_cache

import torch
from torch import Tensor

from models.architectures import Architecture, layer_sizes
from models.bookkeeping import (
    Space,
    Weights,
    block_of,
    clip_block,
    space_for,
    weights_of,
)
from models.slopes import Product, targets_of

TILE = 96
"""Columns: a multiple of what matrix kernels (4 to 48) and vector units (4 to 32) take at once."""

CELLS = 3 * 2**17
"""Inputs and outputs of a block, over all layers: about what the processor's cache holds."""

GRAIN = 2**15
"""Numbers of one function of a tensor, above which torch may divide them between threads."""

MOST_WIDTHS = 16
PROBES = 4
PROBE_SEED = 20260101


def widths(architecture: Architecture) -> range:
    """How many columns a block may have: multiples of a step; all blocks but one have the most.

    Public: they depend on the architecture alone.
    """
    cells = sum(inputs + outputs for inputs, outputs in layer_sizes(architecture))
    step = TILE * min(max(CELLS // (MOST_WIDTHS * TILE * cells), 1), 5)
    fit = min(CELLS // (step * cells), GRAIN // (step * architecture.outputs))
    most = min(max(fit, 1), MOST_WIDTHS)
    return range(step, most * step + 1, step)


def product_for(architecture: Architecture) -> Product:
    """The fast product if it is even here and now, otherwise the slow one."""
    return _product_for(architecture, torch.get_num_threads())


@lru_cache(maxsize=64)
def _product_for(architecture: Architecture, _threads: int) -> Product:
    return fast if is_even(fast, architecture) else slow


@torch.inference_mode()
def is_even(product: Product, architecture: Architecture) -> bool:
    """Whether clients get the same numbers, bit for bit, in any place and beside any others.

    Tried with made-up clients and random weights, which is enough: the order of operations of a
    product does not depend on the numbers, and where it differs between two columns about every
    second result does.
    """
    spaces = [space_for(architecture, columns) for columns in widths(architecture)]
    most = widths(architecture)[-1]
    generator = torch.Generator().manual_seed(PROBE_SEED)
    for _ in range(PROBES):
        crowd = torch.rand(architecture.inputs, 2 * most, generator=generator) * 2 - 1
        weights = [
            weights_of(torch.randn(outputs, inputs + 1, generator=generator) / inputs**0.5)
            for inputs, outputs in layer_sizes(architecture)
        ]
        halves = (
            _numbers(half, architecture, weights, spaces[-1], product)
            for half in crowd.chunk(2, dim=1)
        )
        expected = torch.cat(list(halves), dim=1)
        for space in spaces:
            some = torch.randperm(2 * most, generator=generator)[: space.norms.shape[1]]
            found = _numbers(crowd[:, some], architecture, weights, space, product)
            if not torch.equal(found, expected[:, some]):
                return False
    return True


def _numbers(
    features: Tensor,
    architecture: Architecture,
    weights: list[Weights],
    space: Space,
    product: Product,
) -> Tensor:
    """All that is summed of each client: float64[numbers, clients]."""
    targets = targets_of(torch.zeros(features.shape[1]), architecture)
    block = block_of(features, targets, torch.ones(1, features.shape[1]), product)
    clip_block(block, weights, architecture.objective, 1.0, space=space, product=product)
    return torch.cat([*space.inputs, *space.clipped])


def fast(weights: Tensor, columns: Tensor, out: Tensor) -> None:
    """The matrix product of the processor's library."""
    torch.mm(weights, columns, out=out)


def slow(weights: Tensor, columns: Tensor, out: Tensor) -> None:
    """The matrix product by single multiplications and additions, each rounded by the standard."""
    out.zero_()
    for weight, row in zip(weights.T, columns, strict=True):
        out.add_(weight.unsqueeze(1) * row)
