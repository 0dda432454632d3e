"""What the tables of an evaluation say of a model, over some clients. Public numbers, JSON values.

A figure is ``{"value", "interval"}``, the interval 95 % of the noise, or ``{"note"}`` where too few
clients stand behind it. What a model learns decides which figures there are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.statistics.figures import LEVEL, TOO_FEW
from models.calibration import UNKNOWN, Metrics, metrics_of
from models.objectives import Objective
from models.ratios import Figure, mean, share
from privacy.planning import normal_quantile

Json = dict[str, Any]
Counts = npt.NDArray[np.float64]

_ERRORS = ("mean_absolute_error", "root_mean_squared_error", "mean_error")
FIGURES: Mapping[Objective, tuple[str, ...]] = {
    Objective.BINARY: ("auc", "ks", "calibration_error"),
    Objective.MULTICLASS: ("accuracy", "macro_auc"),
    Objective.ORDINAL: ("accuracy", "within_one", "level_error"),
    Objective.COUNT: _ERRORS,
    Objective.AMOUNT: _ERRORS,
}
"""Which figures there are over everyone and in each group, the first one before the others."""


def ranking_figures(counts: Counts, edges: Counts, error: float) -> Json:
    """Tell how well scores rank yes above no, and how often they come true.

    Args:
        counts: float64 [2, bins]: the clients of label 0 by score, then those of label 1.
        edges: float64 [bins + 1], of the scores.
        error: standard error of each count.
    """
    negatives, positives = counts
    found = metrics_of(positives, negatives, edges=edges, count_error=error)
    return {
        "clients": _number(counts, error),
        "positives": _number(positives, error),
        "metrics": {"note": TOO_FEW} if found.auc_interval == UNKNOWN else _plain(found),
    }


def class_figures(
    tables: Sequence[Counts], labels: Sequence[str], edges: Counts, error: float
) -> Json:
    """Tell how often the right class is predicted, which classes are, and how well each ranks.

    Args:
        tables: float64 [k, k], clients by true and by predicted class; then, for each class, what
            ``ranking_figures`` takes.
        labels: of the k classes.
        edges: of the scores.
        error: standard error of each count.
    """
    confusion, *scores = tables
    ranked = [metrics_of(ones, zeros, edges=edges, count_error=error) for zeros, ones in scores]
    classes = [
        one | {"auc": _auc(found)}
        for one, found in zip(_classes(confusion, labels, error), ranked, strict=True)
    ]
    accuracy = share(
        confusion.ravel(),
        np.eye(len(labels)).ravel(),
        np.ones(confusion.size),
        count_error=error,
    )
    metrics = {"accuracy": _told(accuracy), "macro_auc": _macro(ranked), "classes": classes}
    return {
        "clients": _number(confusion, error),
        "metrics": {"note": TOO_FEW} if accuracy is None else metrics,
    }


def order_figures(confusion: Counts, labels: Sequence[str], error: float) -> Json:
    """Tell how far the predicted level is from the true one.

    Args:
        confusion: float64 [k, k], clients by true and by predicted class.
        labels: of the k classes, in order.
        error: standard error of each count.
    """
    levels, everybody = np.arange(len(labels)), np.ones(confusion.size)
    apart = np.abs(levels[:, np.newaxis] - levels).ravel().astype(np.float64)
    counts, most = confusion.ravel(), float(len(labels) - 1)
    level_error = mean(
        counts, (apart, apart, apart), everybody, count_error=error, within=(0.0, most)
    )
    metrics = {
        "accuracy": _told(share(counts, 1.0 * (apart == 0), everybody, count_error=error)),
        "within_one": _told(share(counts, 1.0 * (apart <= 1), everybody, count_error=error)),
        "level_error": _told(level_error),
        "classes": _classes(confusion, labels, error),
    }
    return {
        "clients": _number(confusion, error),
        "metrics": {"note": TOO_FEW} if level_error is None else metrics,
    }


def error_figures(counts: Counts, edges: Counts, bands: Counts, error: float) -> Json:
    """Tell how far predictions are from what came true, and which way in each band of them.

    Args:
        counts: float64 [bands, bins], clients by band of the prediction and by error, true minus
            predicted.
        edges: float64 [bins + 1], of the errors.
        bands: float64 [bands + 1], edges of the predictions, in the target's unit.
        error: standard error of each count.
    """
    low, high = edges[:-1], edges[1:]
    near, far = np.minimum(np.abs(low), np.abs(high)), np.maximum(np.abs(low), np.abs(high))
    largest = float(edges[-1])
    squares = (near**2, (near**2 + near * far + far**2) / 3, far**2)
    signed, sizes = (low, (low + high) / 2, high), (near, (near + far) / 2, far)
    by_error = counts.sum(axis=0)

    def averaged(
        weights: tuple[Counts, Counts, Counts], least: float, most: float
    ) -> Figure | None:
        many = error * len(counts) ** 0.5
        everybody = np.ones(len(by_error))
        return mean(by_error, weights, everybody, count_error=many, within=(least, most))

    size, square = averaged(sizes, 0.0, largest), averaged(squares, 0.0, largest**2)
    if size is None or square is None:
        return {"clients": _number(counts, error), "metrics": {"note": TOO_FEW}}
    root = Figure(value=square.value**0.5, low=square.low**0.5, high=square.high**0.5)
    metrics = {
        "mean_absolute_error": _told(size),
        "root_mean_squared_error": _told(root),
        "mean_error": _told(averaged(signed, -largest, largest)),
        "bands": [
            {
                "from": float(bands[place]),
                "to": float(bands[place + 1]),
                "clients": _number(of_band, error),
                "mean_error": _told(
                    mean(
                        of_band,
                        signed,
                        np.ones(len(of_band)),
                        count_error=error,
                        within=(-largest, largest),
                    )
                ),
            }
            for place, of_band in enumerate(counts)
        ],
    }
    return {"clients": _number(counts, error), "metrics": metrics}


def _classes(confusion: Counts, labels: Sequence[str], error: float) -> list[Json]:
    """Tell of each class whom it finds (recall) and who it is said of rightly (precision)."""
    found = []
    for place, label in enumerate(labels):
        right, true, said = (np.zeros(confusion.shape) for _ in range(3))
        right[place, place] = true[place] = said[:, place] = 1.0
        figures = {
            name: _told(share(confusion.ravel(), right.ravel(), among.ravel(), count_error=error))
            for name, among in (("precision", said), ("recall", true))
        }
        found.append({"class": label, "clients": _number(confusion[place], error)} | figures)
    return found


def _macro(ranked: Sequence[Metrics]) -> Json:
    """Tell the mean of the classes' AUC: their tables have noise of their own each.

    Half widths add up as roots of squares; one cut off at 0 or 1 counts as wide as its other side.
    """
    if any(one.auc_interval == UNKNOWN for one in ranked):
        return {"note": TOO_FEW}
    value = float(np.mean([one.auc for one in ranked]))
    wide = [max(one.auc - one.auc_interval[0], one.auc_interval[1] - one.auc) for one in ranked]
    half = float(np.hypot.reduce(wide)) / len(ranked)
    return {"value": value, "interval": [max(value - half, 0.0), min(value + half, 1.0)]}


def _auc(found: Metrics) -> Json:
    if found.auc_interval == UNKNOWN:
        return {"note": TOO_FEW}
    return {"value": found.auc, "interval": list(found.auc_interval)}


def _number(counts: Counts, error: float) -> Json:
    spread = normal_quantile(LEVEL) * error * counts.size**0.5
    return {"value": float(counts.sum()), "half_width": spread}


def _told(figure: Figure | None) -> Json:
    if figure is None:
        return {"note": TOO_FEW}
    return {"value": figure.value, "interval": [figure.low, figure.high]}


def _plain(found: Metrics) -> Json:
    return {
        "auc": _auc(found),
        "ks": {"value": found.ks, "interval": list(found.ks_interval)},
        "calibration_error": {
            "value": found.calibration_error,
            "interval": list(found.calibration_error_interval),
        },
        "calibration": [
            {
                "score": point.score,
                "share": point.share,
                "rate": point.rate,
                "interval": list(point.rate_interval),
            }
            for point in found.calibration
        ],
    }
