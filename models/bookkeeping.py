"""Forward, backward and clipping of one block of clients, without any per-client gradient.

The gradient of a row at a linear layer with input a (a last entry 1 stands for the bias) and output
gradient b, its slopes, is the matrix b aᵀ. A client's gradient is the sum of its rows', so its
squared norm over all layers is Σ_ij (b_i·b_j)(a_i·a_j), for a client of one row Σ |b|² |a|², and
the sum of the clipped gradients of a layer is (c·B) Aᵀ with one factor c per client (Bu, Wang, Zha,
Karypis 2023, "Differentially private optimization on large model at small cost"; for several rows
it is the Gram form of Goodfellow 2015, "Efficient per-example gradient computations").

A row is a column, so that the processor's lanes are rows and each goes through the same operations
in the same order. What a lane holds is float32, what is squared or summed is float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.architectures import Architecture, layer_sizes
from models.objectives import Objective
from models.packing import Packed
from models.slopes import Product, turn_into_slopes

SPREAD = 64.0
"""The norms of a client's rows, added up, count as at most this many clip norms."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Block:
    """Rows side by side, the columns beyond them padded so that they add zero. Sensitive.

    The columns are m slots of r / m clients: a client has its rows in the same place of each slot.

    Attributes:
        features: float32[inputs + 1, r], at most 2**20 in size; the last row is 1. Or the same rows
            packed, without padding, to be unpacked whenever they are used.
        targets: float32[outputs, r], of ``models.slopes.targets_of``; 0 for padding.
        present: float32[1, r]: 1 for a row and 0 for padding.
        slots: m, a divisor of r; 1 where every client has one row.
        pairs: float64[m // 2 + 1, r]: a column of the features times the column of the same client
            0, 1, 2, ... slots further on.
    """

    features: Tensor | Packed
    targets: Tensor
    present: Tensor
    slots: int
    pairs: Tensor


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
    """Where the numbers of a block are kept, a column per row, written anew. Sensitive.

    ``all_x`` holds every layer, one below the other, so that one call serves all of them, and ``x``
    names the rows of each layer. A layer has i inputs and o outputs.

    Attributes:
        features: float32[inputs + 1, r], where packed ones are unpacked; the last row is 1. Padding
            keeps what another block left, which is finite and adds zero.
        all_signals, signals: float32[i + 1, r], the inputs of all layers but the first; the last
            row is 1.
        units: float32[i, r], the signals without that row.
        all_slopes, slopes: float32[o, r], the gradient of the loss at the layer's output.
        inputs: float64[i + 1, r], the inputs of all layers.
        first_inputs, other_inputs: the rows of the first layer and those of the others.
        all_clipped, clipped: float64[o, r], the slopes, at last times the clipping factor.
        signal_norms: float64[layers - 1, r], of the signals, squared or times another slot's.
        slope_norms: float64[layers, r], of the slopes, likewise.
        norms: float64[1, r].
        squares: float64, of the signals or of the slopes, to be summed.
        signal_sums, slope_sums: what to give a product to sum a layer's squares.
    """

    features: Tensor
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
        features=_with_ones(torch.zeros(heights[0] - 1, columns)),
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


def _with_ones(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones(1, features.shape[1])])


def block_of(
    features: Tensor | Packed, targets: Tensor, present: Tensor, product: Product, *, slots: int = 1
) -> Block:
    """A block of the rows whose features are the columns of float32[inputs, r], or packed ones."""
    if isinstance(features, Packed):
        columns = _with_ones(torch.zeros(features.shape[1], present.shape[1]))
        features.unpack(columns)
    else:
        features = columns = _with_ones(features)
    wide = columns.double()
    pairs = torch.empty(slots // 2 + 1, wide.shape[1], dtype=torch.float64)
    squares, ones = torch.empty_like(wide), _ones(len(wide))
    for further in range(len(pairs)):
        _multiply(wide, further * wide.shape[1] // slots, squares)
        product(ones, squares, pairs[further : further + 1])
    return Block(features=features, targets=targets, present=present, slots=slots, pairs=pairs)


def clip_block(
    block: Block,
    weights: list[Weights],
    objective: Objective,
    clip_norm: float,
    *,
    space: Space,
    product: Product,
) -> None:
    """Leave in ``space`` the inputs A and the clipped slopes c·B of the block's clients.

    Client by client nothing but its own columns is read. Its gradient, as the float64 numbers that
    are left behind, has a norm of at most clip_norm (1 + 1e-11): norm and factor are taken from the
    very numbers that are scaled, with sums of at most 4097 products.

    A client of several rows: rows that cancel each other would leave more rounding than gradient,
    so what its rows add has, besides, norms that sum up to at most SPREAD * clip_norm; only a
    client whose rows cancel to less than 1 / SPREAD of themselves notices. Let s be the sum of the
    rows' norms. The squared norm errs by less than 1e-12 s² (at most 8400 roundings of terms that
    add up to s² or less), and the divisor is at least s / SPREAD, so what is left has a norm of at
    most clip_norm (1 + 1e-12 SPREAD² / 2), which is below clip_norm (1 + 1e-8).

    Args:
        block: of as many columns as the space.
        weights: of each layer from the features to the outputs, public.
        objective: public.
        clip_norm: public, > 0.
        space: overwritten.
        product: the matrix product to use.
    """
    features = space.features if isinstance(block.features, Packed) else block.features
    if isinstance(block.features, Packed):
        block.features.unpack(features)
    signals = (features, *space.signals)
    for layer, units in enumerate(space.units):
        product(weights[layer].forward, signals[layer], units)
        units.relu_()
    last = space.slopes[-1]
    product(weights[-1].forward, signals[-1], last)
    turn_into_slopes(last, objective, targets=block.targets, present=block.present, product=product)

    space.first_inputs.copy_(features)
    if space.units:
        space.other_inputs.copy_(space.all_signals)
        space.all_signals.sign_()  # the slope of ReLU is the sign of its output
    for layer in range(len(space.units), 0, -1):
        slopes = space.slopes[layer - 1]
        product(weights[layer].backward, space.slopes[layer], slopes)
        slopes.mul_(space.units[layer - 1])
    space.all_clipped.copy_(space.all_slopes)

    norms = _square_norms(block, 0, space, product)
    if block.slots == 1:
        norms.sqrt_()
    else:
        _join(block, space, product)
    limit = torch.tensor(clip_norm, dtype=torch.float64)
    factors = torch.div(limit, norms.clamp_min_(limit), out=norms)
    space.all_clipped.mul_(factors)


def _join(block: Block, space: Space, product: Product) -> None:
    """Turn the rows' squared norms in ``space`` into the norms to clip their clients by."""
    apart = _by_slot(space.norms.sqrt(), block.slots)
    joined = _by_slot(space.norms, block.slots)
    for further in range(1, block.slots // 2 + 1):
        both_ways = 1 if 2 * further == block.slots else 2
        crossed = _square_norms(block, further, space, product)
        joined += both_ways * _by_slot(crossed, block.slots)
    norms = torch.maximum(joined.clamp_min_(0).sqrt_(), apart / SPREAD)
    space.norms.view(block.slots, -1).copy_(norms.expand(block.slots, -1))


def _by_slot(columns: Tensor, slots: int) -> Tensor:
    """Add up the columns [1, r] of each client, slot by slot: a new [1, r / slots]."""
    apart = columns.view(slots, -1)
    total = apart[:1].clone()
    for slot in range(1, slots):
        total += apart[slot]
    return total


def _square_norms(block: Block, further: int, space: Space, product: Product) -> Tensor:
    """Σ (b_i·b_j)(a_i·a_j) over the layers, of each row i and its client's row j slots further.

    Returns:
        float64[1, r], in ``space.norms``; for 0 slots further the rows' squared norms.
    """
    shift = further * space.squares.shape[1] // block.slots
    _sum_products(space.all_clipped, shift, space.slope_sums, space.squares, product)
    space.slope_norms[0].mul_(block.pairs[further])
    if space.units:
        _sum_products(space.other_inputs, shift, space.signal_sums, space.squares, product)
        space.slope_norms[1:].mul_(space.signal_norms)
    product(_ones(len(space.slopes)), space.slope_norms, space.norms)
    return space.norms


def _sum_products(
    rows: Tensor,
    shift: int,
    sums: tuple[tuple[Tensor, Tensor, Tensor], ...],
    squares: Tensor,
    product: Product,
) -> None:
    _multiply(rows, shift, squares[: len(rows)])
    for ones, layer, norm in sums:
        product(ones, layer, norm)


def _multiply(rows: Tensor, shift: int, out: Tensor) -> None:
    """Each column times the one that many columns further on, after the last comes the first."""
    if shift == 0:
        torch.mul(rows, rows, out=out)
    else:
        torch.mul(rows[:, :-shift], rows[:, shift:], out=out[:, :-shift])
        torch.mul(rows[:, -shift:], rows[:, :shift], out=out[:, -shift:])
