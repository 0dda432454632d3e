"""Which networks may be trained: up to two ReLU layers over the features, then the outputs.

No torch here: the coordinator and the API price plans by these shapes and never compute with them.
"""

from dataclasses import dataclass
from itertools import pairwise

from models.errors import InvalidSetting, TooLarge
from models.objectives import Objective, check_outputs

MAX_INPUTS = 4096
MAX_LAYERS = 2
MAX_WIDTH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The shape of a network. Public: it is part of a plan.

    Attributes:
        inputs: features per client, 1 to 4096.
        hidden: widths of the hidden layers from input to output, at most two, each 1 to 256;
            empty is a linear model, logistic regression for a binary objective.
        objective: what is learned.
        outputs: of the last layer: 1 for a binary, count or amount objective, k for k classes,
            k - 1 for k classes in order; at most 64.

    Raises:
        InvalidSetting: a size is not a positive integer, or the objective has other outputs.
        TooLarge: a size is above its limit.
    """

    inputs: int
    hidden: tuple[int, ...] = ()
    objective: Objective = Objective.BINARY
    outputs: int = 1

    def __post_init__(self) -> None:
        """Refuse a network outside the limits."""
        _check_size("inputs", self.inputs, MAX_INPUTS)
        if len(self.hidden) > MAX_LAYERS:
            raise TooLarge(what="hidden layers", value=len(self.hidden), limit=MAX_LAYERS)
        for width in self.hidden:
            _check_size("hidden width", width, MAX_WIDTH)
        check_outputs(self.objective, self.outputs)


def layer_sizes(architecture: Architecture) -> tuple[tuple[int, int], ...]:
    """(inputs, outputs) of every linear layer, from the features to the last."""
    widths = (architecture.inputs, *architecture.hidden, architecture.outputs)
    return tuple(pairwise(widths))


def size(architecture: Architecture) -> int:
    """Number of parameters d: sum over the layers of outputs * (inputs + 1)."""
    return sum(outputs * (inputs + 1) for inputs, outputs in layer_sizes(architecture))


def linear_part(architecture: Architecture) -> Architecture:
    """Return the linear model of the same inputs and outputs."""
    return Architecture(
        inputs=architecture.inputs,
        objective=architecture.objective,
        outputs=architecture.outputs,
    )


def check_linear_start(architecture: Architecture) -> None:
    """Refuse a network whose hidden layers cannot hold a linear model (``models.warm_start``).

    Raises:
        InvalidSetting: a hidden layer is narrower than two units for each output, or there is none.
    """
    least = 2 * architecture.outputs
    if not architecture.hidden or min(architecture.hidden) < least:
        raise InvalidSetting(
            name="the narrowest hidden layer",
            value=min(architecture.hidden, default=0),
            allowed=f"at least {least} units to begin as a linear model",
        )


def _check_size(what: str, value: int, limit: int) -> None:
    if type(value) is not int or value < 1:
        raise InvalidSetting(name=what, value=value, allowed="a positive integer")
    if value > limit:
        raise TooLarge(what=what, value=value, limit=limit)
