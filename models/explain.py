"""Why a model scores one client as it does, in the words of the fields.

What comes out is as personal as the row that went in: it stays on the client's own node.
"""

import warnings
from collections.abc import Iterator, Sequence

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

ROWS_AT_ONCE = 4096


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
    by_field = [shares[:, group].sum(dim=1) for group in groups]
    fields = torch.stack(by_field, dim=1) if by_field else torch.zeros(len(rows), 0)
    return np.asarray(fields.numpy(), dtype=np.float64)


def _is_range(group: slice, inputs: int) -> bool:
    whole = {type(group.start), type(group.stop)} == {int} and group.step is None
    return whole and 0 <= group.start < group.stop <= inputs


def _shares(model: nn.Sequential, rows: Tensor, output: int) -> Iterator[Tensor]:
    """The share of each input, float64[rows, inputs], some rows at a time."""
    first, *others = linear_layers(model)
    if not others:
        yield rows * first.weight[output].detach()
        return
    lift = DeepLift(model)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        with warnings.catch_warnings():  # captum says that it hooks into the network meanwhile
            warnings.simplefilter("ignore", UserWarning)
            shares = lift.attribute(some, baselines=torch.zeros(1, rows.shape[1]), target=output)
        yield shares.detach()
