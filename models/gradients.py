"""The sum of per-client clipped gradients, at about the price of an ordinary backward pass."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from models.architectures import Architecture, layer_sizes, size
from models.bookkeeping import (
    Block,
    Space,
    Weights,
    block_of,
    clip_block,
    space_for,
    weights_of,
)
from models.errors import InvalidSetting, LabelNotBinary, NotFinite, WrongShape
from models.evenness import product_for, widths
from models.vectors import Vector, check_vector

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.float32]

LARGEST = 2.0**20
"""A feature beyond counts as this, a weight beyond is refused: then no float32 overflows."""


def clipped_sum_over(
    features: Features, labels: Labels, *, architecture: Architecture, clip_norm: float
) -> Callable[[Vector], Vector]:
    """The sum over these clients of the loss gradient, each clipped, as a function of the weights.

    The rows are checked and laid out once, for any number of steps; ``models.bookkeeping`` says
    what is computed. The loss of a client is the binary cross-entropy of its logit, its gradient is
    clipped to L2 norm ``clip_norm``.

    Guarantee: one row is one privacy unit; adding or removing a row moves the result by at most
    clip_norm * (1 + 1e-4) in L2 norm, whatever the other rows are, up to 2**21 of them. The margin
    is for rounding, and a tenth of it is needed:

    * what a client adds is the same bit for bit with or without the others, ReLU switches included
      (``models.evenness``), and has norm at most clip_norm (1 + 1e-11);
    * it is added in float64, n rows in blocks of r >= 96, which errs by at most
      (r + n/r) 2**-53 n clip_norm (Higham 2002, "Accuracy and Stability of Numerical Algorithms",
      section 4.2), here and in the neighbor: 1.1e-5 clip_norm together for n = 2**21.

    Args:
        features: float32[n, inputs], sensitive; n may be 0. Beyond ±2**20 they count as ±2**20.
        labels: float32[n] of 0 and 1, sensitive. The caller drops rows without a label.
        architecture: the network's shape, public.
        clip_norm: bound C on a client's gradient norm, public, > 0.

    Returns:
        a function of the weights float64[d], public, that returns the sum float64[d], both in the
        order of ``models.parameters``; it refuses weights of another shape (WrongShape), that are
        not finite (NotFinite) or beyond ±2**20 (InvalidSetting), whatever the rows. The sum is
        sensitive until noise is added. It keeps a copy of the rows and works in one thread at a
        time.

    Raises:
        InvalidSetting: clip_norm is not positive and finite.
        WrongShape: the features do not fit the network, or the labels do not fit the features.
        NotFinite: a feature is NaN or infinite.
        LabelNotBinary: a label is neither 0 nor 1.
    """
    if not (math.isfinite(clip_norm) and clip_norm > 0):
        raise InvalidSetting(name="clip_norm", value=clip_norm, allowed="a positive number")
    check_rows(features, labels, inputs=architecture.inputs)
    with torch.inference_mode():
        blocks = _blocks(features, labels, architecture)

    @torch.inference_mode()
    def clipped_sum(weights: Vector) -> Vector:
        layers, product = _layers(architecture, weights), product_for(architecture)
        sums = [torch.zeros(layer.forward.shape, dtype=torch.float64) for layer in layers]
        for block, space in blocks:
            clip_block(block, layers, clip_norm, space=space, product=product)
            for total, clipped, inputs in zip(sums, space.clipped, space.inputs, strict=True):
                total.addmm_(clipped, inputs.T)
        parts = [part for total in sums for part in (total[:, :-1].reshape(-1), total[:, -1])]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    return clipped_sum


def check_rows(features: Features, labels: Labels, *, inputs: int) -> None:
    """Refuse rows that no gradient may be taken of; nothing about a row is said in the error.

    Args:
        features: float32[n, inputs], sensitive.
        labels: float32[n], sensitive.
        inputs: features per client, public.

    Raises:
        WrongShape: the features do not fit the network, or the labels do not fit the features.
        NotFinite: a feature is NaN or infinite.
        LabelNotBinary: a label is neither 0 nor 1.
    """
    check_features(features, inputs=inputs)
    if labels.shape != features.shape[:1]:
        raise WrongShape(what="labels", needed="one label for each row of the features")
    if not ((labels == 0) | (labels == 1)).all():
        raise LabelNotBinary


def check_features(features: Features, *, inputs: int) -> None:
    """Refuse features that do not fit the network or are not finite.

    Raises:
        WrongShape: the features are not rows of ``inputs`` numbers.
        NotFinite: a feature is NaN or infinite.
    """
    if features.ndim != 2 or features.shape[1] != inputs:  # noqa: PLR2004 - rows and columns
        raise WrongShape(what="features", needed=f"rows of {inputs} numbers")
    if not np.isfinite(features).all():
        raise NotFinite(what="features", advice="fill what is missing before training")


def _blocks(
    features: Features, labels: Labels, architecture: Architecture
) -> list[tuple[Block, Space]]:
    """The clients as columns, block by block; the last block has the least width that fits."""
    allowed, product = widths(architecture), product_for(architecture)
    most = allowed[-1]
    spaces: dict[int, Space] = {}
    blocks = []
    for start in range(0, len(labels), most):
        rows = torch.from_numpy(features[start : start + most].astype(np.float32))
        classes = torch.from_numpy(labels[start : start + most].astype(np.float32))
        columns = next(width for width in allowed if width >= len(rows))
        if columns not in spaces:
            spaces[columns] = space_for(architecture, columns)
        padded, signs = torch.zeros(architecture.inputs, columns), torch.zeros(1, columns)
        padded[:, : len(rows)] = rows.clamp_(-LARGEST, LARGEST).T
        signs[0, : len(rows)] = 1 - 2 * classes
        blocks.append((block_of(padded, signs, product), spaces[columns]))
    return blocks


def _layers(architecture: Architecture, weights: Vector) -> list[Weights]:
    """The weights in single precision, layer by layer; refused if a sum could overflow there."""
    check_vector(weights, size(architecture))
    largest = float(np.abs(weights).max())
    if largest > LARGEST:
        raise InvalidSetting(
            name="the largest weight",
            value=largest,
            allowed=f"at most {LARGEST:.0f}: lower the learning rate",
        )
    vector = torch.from_numpy(weights.astype(np.float32))
    layers = []
    start = 0
    for inputs, outputs in layer_sizes(architecture):
        middle, stop = start + outputs * inputs, start + outputs * (inputs + 1)
        weight, bias = vector[start:middle].view(outputs, inputs), vector[middle:stop]
        layers.append(weights_of(torch.cat([weight, bias.unsqueeze(1)], dim=1)))
        start = stop
    return layers
