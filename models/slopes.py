"""The gradient of each objective's loss at the network's outputs.

A client is a column, as in ``models.bookkeeping``. What is computed of a column is exact in the
same way wherever it stands: single operations on its own numbers, and sums by the product that
``models.evenness`` has looked at.
"""

from collections.abc import Callable
from typing import assert_never

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from models.architectures import Architecture
from models.objectives import LARGEST_LOG_RATE, Objective

Product = Callable[[Tensor, Tensor, Tensor], None]
"""Writes (weights [o, i]) times (columns [i, r]) into the third argument [o, r]."""

LARGEST_AMOUNT = 2.0**20
"""Beyond it the squared error goes on as its tangent, so no slope overflows on its way back."""


def targets_of(labels: Tensor, architecture: Architecture) -> Tensor:
    """What the outputs are held against: float32[outputs, r], of labels float32[r].

    The signs 1 (label not above j) and -1 (above) for yes-or-no questions, a one among zeros for
    classes, the label itself for counts and amounts. Sensitive.
    """
    match architecture.objective:
        case Objective.BINARY | Objective.ORDINAL:
            thresholds = torch.arange(architecture.outputs).unsqueeze(1)
            return 1 - 2 * (labels > thresholds).float()
        case Objective.MULTICLASS:
            return one_hot(labels.long(), architecture.outputs).T.float()
        case Objective.COUNT | Objective.AMOUNT:
            return labels.unsqueeze(0)
        case other:
            assert_never(other)


def turn_into_slopes(
    outputs: Tensor,
    objective: Objective,
    *,
    targets: Tensor,
    present: Tensor,
    product: Product,
) -> None:
    """Overwrite the network's outputs float32[outputs, r] with the loss's slopes there.

    Args:
        outputs: finite; overwritten.
        objective: public.
        targets: float32[outputs, r] of ``targets_of``, 0 for padding. Sensitive.
        present: float32[1, r], 1 for a client and 0 for padding, whose slopes become 0.
        product: the matrix product to sum with.
    """
    match objective:
        case Objective.BINARY | Objective.ORDINAL:  # sigmoid(output) - (label > j)
            outputs.mul_(targets).sigmoid_().mul_(targets)
        case Objective.MULTICLASS:  # softmax(outputs) - target
            outputs.sub_(outputs.amax(dim=0, keepdim=True)).exp_()
            totals = torch.empty_like(present)
            product(torch.ones(1, len(outputs)), outputs, totals)
            outputs.div_(totals).sub_(targets).mul_(present)
        case Objective.COUNT:  # rate - count
            outputs.clamp_max_(LARGEST_LOG_RATE).exp_().sub_(targets).mul_(present)
        case Objective.AMOUNT:  # amount - label
            outputs.clamp_(-LARGEST_AMOUNT, LARGEST_AMOUNT).sub_(targets).mul_(present)
        case other:
            assert_never(other)
