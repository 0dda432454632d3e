"""Forward, backward and clipping of one block of clients, without any per-client gradient.

The loss of a client is the binary cross-entropy of its logit. Its gradient at a linear layer with
input a (a last entry 1 stands for the bias) and output gradient b is the matrix b aᵀ, so its
squared norm over all layers is Σ |b|² |a|², and the sum of the clipped gradients of a layer is
(c·B) Aᵀ with one factor c = min(1, clip_norm / norm) per client (Bu, Wang, Zha, Karypis 2023,
"Differentially private optimization on large model at small cost").

A client is a column, so that the processor's lanes are clients and each goes through the same
operations in the same order. What a lane holds is float32, what is squared or summed is float64.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.architectures import Architecture, layer_sizes

Product = Callable[[Tensor, Tensor, Tensor], None]
"""Writes (weights [o, i]) times (columns [i, r]) into the third argument [o, r]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Block:
    """Clients side by side, the columns beyond them padded so that they add zero. Sensitive.

    Attributes:
        features: float32[inputs + 1, r], at most 2**20 in size; the last row is 1.
        signs: float32[1, r]: 1 for label 0, -1 for label 1, 0 for padding.
        square_norms: float64[1, r], of the columns of the features.
    """

    features: Tensor
    signs: Tensor
    square_norms: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layer:
    """Where one layer's numbers are kept while a block of r columns goes through. Sensitive.

    Attributes:
        signal: float32[i + 1, r], the layer's input; the last row is 1. The first layer's stays
            unused: its input is the block's features.
        units: float32[i, r], the signal without its last row.
        slopes: float32[o, r], the gradient of the loss at the layer's output.
        inputs: float64[i + 1, r], the signal widened.
        clipped: float64[o, r], the slopes widened, then times the clipping factor.
    """

    signal: Tensor
    units: Tensor
    slopes: Tensor
    inputs: Tensor
    clipped: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Space:
    """Working space for blocks of r columns, written anew for each block. Sensitive."""

    layers: tuple[Layer, ...]
    squares: Tensor
    norms: Tensor
    slope_norms: Tensor
    input_norms: Tensor
    ones: Tensor


def block_of(features: Tensor, signs: Tensor, product: Product) -> Block:
    """A block of the clients whose features are the columns of float32[inputs, r]."""
    ones = torch.ones(1, features.shape[1])
    columns = torch.cat([features, ones])
    square_norms = torch.empty(1, features.shape[1], dtype=torch.float64)
    squares = columns.double().square_()
    product(torch.ones(1, len(columns), dtype=torch.float64), squares, square_norms)
    return Block(features=columns, signs=signs, square_norms=square_norms)


def space_for(architecture: Architecture, columns: int) -> Space:
    """Working space for blocks of this many columns."""
    sizes = layer_sizes(architecture)
    tallest = max(max(inputs + 1, outputs) for inputs, outputs in sizes)
    return Space(
        layers=tuple(_layer(inputs, outputs, columns) for inputs, outputs in sizes),
        squares=torch.empty(tallest, columns, dtype=torch.float64),
        norms=torch.empty(1, columns, dtype=torch.float64),
        slope_norms=torch.empty(1, columns, dtype=torch.float64),
        input_norms=torch.empty(1, columns, dtype=torch.float64),
        ones=torch.ones(1, tallest, dtype=torch.float64),
    )


def _layer(inputs: int, outputs: int, columns: int) -> Layer:
    signal = torch.ones(inputs + 1, columns)
    return Layer(
        signal=signal,
        units=signal[:-1],
        slopes=torch.empty(outputs, columns),
        inputs=torch.empty(inputs + 1, columns, dtype=torch.float64),
        clipped=torch.empty(outputs, columns, dtype=torch.float64),
    )


def clip_block(
    block: Block,
    weights: list[Tensor],
    clip_norm: float,
    *,
    space: Space,
    product: Product,
) -> None:
    """Leave in ``space`` each layer's inputs A and clipped slopes c·B of the block's clients.

    Column by column nothing but that column is read. Its gradient, as the float64 numbers that are
    left behind, has a norm of at most clip_norm (1 + 1e-11): norm and factor are taken from the
    very numbers that are scaled, with sums of at most 4097 squares.

    Args:
        block: of as many columns as the space.
        weights: float32[outputs, inputs + 1] of each layer, the bias last; public.
        clip_norm: public, > 0.
        space: overwritten.
        product: the matrix product to use.
    """
    first, *upper = space.layers
    signals = [block.features, *(layer.signal for layer in upper)]
    for weight, signal, above in zip(weights, signals, upper, strict=False):
        product(weight, signal, above.units)
        above.units.relu_()
    slopes = space.layers[-1].slopes
    product(weights[-1], signals[-1], slopes)
    slopes.mul_(block.signs).sigmoid_().mul_(block.signs)  # sigmoid(logit) - label

    for layer, signal in zip(space.layers, signals, strict=True):
        layer.inputs.copy_(signal)
    for place in range(len(upper), 0, -1):
        above, layer = space.layers[place], space.layers[place - 1]
        product(weights[place][:, :-1].T, above.slopes, layer.slopes)
        layer.slopes.mul_(above.units.sign_())  # the slope of ReLU is the sign of its output
    for layer in space.layers:
        layer.clipped.copy_(layer.slopes)

    _square_norms(first.clipped, space.norms, space=space, product=product)
    space.norms.mul_(block.square_norms)
    for layer in upper:
        _square_norms(layer.clipped, space.slope_norms, space=space, product=product)
        _square_norms(layer.inputs, space.input_norms, space=space, product=product)
        space.norms.add_(space.slope_norms.mul_(space.input_norms))
    limit = torch.tensor(clip_norm, dtype=torch.float64)
    factors = torch.div(limit, space.norms.sqrt_().clamp_min_(limit), out=space.norms)
    for layer in space.layers:
        layer.clipped.mul_(factors)


def _square_norms(columns: Tensor, out: Tensor, *, space: Space, product: Product) -> None:
    height = len(columns)
    squares = space.squares[:height]
    torch.mul(columns, columns, out=squares)
    product(space.ones[:, :height], squares, out)
