"""The sum of per-client clipped gradients, at the price of an ordinary backward pass."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.linalg import vector_norm
from torch.nn import functional

from models.errors import InvalidSetting, LabelNotBinary, NotFinite, WrongShape
from models.networks import linear_layers
from models.vectors import Vector

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.float32]

BLOCK_ROWS = 2048  # a block's arrays stay in the processor's cache


def clipped_gradient_sum(
    model: nn.Sequential, features: Features, labels: Labels, clip_norm: float
) -> Vector:
    """Sum over clients of the loss gradient, each clipped to L2 norm ``clip_norm``.

    The loss of a client is the binary cross-entropy of its logit. Its gradient at a linear layer
    with input a and output gradient b is the matrix b aᵀ and the bias gradient b, so its squared
    norm over all layers is Σ |b|² (|a|² + 1), and the sum of the clipped gradients of a layer is
    (c·B)ᵀA with one factor c = min(1, clip_norm / norm) per client (Bu, Wang, Zha, Karypis 2023,
    "Differentially private optimization on large model at small cost"). No per-client gradient is
    ever written out.

    Guarantee: one row is one privacy unit; adding or removing a row moves the result by at most
    clip_norm * (1 + 1e-4) in L2 norm, whatever the other rows are. The margin is for rounding.
    Everything is computed in float64, because a matrix product rounds a row by its place in the
    block: in float32 one removal shifts the others' sums by 1e-4 at 100,000 rows (measured) and
    can switch a ReLU; in float64 it is 1e-12, and only a ReLU whose input lies within 1e-14 of
    zero, and not at zero, could switch.

    Args:
        model: a network made by ``models.architectures.build``.
        features: float32[n, inputs], sensitive; n may be 0.
        labels: float32[n] of 0 and 1, sensitive. The caller drops rows without a label.
        clip_norm: bound C on a client's gradient norm, public, > 0.

    Returns:
        float64[d] in the order of ``models.parameters``; sensitive until noise is added.

    Raises:
        InvalidSetting: clip_norm is not positive and finite.
        WrongShape: the features do not fit the network, or the labels do not fit the features.
        NotFinite: a feature is NaN or infinite, or the network's weights have grown so large
            that a gradient is.
        LabelNotBinary: a label is neither 0 nor 1.
    """
    if not (math.isfinite(clip_norm) and clip_norm > 0):
        raise InvalidSetting(name="clip_norm", value=clip_norm, allowed="a positive number")
    layers = linear_layers(model)
    check_rows(features, labels, inputs=layers[0].in_features)
    total = np.zeros(sum(layer.out_features * (layer.in_features + 1) for layer in layers))
    for start in range(0, len(labels), BLOCK_ROWS):
        stop = start + BLOCK_ROWS
        total += _block(layers, features[start:stop], labels[start:stop], clip_norm)
    if not np.isfinite(total).all():
        raise NotFinite(what="the gradient", advice="lower the learning rate")
    return total


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


@torch.no_grad()
def _block(layers: list[nn.Linear], features: Features, labels: Labels, clip_norm: float) -> Vector:
    signal = torch.from_numpy(np.asarray(features, dtype=np.float64))
    inputs = []
    for layer in layers[:-1]:
        inputs.append(signal)
        signal = functional.linear(signal, layer.weight, layer.bias).relu_()
    inputs.append(signal)
    logits = functional.linear(signal, layers[-1].weight, layers[-1].bias)

    target = torch.from_numpy(np.asarray(labels, dtype=np.float64)).unsqueeze(1)
    slopes = [torch.sigmoid(logits) - target]
    for layer, activation in zip(reversed(layers[1:]), reversed(inputs[1:]), strict=True):
        slopes.append((slopes[-1] @ layer.weight) * activation.sign())  # sign: the slope of ReLU
    slopes.reverse()

    squared_norm = torch.zeros(len(labels), dtype=torch.float64)
    for slope, activation in zip(slopes, inputs, strict=True):
        squared_norm += vector_norm(slope, dim=1).square_() * (
            vector_norm(activation, dim=1).square_() + 1
        )
    factor = (clip_norm / squared_norm.sqrt().clamp_min(clip_norm)).unsqueeze(1)

    parts = []
    for slope, activation in zip(slopes, inputs, strict=True):
        clipped = slope * factor
        parts += [(clipped.T @ activation).reshape(-1), clipped.sum(dim=0)]
    return torch.cat(parts).numpy()
