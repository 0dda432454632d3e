"""The sum of per-client clipped gradients, at about the price of an ordinary backward pass."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.architectures import Architecture, layer_sizes, size
from models.bookkeeping import (
    Block,
    Space,
    Weights,
    block_of,
    clip_block,
    space_for,
    weights_of,
)
from models.errors import InvalidSetting, NotFinite, WrongShape
from models.evenness import product_for, widths
from models.grouping import ABSENT, Clients, members_of
from models.objectives import check_labels
from models.packing import LARGEST, Packed
from models.slopes import targets_of
from models.vectors import Vector, check_vector

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.float32]


def clipped_sum_over(
    features: Features | Packed,
    labels: Labels,
    *,
    architecture: Architecture,
    clip_norm: float,
    clients: Clients | None = None,
) -> Callable[[Vector], Vector]:
    """The sum over these clients of the loss gradient, each clipped, as a function of the weights.

    The rows are checked and laid out once, for any number of steps; ``models.bookkeeping`` says
    what is computed and ``models.slopes`` of which loss. The gradients of a client's rows are
    summed, and the sum is clipped to L2 norm ``clip_norm``.

    Guarantee: one client is one privacy unit; adding or removing a client with all its rows moves
    the result by at most clip_norm * (1 + 1e-4) in L2 norm, whatever the other rows are, up to
    2**21 rows, or 2**19 where clients have several. The margin is for rounding, and less than a
    quarter of it is needed:

    * what a client adds is the same bit for bit with or without the others, ReLU switches included
      (``models.evenness``), and has norm at most clip_norm (1 + 1e-11), of several rows at most
      clip_norm (1 + 1e-8);
    * it is added in float64, n rows in blocks of r >= 96, which errs by at most
      (r + n/r) 2**-53 S (Higham 2002, "Accuracy and Stability of Numerical Algorithms",
      section 4.2) if the norms of all rows, clipped, add up to S, here and in the neighbor. With
      one row each S <= n clip_norm: 1.1e-5 clip_norm together for n = 2**21. With several rows
      S <= 64 clip_norm a client of at least two: 2.1e-5 clip_norm together for n = 2**19.

    A household, or any other group, is a unit just as well: name the group in ``clients`` instead
    of the client. What was shown of a client is shown of whatever shares a number there: without
    its rows every other unit adds the same bits, and its own sum, clipped once as a whole, is what
    goes. So a household moves the result by at most clip_norm * (1 + 1e-4), where clipping client
    by client would move it by the number of its clients times as much (the triangle inequality).

    Args:
        features: float32[n, inputs], sensitive; n may be 0. Beyond ±2**20 they count as ±2**20.
            Packed rows are unpacked in every step: slower, and less than half the memory, if each
            is a client.
        labels: float32[n], as ``models.objectives`` says, sensitive. The caller drops rows without
            a label, and clips counts to a public cap and amounts to public bounds.
        architecture: the network's shape and objective, public.
        clip_norm: bound C on a client's gradient norm, public, > 0.
        clients: int32[n], the same number for rows of the same client, at most 96 of them,
            sensitive; None says that each row is a client.

    Returns:
        a function of the weights float64[d], public, that returns the sum float64[d], both in the
        order of ``models.parameters``; it refuses weights of another shape (WrongShape), that are
        not finite (NotFinite) or beyond ±2**20 (InvalidSetting), whatever the rows. The sum is
        sensitive until noise is added. It keeps the packed rows, or a copy of others, and works
        in one thread at a time.

    Raises:
        InvalidSetting: clip_norm is not positive and finite.
        WrongShape: the features do not fit the network, or the labels do not fit the features.
        NotFinite: a feature is NaN or infinite.
        LabelInvalid: a label is not one that the objective can learn.
        TooManyRows: a client has more than 96 rows.
    """
    if not (math.isfinite(clip_norm) and clip_norm > 0):
        raise InvalidSetting(name="clip_norm", value=clip_norm, allowed="a positive number")
    check_rows(features, labels, architecture)
    if isinstance(features, Packed) and clients is not None:
        features = features.rows()
    with torch.inference_mode():
        blocks = _blocks(features, labels, architecture, members_of(clients, len(labels)))

    @torch.inference_mode()
    def clipped_sum(weights: Vector) -> Vector:
        layers, product = _layers(architecture, weights), product_for(architecture)
        sums = [torch.zeros(layer.forward.shape, dtype=torch.float64) for layer in layers]
        for block, space in blocks:
            clip_block(
                block, layers, architecture.objective, clip_norm, space=space, product=product
            )
            for total, clipped, inputs in zip(sums, space.clipped, space.inputs, strict=True):
                total.addmm_(clipped, inputs.T)
        parts = [part for total in sums for part in (total[:, :-1].reshape(-1), total[:, -1])]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    return clipped_sum


def check_rows(features: Features | Packed, labels: Labels, architecture: Architecture) -> None:
    """Refuse rows that no gradient may be taken of; nothing about a row is said in the error.

    Args:
        features: float32[n, inputs], sensitive.
        labels: float32[n], sensitive.
        architecture: public.

    Raises:
        WrongShape: the features do not fit the network, or the labels do not fit the features.
        NotFinite: a feature is NaN or infinite.
        LabelInvalid: a label is not one that the objective can learn.
    """
    if not isinstance(features, Packed):
        check_features(features, inputs=architecture.inputs)
    elif features.shape[1] != architecture.inputs:
        raise WrongShape(what="features", needed=f"rows of {architecture.inputs} numbers")
    if labels.shape != features.shape[:1]:
        raise WrongShape(what="labels", needed="one label for each row of the features")
    check_labels(labels, objective=architecture.objective, outputs=architecture.outputs)


def check_features(features: Features, *, inputs: int) -> None:
    """Refuse features that do not fit the network or are not finite.

    Raises:
        WrongShape: the features are not rows of ``inputs`` numbers.
        NotFinite: a feature is NaN or infinite.
    """
    if features.ndim != 2 or features.shape[1] != inputs:  # noqa: PLR2004 - rows and columns
        raise WrongShape(what="features", needed=f"rows of {inputs} numbers")
    if not np.isfinite(features).all():
        raise NotFinite(what="features", advice="fill what is missing before training")


def _blocks(
    features: Features | Packed,
    labels: Labels,
    architecture: Architecture,
    members: Sequence[npt.NDArray[np.int64]],
) -> list[tuple[Block, Space]]:
    """The rows as columns, block by block; the last block has the least width that fits."""
    allowed, product = widths(architecture), product_for(architecture)
    spaces: dict[int, Space] = {}
    blocks = []
    for slots, clients in ((table.shape[1], table) for table in members):
        most = allowed[-1] // slots
        for start in range(0, len(clients), most):
            some = clients[start : start + most]
            columns = next(width for width in allowed if width >= len(some) * slots)
            if columns not in spaces:
                spaces[columns] = space_for(architecture, columns)
            places = np.full((slots, columns // slots), ABSENT)
            places[:, : len(some)] = some.T
            rows, targets, present = _columns(features, labels, architecture, places.reshape(-1))
            block = block_of(rows, targets, present, product, slots=slots)
            blocks.append((block, spaces[columns]))
    return blocks


def _columns(
    features: Features | Packed,
    labels: Labels,
    architecture: Architecture,
    places: npt.NDArray[np.int64],
) -> tuple[Tensor | Packed, Tensor, Tensor]:
    """Features, targets and presence of the rows at these places, a column each."""
    absent = torch.from_numpy(places == ABSENT)
    classes = torch.from_numpy(labels[places].astype(np.float32, copy=False))
    classes[absent] = 0
    present = (~absent).float().unsqueeze(0)
    targets = targets_of(classes, architecture).mul_(present)
    if isinstance(features, Packed):  # a client each: their rows are side by side
        return features.columns(int(places[0]), int(places.max()) + 1), targets, present
    rows = torch.from_numpy(features[places].astype(np.float32, copy=False))
    rows = rows.clamp_(-LARGEST, LARGEST)
    rows[absent] = 0
    return rows.T, targets, present


def _layers(architecture: Architecture, weights: Vector) -> list[Weights]:
    """The weights in single precision, layer by layer; refused if a sum could overflow there."""
    check_vector(weights, size(architecture))
    largest = float(np.abs(weights).max())
    if largest > LARGEST:
        raise InvalidSetting(
            name="the largest weight",
            value=largest,
            allowed=f"at most {LARGEST:.0f}: lower the learning rate",
        )
    vector = torch.from_numpy(weights.astype(np.float32))
    layers = []
    start = 0
    for inputs, outputs in layer_sizes(architecture):
        middle, stop = start + outputs * inputs, start + outputs * (inputs + 1)
        weight, bias = vector[start:middle].view(outputs, inputs), vector[middle:stop]
        layers.append(weights_of(torch.cat([weight, bias.unsqueeze(1)], dim=1)))
        start = stop
    return layers
