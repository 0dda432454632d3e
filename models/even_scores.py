"""A client's score, the same bit for bit whoever else is scored. No torch here.

Scores that are counted by bin decide where a client counts. Were a client's score to depend, in its
last bit, on how many rows are multiplied at once, as a processor's library may have it, then one
client more could move another one over an edge, and the count by more than one place.
"""

import math

import numpy as np
import numpy.typing as npt

from models.architectures import Architecture, layer_sizes, size
from models.errors import NotFinite, WrongShape
from models.objectives import LARGEST_LOG_RATE
from models.vectors import Vector, check_vector

Features = npt.NDArray[np.float32]


def even_outputs(
    architecture: Architecture, weights: Vector, features: Features
) -> npt.NDArray[np.float64]:
    """Return what the network puts out for each row.

    Guarantee: a row's outputs are a function of that row, the weights and the architecture alone:
    they are made of single float64 multiplications, additions and maxima, elementwise over the
    rows, each rounded as IEEE 754 says.

    Args:
        architecture: the network's shape, public.
        weights: float64[d] in the order of ``models.parameters``, public.
        features: float32[n, inputs], sensitive; n may be 0.

    Returns:
        float64[n, outputs], sensitive; up to rounding those of ``models.evaluate.outputs``.

    Raises:
        WrongShape: the features or the weights do not fit the network.
        NotFinite: a feature or a weight is NaN or infinite.
    """
    check_vector(weights, size(architecture))
    if features.ndim != 2 or features.shape[1] != architecture.inputs:  # noqa: PLR2004 - rows, columns
        raise WrongShape(what="features", needed=f"rows of {architecture.inputs} numbers")
    if not np.isfinite(features).all():
        raise NotFinite(what="features", advice="fill what is missing before scoring")
    signals = np.ascontiguousarray(features.T, dtype=np.float64)
    start, sizes = 0, layer_sizes(architecture)
    for layer, (inputs, outputs) in enumerate(sizes, start=1):
        middle, stop = start + outputs * inputs, start + outputs * (inputs + 1)
        columns = weights[start:middle].reshape(outputs, inputs).T
        total = np.repeat(weights[middle:stop, np.newaxis], signals.shape[1], axis=1)
        for column, signal in zip(columns, signals, strict=True):
            total += column[:, np.newaxis] * signal
        signals = np.maximum(total, 0.0) if layer < len(sizes) else total
        start = stop
    return np.ascontiguousarray(signals.T, dtype=np.float64)


def even_probabilities(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probability of each class, float64[n, k], from the outputs of a multiclass model.

    Guarantee: as ``even_outputs``; exponentials are taken one by one, by the C library's own.
    """
    parts = _exp(outputs - outputs.max(axis=1, keepdims=True, initial=-np.inf))
    total = np.zeros(len(parts))
    for part in parts.T:
        total += part
    return np.asarray(parts / total[:, np.newaxis], dtype=np.float64)


def even_rates(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the rate of each row, float64[n], from the outputs of a count model; guarantee: so."""
    return _exp(np.minimum(outputs[:, 0], LARGEST_LOG_RATE))


def _exp(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    each = map(math.exp, values.ravel().tolist())
    return np.fromiter(each, np.float64, count=values.size).reshape(values.shape)
