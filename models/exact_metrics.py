"""How good a model is on rows whose labels are at hand: exact, so it stays with the rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.calibration import CalibrationPoint, metrics_of
from models.errors import OneClass
from models.evaluate import auc, ks
from models.vectors import Vector

BINS = 10

Labels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryMetrics:
    """Of a model of yes or no. SENSITIVE: exact figures of a department's own clients.

    auc, ks: None if there is one class only. rate: of label 1. mean_score: the mean probability.
    calibration: a point for each tenth of the probabilities that has clients in it.
    calibration_error: over these tenths, the share of clients times |rate - mean probability|.
    """

    clients: int
    rate: float
    mean_score: float
    auc: float | None
    ks: float | None
    calibration: tuple[CalibrationPoint, ...]
    calibration_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMetrics:
    """Of a model of classes, counts or amounts. SENSITIVE, as above.

    right: the share whose class has the highest probability; None unless it predicts classes.
    error: the mean distance between prediction and label, classes counted in steps.
    error_of_the_middle: that of always predicting the median label, to compare with.
    """

    clients: int
    right: float | None
    error: float
    error_of_the_middle: float


def binary_metrics(labels: Labels, scores: Vector) -> BinaryMetrics:
    """Judge the probabilities of label 1.

    Args:
        labels: float32[n] of 0 and 1, n at least 1; sensitive.
        scores: float64[n] in [0, 1]; sensitive.

    Raises:
        WrongShape, LabelInvalid, NotFinite: the arrays do not fit.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    ones, zeros = (
        np.histogram(scores[labels == label], bins=edges)[0].astype(np.float64) for label in (1, 0)
    )
    binned = metrics_of(ones, zeros, edges=edges, count_error=0.0)
    try:
        ranking: tuple[float | None, float | None] = (auc(labels, scores), ks(labels, scores))
    except OneClass:
        ranking = (None, None)
    return BinaryMetrics(
        clients=len(labels),
        rate=float(labels.mean()),
        mean_score=float(scores.mean()),
        auc=ranking[0],
        ks=ranking[1],
        calibration=binned.calibration,
        calibration_error=_calibration_error(labels, scores, edges),
    )


def _calibration_error(labels: Labels, scores: Vector, edges: Vector) -> float:
    """The expected one: over the bins, the share of clients times |rate - mean score|."""
    bins = np.minimum(np.searchsorted(edges, scores, side="right") - 1, BINS - 1)
    missed = np.bincount(bins, weights=labels - scores, minlength=BINS)
    return float(np.abs(missed).sum() / len(labels))


def other_metrics(labels: Labels, predictions: Vector) -> OtherMetrics:
    """Judge probabilities of classes float64[n, k], or rates or amounts float64[n]; n >= 1."""
    classes = predictions.ndim > 1
    found = predictions.argmax(axis=1) if classes else predictions
    return OtherMetrics(
        clients=len(labels),
        right=float((found == labels).mean()) if classes else None,
        error=float(np.abs(found - labels).mean()),
        error_of_the_middle=float(np.abs(np.median(labels) - labels).mean()),
    )
