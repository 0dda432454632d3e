"""One flat vector for all parameters of a network.

The order is stable and part of every plan: for each linear layer from the features to the outputs,
first its weight [outputs, inputs] row by row, then its bias [outputs].
"""

import numpy as np
import torch
from torch import nn

from models.architectures import Architecture, layer_sizes, size
from models.networks import build, linear_layers
from models.vectors import Vector, check_vector

INITIAL_SEED = 20260101


def initial_vector(architecture: Architecture) -> Vector:
    """Where every department starts: float64[d], the same for everybody.

    Public: the seed of the hidden layers is fixed and the last layer is zero, so it depends on no
    client.
    """
    return vector_of(build(architecture, torch.Generator().manual_seed(INITIAL_SEED)))


def vector_of(model: nn.Sequential) -> Vector:
    """All parameters of a network made by ``build`` as a new float64[d], in the room's order."""
    parts = [part.detach().reshape(-1) for layer in linear_layers(model) for part in _parts(layer)]
    return np.array(torch.cat(parts).numpy(), dtype=np.float64)


def load_vector(model: nn.Sequential, vector: Vector) -> None:
    """Write a float64[d] into a network made by ``build``; the network keeps a copy.

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    layers = linear_layers(model)
    d = sum(part.numel() for layer in layers for part in _parts(layer))
    check_vector(vector, d)
    source = torch.from_numpy(np.array(vector, dtype=np.float64))
    start = 0
    with torch.no_grad():
        for layer in layers:
            for part in _parts(layer):
                part.copy_(source[start : start + part.numel()].view_as(part))
                start += part.numel()


def model_with(architecture: Architecture, vector: Vector) -> nn.Sequential:
    """A network of this shape that holds a copy of the parameters float64[d].

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    model = build(architecture, torch.Generator())
    load_vector(model, vector)
    return model


def last_layer(architecture: Architecture) -> slice:
    """Where the last layer's weights and biases are in the vector.

    A department that keeps a personal last layer puts its own numbers there after each round and
    the shared ones everywhere else. Public: the shape alone decides.
    """
    inputs, outputs = layer_sizes(architecture)[-1]
    d = size(architecture)
    return slice(d - outputs * (inputs + 1), d)


def _parts(layer: nn.Linear) -> tuple[torch.Tensor, torch.Tensor]:
    return layer.weight, layer.bias
