"""Which networks may be trained: up to two ReLU layers over the features, one logit out."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from models.errors import InvalidSetting, TooLarge

MAX_INPUTS = 4096
MAX_LAYERS = 2
MAX_WIDTH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The shape of a network. Public: it is part of a plan.

    Attributes:
        inputs: features per client, 1 to 4096.
        hidden: widths of the hidden layers from input to output, at most two, each 1 to 256;
            empty is logistic regression.

    Raises:
        InvalidSetting: a size is not a positive integer.
        TooLarge: a size is above its limit.
    """

    inputs: int
    hidden: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a network outside the limits."""
        _check_size("inputs", self.inputs, MAX_INPUTS)
        if len(self.hidden) > MAX_LAYERS:
            raise TooLarge(what="hidden layers", value=len(self.hidden), limit=MAX_LAYERS)
        for width in self.hidden:
            _check_size("hidden width", width, MAX_WIDTH)


def layer_sizes(architecture: Architecture) -> tuple[tuple[int, int], ...]:
    """(inputs, outputs) of every linear layer, from the features to the logit."""
    widths = (architecture.inputs, *architecture.hidden, 1)
    return tuple(pairwise(widths))


def build(architecture: Architecture, generator: torch.Generator) -> nn.Sequential:
    """A new float64 network of this shape: linear layers with ReLU between them.

    Hidden weights are normal with variance 2 / inputs (He et al. 2015, section 2.2), hidden biases
    are zero and the last layer is zero, so that every client starts at probability one half.

    Args:
        architecture: the shape, public.
        generator: source of the hidden weights; public, it protects nobody.

    Returns:
        a module that maps float64[n, inputs] to logits float64[n, 1].
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
    """The linear layers of a network made by ``build``, from the features to the logit."""
    return [module for module in model if isinstance(module, nn.Linear)]


def _check_size(what: str, value: int, limit: int) -> None:
    if type(value) is not int or value < 1:
        raise InvalidSetting(name=what, value=value, allowed="a positive integer")
    if value > limit:
        raise TooLarge(what=what, value=value, limit=limit)
