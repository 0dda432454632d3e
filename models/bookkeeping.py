"""Forward, backward and clipping of one block of clients, without any per-client gradient.

The loss of a client is the binary cross-entropy of its logit. Its gradient at a linear layer with
input a (a last entry 1 stands for the bias) and output gradient b, its slopes, is the matrix b aᵀ,
so its squared norm over all layers is Σ |b|² |a|², and the sum of the clipped gradients of a layer
is (c·B) Aᵀ with one factor c = min(1, clip_norm / norm) per client (Bu, Wang, Zha, Karypis 2023,
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """A layer's weights with the bias behind them, and the weights alone turned round. Public.

    Attributes:
        forward: float32[o, i + 1], applied to inputs.
        backward: float32[i, o], applied to slopes.
    """

    forward: Tensor
    backward: Tensor


def weights_of(matrix: Tensor) -> Weights:
    """The weights float32[o, i + 1] of a layer, the bias last."""
    return Weights(forward=matrix, backward=matrix[:, :-1].T)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Space:
    """Where the numbers of a block are kept, a column per client, written anew. Sensitive.

    ``all_x`` holds every layer, one below the other, so that one call serves all of them, and ``x``
    names the rows of each layer. A layer has i inputs and o outputs.

    Attributes:
        all_signals, signals: float32[i + 1, r], the inputs of all layers but the first; the last
            row is 1.
        units: float32[i, r], the signals without that row.
        all_slopes, slopes: float32[o, r], the gradient of the loss at the layer's output.
        inputs: float64[i + 1, r], the inputs of all layers.
        first_inputs, other_inputs: the rows of the first layer and those of the others.
        all_clipped, clipped: float64[o, r], the slopes, at last times the clipping factor.
        signal_norms: float64[layers - 1, r], squared, of the signals.
        slope_norms: float64[layers, r], squared, of the slopes.
        norms: float64[1, r].
        squares: float64, of the signals or of the slopes, to be summed.
        signal_sums, slope_sums: what to give a product to sum a layer's squares.
    """

    all_signals: Tensor
    signals: tuple[Tensor, ...]
    units: tuple[Tensor, ...]
    all_slopes: Tensor
    slopes: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    first_inputs: Tensor
    other_inputs: Tensor
    all_clipped: Tensor
    clipped: tuple[Tensor, ...]
    signal_norms: Tensor
    slope_norms: Tensor
    norms: Tensor
    squares: Tensor
    signal_sums: tuple[tuple[Tensor, Tensor, Tensor], ...]
    slope_sums: tuple[tuple[Tensor, Tensor, Tensor], ...]


def space_for(architecture: Architecture, columns: int) -> Space:
    """Working space for blocks of this many columns."""
    heights = [inputs + 1 for inputs, _ in layer_sizes(architecture)]
    outputs = [outputs for _, outputs in layer_sizes(architecture)]
    all_signals = torch.ones(sum(heights[1:]), columns)
    all_slopes = torch.empty(sum(outputs), columns)
    signals = _layers(all_signals, heights[1:])
    all_inputs, all_clipped, squares = (
        torch.empty(rows, columns, dtype=torch.float64)
        for rows in (sum(heights), sum(outputs), max(sum(heights[1:]), sum(outputs)))
    )
    signal_norms = torch.empty(len(signals), columns, dtype=torch.float64)
    slope_norms = torch.empty(len(outputs), columns, dtype=torch.float64)
    return Space(
        all_signals=all_signals,
        signals=signals,
        units=tuple(signal[:-1] for signal in signals),
        all_slopes=all_slopes,
        slopes=_layers(all_slopes, outputs),
        inputs=_layers(all_inputs, heights),
        first_inputs=all_inputs[: heights[0]],
        other_inputs=all_inputs[heights[0] :],
        all_clipped=all_clipped,
        clipped=_layers(all_clipped, outputs),
        signal_norms=signal_norms,
        slope_norms=slope_norms,
        norms=torch.empty(1, columns, dtype=torch.float64),
        squares=squares,
        signal_sums=_sums(squares, heights[1:], signal_norms),
        slope_sums=_sums(squares, outputs, slope_norms),
    )


def _layers(rows: Tensor, heights: list[int]) -> tuple[Tensor, ...]:
    return torch.split(rows[: sum(heights)], heights) if heights else ()


def _sums(
    squares: Tensor, heights: list[int], norms: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    parts = zip(_layers(squares, heights), _layers(norms, [1] * len(heights)), strict=True)
    return tuple((_ones(len(part)), part, norm) for part, norm in parts)


def _ones(count: int) -> Tensor:
    return torch.ones(1, count, dtype=torch.float64)


def block_of(features: Tensor, signs: Tensor, product: Product) -> Block:
    """A block of the clients whose features are the columns of float32[inputs, r]."""
    columns = torch.cat([features, torch.ones(1, features.shape[1])])
    square_norms = torch.empty(1, features.shape[1], dtype=torch.float64)
    product(_ones(len(columns)), columns.double().square_(), square_norms)
    return Block(features=columns, signs=signs, square_norms=square_norms)


def clip_block(
    block: Block, weights: list[Weights], clip_norm: float, *, space: Space, product: Product
) -> None:
    """Leave in ``space`` the inputs A and the clipped slopes c·B of the block's clients.

    Column by column nothing but that column is read. Its gradient, as the float64 numbers that are
    left behind, has a norm of at most clip_norm (1 + 1e-11): norm and factor are taken from the
    very numbers that are scaled, with sums of at most 4097 squares.

    Args:
        block: of as many columns as the space.
        weights: of each layer from the features to the logit, public.
        clip_norm: public, > 0.
        space: overwritten.
        product: the matrix product to use.
    """
    signals = (block.features, *space.signals)
    for layer, units in enumerate(space.units):
        product(weights[layer].forward, signals[layer], units)
        units.relu_()
    last = space.slopes[-1]
    product(weights[-1].forward, signals[-1], last)
    last.mul_(block.signs).sigmoid_().mul_(block.signs)  # sigmoid(logit) - label

    space.first_inputs.copy_(block.features)
    space.other_inputs.copy_(space.all_signals)
    space.all_signals.sign_()  # the slope of ReLU is the sign of its output
    for layer in range(len(space.units), 0, -1):
        slopes = space.slopes[layer - 1]
        product(weights[layer].backward, space.slopes[layer], slopes)
        slopes.mul_(space.units[layer - 1])
    space.all_clipped.copy_(space.all_slopes)

    _sum_squares(space.other_inputs, space.signal_sums, space.squares, product)
    _sum_squares(space.all_clipped, space.slope_sums, space.squares, product)
    space.slope_norms[:1].mul_(block.square_norms)
    space.slope_norms[1:].mul_(space.signal_norms)
    product(_ones(len(weights)), space.slope_norms, space.norms)
    limit = torch.tensor(clip_norm, dtype=torch.float64)
    factors = torch.div(limit, space.norms.sqrt_().clamp_min_(limit), out=space.norms)
    space.all_clipped.mul_(factors)


def _sum_squares(
    rows: Tensor,
    sums: tuple[tuple[Tensor, Tensor, Tensor], ...],
    squares: Tensor,
    product: Product,
) -> None:
    torch.mul(rows, rows, out=squares[: len(rows)])
    for ones, layer, norm in sums:
        product(ones, layer, norm)
