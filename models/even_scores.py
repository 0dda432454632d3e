"""A client's score, the same bit for bit whoever else is scored. No torch here.

Scores that are counted by bin decide where a client counts. Were a client's score to depend, in its
last bit, on how many rows are multiplied at once, as a processor's library may have it, then one
client more could move another one over an edge, and the count by more than one place.
"""

import numpy as np
import numpy.typing as npt

from models.architectures import Architecture, layer_sizes, size
from models.errors import InvalidSetting, NotFinite, WrongShape
from models.objectives import Objective
from models.vectors import Vector, check_vector

Features = npt.NDArray[np.float32]


def even_logits(
    architecture: Architecture, weights: Vector, features: Features
) -> npt.NDArray[np.float64]:
    """Return the logit of each row under a binary model.

    Guarantee: a row's logit is a function of that row, the weights and the architecture alone: it
    is made of single float64 multiplications, additions and maxima, elementwise over the rows, each
    rounded as IEEE 754 says.

    Args:
        architecture: the network's shape, public.
        weights: float64[d] in the order of ``models.parameters``, public.
        features: float32[n, inputs], sensitive; n may be 0.

    Returns:
        float64[n], sensitive; up to rounding the logit of ``models.evaluate.scores``.

    Raises:
        InvalidSetting: the model is not binary.
        WrongShape: the features or the weights do not fit the network.
        NotFinite: a feature or a weight is NaN or infinite.
    """
    if architecture.objective is not Objective.BINARY:
        raise InvalidSetting(name="outputs", value=architecture.outputs, allowed="a binary model")
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
    return np.asarray(signals[0], dtype=np.float64)
