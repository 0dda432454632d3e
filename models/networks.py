"""The networks themselves, as torch modules."""

import torch
from torch import nn

from models.architectures import Architecture, layer_sizes


def build(architecture: Architecture, generator: torch.Generator) -> nn.Sequential:
    """A new float64 network of this shape: linear layers with ReLU between them.

    Hidden weights are normal with variance 2 / inputs (He et al. 2015, section 2.2), hidden biases
    are zero and the last layer is zero, so that every client starts at the same output: at equal
    odds, at a rate of 1, in the middle of the bounds.

    Args:
        architecture: the shape, public.
        generator: source of the hidden weights; public, it protects nobody.

    Returns:
        a module that maps float64[n, inputs] to outputs float64[n, outputs].
    """
    sizes = layer_sizes(architecture)
    modules: list[nn.Module] = []
    for position, (inputs, outputs) in enumerate(sizes, start=1):
        layer = nn.Linear(inputs, outputs, dtype=torch.float64, device="meta").to_empty(
            device="cpu"
        )
        nn.init.zeros_(layer.bias)
        if position == len(sizes):
            nn.init.zeros_(layer.weight)
            modules.append(layer)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules)


def linear_layers(model: nn.Sequential) -> list[nn.Linear]:
    """The linear layers of a network made by ``build``, from the features to the outputs."""
    return [module for module in model if isinstance(module, nn.Linear)]
