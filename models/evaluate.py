"""What a model says about rows and how well it ranks them: exact, so it stays with the rows."""

from typing import assert_never

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.architectures import Architecture
from models.errors import NotFinite, OneClass, WrongShape
from models.gradients import Features, check_features
from models.objectives import LARGEST_LOG_RATE, Objective, check_labels
from models.parameters import model_with
from models.vectors import Vector


@torch.no_grad()
def scores(
    architecture: Architecture, weights: Vector, features: Features
) -> npt.NDArray[np.float64]:
    """What the model predicts for each row.

    Args:
        architecture: the network's shape and objective, public.
        weights: float64[d] in the order of ``models.parameters``.
        features: float32[n, inputs], sensitive; n may be 0.

    Returns:
        sensitive, by objective:

        * BINARY: float64[n] in [0, 1], the probability of label 1;
        * MULTICLASS, ORDINAL: float64[n, k], the probability of each class, a row adds up to 1;
        * COUNT: float64[n] in [0, 2**20], the rate;
        * AMOUNT: float64[n] in [-1, 1], the amount in the scale of the labels.

    Raises:
        WrongShape: the features or the weights do not fit the network.
        NotFinite: a feature or a weight is NaN or infinite.
    """
    found = torch.from_numpy(outputs(architecture, weights, features))
    return np.asarray(_predictions(found, architecture.objective).numpy(), dtype=np.float64)


@torch.no_grad()
def outputs(
    architecture: Architecture, weights: Vector, features: Features
) -> npt.NDArray[np.float64]:
    """What the network puts out before ``scores`` turns it into predictions, and what adds up.

    Args, errors: as ``scores``.

    Returns:
        float64[n, outputs], sensitive: logits, log-rates or amounts.
    """
    model = model_with(architecture, weights)
    check_features(features, inputs=architecture.inputs)
    found = model(torch.from_numpy(np.asarray(features, dtype=np.float64)))
    return np.asarray(found.numpy(), dtype=np.float64)


def _predictions(outputs: Tensor, objective: Objective) -> Tensor:
    match objective:
        case Objective.BINARY:
            return torch.sigmoid(outputs).squeeze(1)
        case Objective.MULTICLASS:
            return torch.softmax(outputs, dim=1)
        case Objective.ORDINAL:
            return _classes_in_order(torch.sigmoid(outputs))
        case Objective.COUNT:
            return outputs.clamp(max=LARGEST_LOG_RATE).exp().squeeze(1)
        case Objective.AMOUNT:
            return outputs.clamp(-1, 1).squeeze(1)
        case other:
            assert_never(other)


def _classes_in_order(above: Tensor) -> Tensor:
    """The probabilities of k classes from those of being above 0, 1, ... k - 2.

    The questions are answered apart, so the answers may cross; sorted they do not, and are never
    further from the truth (Chernozhukov, Fernández-Val, Galichon 2010, "Quantile and probability
    curves without crossing", proposition 4).
    """
    falling = above.sort(dim=1, descending=True).values
    certain = torch.ones(len(above), 1, dtype=above.dtype)
    return -torch.diff(falling, dim=1, prepend=certain, append=torch.zeros_like(certain))


def auc(labels: npt.NDArray[np.floating], scores: Vector) -> float:
    """Area under the ROC curve: the share of (1, 0) pairs ranked rightly, a tie counting half.

    Exact: the Mann-Whitney statistic in whole numbers, divided once at the end. Not a release.

    Args:
        labels: float[n] of 0 and 1, sensitive.
        scores: float64[n], sensitive.

    Returns:
        a number in [0, 1]; one half is chance.

    Raises:
        WrongShape: the arrays are not two rows of the same length.
        LabelInvalid: a label is neither 0 nor 1.
        NotFinite: a score is NaN or infinite.
        OneClass: the labels hold one class only.
    """
    if labels.ndim != 1 or scores.shape != labels.shape:
        raise WrongShape(what="scores", needed="one score for each label")
    check_labels(labels, objective=Objective.BINARY)
    if not np.isfinite(scores).all():
        raise NotFinite(what="scores", advice="evaluate a model with finite weights")
    ones = scores[labels == 1]
    zeros = np.sort(scores[labels == 0])
    if len(ones) == 0 or len(zeros) == 0:
        raise OneClass
    below = int(np.searchsorted(zeros, ones, side="left").sum())
    not_above = int(np.searchsorted(zeros, ones, side="right").sum())
    return (below + not_above) / (2 * len(ones) * len(zeros))


def ks(labels: npt.NDArray[np.floating], scores: Vector) -> float:
    """Kolmogorov-Smirnov distance between the scores of the two classes. Exact, not a release.

    Args:
        labels: float[n] of 0 and 1, sensitive.
        scores: float64[n], sensitive.

    Returns:
        a number in [0, 1].

    Raises:
        WrongShape, LabelInvalid, NotFinite, OneClass: as ``auc``.
    """
    auc(labels, scores)
    places = np.unique(scores)
    below = [
        np.searchsorted(np.sort(scores[labels == label]), places, side="right")
        / np.count_nonzero(labels == label)
        for label in (0, 1)
    ]
    return float(np.abs(below[0] - below[1]).max())
