"""Averaging departments that feed different inputs: each weight by those who hold its input.

A department that lacks an input has nothing to say about the first layer's weights on it: its
gradient there is zero, so an average over everybody would pull those weights back towards where the
round began. Who holds which input is public (the catalogue says so), hence so is every mask here.
Measured on the demo, 4 rounds of 20 steps: .792 instead of .776 AUC on research's own records, .862
instead of .860 on risk's.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.architectures import Architecture, layer_sizes, size
from models.errors import WrongShape
from models.vectors import Vector

Mask = npt.NDArray[np.bool_]

SHARED = -1


def input_of(architecture: Architecture) -> npt.NDArray[np.int64]:
    """Name the input each parameter multiplies: int64[d], SHARED for what belongs to no input.

    Only the first layer's weights belong to an input; its bias and all later layers are shared.
    """
    _, outputs = layer_sizes(architecture)[0]
    owners = np.full(size(architecture), SHARED, dtype=np.int64)
    owners[: outputs * architecture.inputs] = np.tile(np.arange(architecture.inputs), outputs)
    return owners


def average_by_holders(
    architecture: Architecture,
    updates: Sequence[Vector],
    counts: Sequence[float],
    held: Sequence[Mask],
) -> Vector:
    """Average the departments' weights, each weighing its count among those that hold the input.

    Args:
        architecture: the network's shape.
        updates: float64[d] of each department.
        counts: of each department, above 0.
        held: bool[inputs] of each department: which inputs it can feed. Public.

    Returns:
        float64[d]; 0 on an input that nobody holds, which no department ever feeds.

    Raises:
        WrongShape: an update or a mask does not fit the network.
    """
    total = np.zeros(size(architecture))
    weight = np.zeros(architecture.inputs + 1)
    for update, count, mask in zip(updates, counts, held, strict=True):
        shares = count * with_shared(mask, architecture)
        if update.shape != total.shape:
            raise WrongShape(what="update", needed=f"[{total.size}]")
        weight += shares
        total += shares[input_of(architecture)] * update
    return divided(architecture, total, weight)


def with_shared(mask: Mask, architecture: Architecture) -> npt.NDArray[np.float64]:
    """Return a mask as float64[inputs + 1]; the last place, always 1, is the shared parameters'.

    Raises:
        WrongShape: not one place per input.
    """
    if mask.shape != (architecture.inputs,):
        raise WrongShape(what="held", needed=f"[{architecture.inputs}]")
    return np.append(mask, True).astype(np.float64)


def divided(architecture: Architecture, total: Vector, weight: npt.NDArray[np.float64]) -> Vector:
    """Divide summed updates float64[d] by the summed weights float64[inputs + 1] of their inputs.

    A weight of 0 is an input that nobody holds: its parameters become 0.
    """
    divisor = weight[input_of(architecture)]
    return np.divide(total, divisor, out=np.zeros_like(total), where=divisor > 0)
