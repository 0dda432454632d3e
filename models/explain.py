"""Why a model scores one client as it does, in the words of the fields.

What comes out is as personal as the row that went in: it stays on the client's own node.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import DeepLift
from torch import Tensor, nn

from models.architectures import Architecture
from models.errors import InvalidSetting, WrongShape
from models.gradients import Features, check_features
from models.networks import linear_layers
from models.parameters import model_with
from models.vectors import Vector

ROWS_AT_ONCE = 1024


def attributions(
    architecture: Architecture,
    weights: Vector,
    features: Features,
    *,
    groups: Sequence[slice],
    output: int = 0,
) -> npt.NDArray[np.float64]:
    """How much each field of a client adds to an output of the network, against nothing known.

    The comparison is public: a client of whom every field is absent, all inputs 0. So a field's
    share holds what its presence says and what its value says, where the middle of the bounds says
    nothing. The output is the logit, log-rate or amount before it is turned into what
    ``models.evaluate.scores`` returns, since only there shares add up.

    A linear model's shares are its weights times the inputs, exactly. A network's are those of
    DeepLift's rescale rule (Shrikumar, Greenside, Kundaje 2017, "Learning important features
    through propagating activation differences"), as captum computes them.

    Complete: if the groups cover all inputs, a client's shares add up to the output for the client
    minus the output for the client of whom nothing is known.

    Guarantee: a client's shares are a function of that client's row, the weights and the shape
    alone, bit for bit: every operation is elementwise over the rows (as in ``models.even_scores``).
    So one client more moves nobody else's shares, not by a last bit that DeepLift's rule for
    differences near 0 could make large.

    The result is SENSITIVE, one row per client: it stays on the node that holds the client. Shares
    of many clients leave it only as a priced release.

    Args:
        architecture: the network's shape, public.
        weights: float64[d] in the order of ``models.parameters``.
        features: float32[n, inputs], sensitive; n may be 0.
        groups: the inputs of each field, value and presence, public; slices of the inputs.
        output: which output to explain, public: a class, or the question "above j?".

    Returns:
        float64[n, fields], sensitive.

    Raises:
        WrongShape: the features or the weights do not fit the network, or a group is no range of
            its inputs.
        NotFinite: a feature or a weight is NaN or infinite.
        InvalidSetting: the network has no such output.
    """
    model = model_with(architecture, weights)
    check_features(features, inputs=architecture.inputs)
    if not 0 <= output < architecture.outputs:
        allowed = f"0 to {architecture.outputs - 1}"
        raise InvalidSetting(name="output", value=output, allowed=allowed)
    if not all(_is_range(group, architecture.inputs) for group in groups):
        raise WrongShape(what="groups", needed=f"slices of {architecture.inputs} inputs")
    rows = torch.from_numpy(np.asarray(features, dtype=np.float64))
    shares = torch.cat([torch.zeros(0, architecture.inputs), *_shares(model, rows, output)])
    found = np.zeros((len(rows), len(groups)), dtype=np.float64)
    for place, group in enumerate(groups):
        for column in range(group.start, group.stop):
            found[:, place] += shares[:, column].numpy()
    return found


def influences(
    architecture: Architecture,
    weights: Vector,
    features: Features,
    *,
    groups: Sequence[slice],
    clip_norm: float,
) -> npt.NDArray[np.float64]:
    """How far each field moves a client's outputs either way, all fields together bounded.

    The absolute ``attributions``, the mean of them over the network's outputs; a client whose
    fields together have an L2 norm above clip_norm has all of them lowered in proportion.

    Guarantee: each row has L2 norm at most clip_norm (1 + 1e-9), and is a function of the client's
    own row, the weights and the shape alone.

    Args:
        architecture: the network's shape, public.
        weights: float64[d] in the order of ``models.parameters``, public.
        features: float32[n, inputs], sensitive; n may be 0.
        groups: the inputs of each field, public.
        clip_norm: above 0, public.

    Returns:
        float64[n, fields], nowhere negative, sensitive. What overflows counts as 0.

    Raises:
        WrongShape, NotFinite: as ``attributions``.
    """
    total = np.zeros((len(features), len(groups)), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for output in range(architecture.outputs):
            total += np.abs(
                attributions(architecture, weights, features, groups=groups, output=output)
            )
        mean = np.where(np.isfinite(total), total, 0.0) / architecture.outputs
        squares = np.zeros(len(mean))
        for column in mean.T:
            squares += column * column
    within = clip_norm / np.maximum(np.sqrt(squares), clip_norm)
    return np.asarray(mean * within[:, np.newaxis])


def _is_range(group: slice, inputs: int) -> bool:
    whole = {type(group.start), type(group.stop)} == {int} and group.step is None
    return whole and 0 <= group.start < group.stop <= inputs


def _shares(model: nn.Sequential, rows: Tensor, output: int) -> Iterator[Tensor]:
    """The share of each input, float64[rows, inputs], some rows at a time."""
    first, *others = linear_layers(model)
    if not others:
        yield rows * first.weight[output].detach()
        return
    lift = DeepLift(
        nn.Sequential(*(_Even(part) if isinstance(part, nn.Linear) else part for part in model))
    )
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        with warnings.catch_warnings():  # captum says that it hooks into the network meanwhile
            warnings.simplefilter("ignore", UserWarning)
            shares = lift.attribute(some, baselines=torch.zeros(1, rows.shape[1]), target=output)
        yield shares.detach()


class _Even(nn.Module):
    """A linear layer, forward and back, in operations that are elementwise over the rows."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self._weight, self._bias = layer.weight.detach(), layer.bias.detach()

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = _EvenProduct.apply(rows, self._weight)  # type: ignore[no-untyped-call]
        return found + self._bias


class _EvenProduct(torch.autograd.Function):
    """rows [n, inputs] times weight [outputs, inputs] transposed, one input after the other."""

    @staticmethod
    def forward(context: Any, rows: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        context.save_for_backward(weight)
        return _product(rows, weight.T)

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - as above
        return _product(slopes[0], context.saved_tensors[0]), None


def _product(rows: Tensor, matrix: Tensor) -> Tensor:
    total = torch.zeros(len(rows), matrix.shape[1], dtype=rows.dtype)
    for column, line in zip(rows.T, matrix, strict=True):
        total += column[:, None] * line
    return total
