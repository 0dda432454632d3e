"""A network that begins as a linear model: the same outputs for every row, and room to learn more.

Noise spreads over all parameters, and a network has many, so at a small epsilon it finds slowly
what a linear model finds in a few steps. Beginning there costs nothing: the weights of a linear
model that was released are public, and what is computed from them is post-processing.

For each output u·x + c the first layer gets the two units relu(u·x + c) and relu(−(u·x + c)), the
layers above hand both on, and the last subtracts them again (as Chen, Goodfellow, Shlens 2016,
"Net2Net", keep a function while a network grows). All other units are as ``initial_vector`` draws
them, and the last layer gives them no weight yet.
"""

import numpy as np

from models.architectures import Architecture, check_linear_start, layer_sizes, linear_part, size
from models.parameters import initial_vector
from models.vectors import Vector, check_vector


def network_from_linear(architecture: Architecture, linear: Vector) -> Vector:
    """Return a network that computes what the linear model computes.

    Args:
        architecture: of the network.
        linear: float64[d'] of ``linear_part(architecture)``, released.

    Returns:
        float64[d].

    Raises:
        InvalidSetting: see ``check_linear_start``.
        WrongShape, NotFinite: ``linear`` is not such a vector.
    """
    check_linear_start(architecture)
    inputs, outputs = architecture.inputs, architecture.outputs
    check_vector(linear, size(linear_part(architecture)))
    rows = np.column_stack(
        [linear[: outputs * inputs].reshape(outputs, inputs), linear[outputs * inputs :]]
    )
    length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    pair = np.concatenate([rows / length, -rows / length])
    network = initial_vector(architecture)
    layers, places = layer_sizes(architecture), 2 * outputs
    start = 0
    for number, (before, after) in enumerate(layers):
        stop = start + after * (before + 1)
        weights = network[start : start + after * before].reshape(after, before)
        biases = network[start + after * before : stop]
        if number == 0:
            weights[:places], biases[:places] = pair[:, :-1], pair[:, -1]
        elif number < len(layers) - 1:
            weights[:places] = np.eye(places, before)
        else:
            signed = np.diag(length[:, 0])
            weights[:, :places] = np.concatenate([signed, -signed], axis=1)
        start = stop
    return network
