"""What a model says about rows and how well it ranks them: exact, so it stays with the rows."""

import numpy as np
import numpy.typing as npt
import torch

from models.architectures import Architecture
from models.errors import LabelNotBinary, NotFinite, OneClass, WrongShape
from models.gradients import Features, check_features
from models.parameters import model_with
from models.vectors import Vector


@torch.no_grad()
def scores(architecture: Architecture, weights: Vector, features: Features) -> Vector:
    """The model's probability of label 1 for each row.

    Args:
        architecture: the network's shape, public.
        weights: float64[d] in the order of ``models.parameters``.
        features: float32[n, inputs], sensitive; n may be 0.

    Returns:
        float64[n] in [0, 1], sensitive: one number per client.

    Raises:
        WrongShape: the features or the weights do not fit the network.
        NotFinite: a feature or a weight is NaN or infinite.
    """
    model = model_with(architecture, weights)
    check_features(features, inputs=architecture.inputs)
    logits = model(torch.from_numpy(np.asarray(features, dtype=np.float64)))
    return np.asarray(torch.sigmoid(logits).squeeze(1).numpy(), dtype=np.float64)


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
        LabelNotBinary: a label is neither 0 nor 1.
        NotFinite: a score is NaN or infinite.
        OneClass: the labels hold one class only.
    """
    if labels.ndim != 1 or scores.shape != labels.shape:
        raise WrongShape(what="scores", needed="one score for each label")
    if not ((labels == 0) | (labels == 1)).all():
        raise LabelNotBinary
    if not np.isfinite(scores).all():
        raise NotFinite(what="scores", advice="evaluate a model with finite weights")
    ones = scores[labels == 1]
    zeros = np.sort(scores[labels == 0])
    if len(ones) == 0 or len(zeros) == 0:
        raise OneClass
    below = int(np.searchsorted(zeros, ones, side="left").sum())
    not_above = int(np.searchsorted(zeros, ones, side="right").sum())
    return (below + not_above) / (2 * len(ones) * len(zeros))
