"""How well a model ranks and how honest its probabilities are, from two noisy histograms of scores.

Pure arithmetic on what has been released already, so it costs nothing more. No torch here.

All intervals are for what the exact histograms would give: they cover the noise of the counts, not
the chance that brought these clients rather than others. They use that the noise of a count is
normal with a known standard error, and are 95 % each by itself. The intervals of AUC and KS are by
the delta method (van der Vaart 1998, "Asymptotic statistics", theorem 3.1); no random numbers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import InvalidSetting, NotFinite, WrongShape
from models.ratios import LEAST, TOLD_FROM_NOTHING, Interval, Z, fieller

Counts = npt.NDArray[np.float64]

UNKNOWN: Interval = (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPoint:
    """The clients of one bin of scores: what they were told and what came true.

    Attributes:
        score: the middle of the bin.
        share: of all clients, in [0, 1].
        rate: of positives among them, in [0, 1].
        rate_interval: within [0, 1].
    """

    score: float
    share: float
    rate: float
    rate_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What two histograms say about a model; as public as they are. All numbers are in [0, 1].

    Attributes:
        auc: area under the ROC curve, a pair within a bin counting half.
        ks: the largest distance between the two distributions of scores, at the edges.
        calibration: a point for each bin in which any client is left after the noise.
        calibration_error: the expected one, Σ share |rate - score|; between the middle of a bin and
            the scores in it lies up to half a bin's width, which is not seen.
        auc_interval, ks_interval, calibration_error_interval: UNKNOWN if a class can hardly be told
            from an empty one.
    """

    auc: float
    auc_interval: Interval
    ks: float
    ks_interval: Interval
    calibration: tuple[CalibrationPoint, ...]
    calibration_error: float
    calibration_error_interval: Interval


def metrics_of(
    positives: Counts, negatives: Counts, *, edges: Counts, count_error: float
) -> Metrics:
    """AUC, KS and calibration of scores that were counted by bin and class, with noise.

    Args:
        positives: float64[b], released counts of clients with label 1 by score, lowest first; may
            be negative, for the noise.
        negatives: float64[b], those with label 0.
        edges: float64[b + 1], public, rising, within [0, 1].
        count_error: standard error of each count, public, >= 0.

    Raises:
        WrongShape: the histograms and the edges do not fit each other.
        NotFinite: a count or an edge is NaN or infinite.
        InvalidSetting: the edges do not rise within [0, 1], or count_error is negative or not
            finite.
    """
    _check(positives, negatives, edges, count_error)
    least = max(TOLD_FROM_NOTHING * count_error * len(positives) ** 0.5, LEAST)
    auc = ks = (0.5, UNKNOWN)
    calibration_error = (0.0, UNKNOWN)
    if min(positives.sum(), negatives.sum()) > least:
        auc = _auc(positives, negatives, count_error)
        ks = _ks(positives, negatives, count_error)
        calibration_error = _calibration_error(positives, negatives, edges, count_error)
    return Metrics(
        auc=auc[0],
        auc_interval=auc[1],
        ks=ks[0],
        ks_interval=ks[1],
        calibration=_calibration(positives, negatives, edges, count_error),
        calibration_error=calibration_error[0],
        calibration_error_interval=calibration_error[1],
    )


def _auc(positives: Counts, negatives: Counts, count_error: float) -> tuple[float, Interval]:
    """The share of pairs ranked rightly; a count weighs by how far its bin is from the average."""
    ones, zeros = positives.sum(), negatives.sum()
    below = (np.cumsum(negatives) - negatives / 2) / zeros
    above = 1 - (np.cumsum(positives) - positives / 2) / ones
    area = float(positives @ below / ones)
    by_ones, by_zeros = (below - area) / ones, (above - area) / zeros
    return _around(area, count_error * float(np.sqrt(by_ones @ by_ones + by_zeros @ by_zeros)))


def _ks(positives: Counts, negatives: Counts, count_error: float) -> tuple[float, Interval]:
    """The largest distance, and the error of the distance at that edge.

    The noise may choose another edge than the exact histograms would, where the distance is less
    but seems more: with little noise the two are as good as equal there.
    """
    of_ones = np.cumsum(positives) / positives.sum()
    of_zeros = np.cumsum(negatives) / negatives.sum()
    bins = len(positives)
    edge = int(np.abs(of_zeros - of_ones).argmax())
    variance = sum(
        ((edge + 1) * (1 - part[edge]) ** 2 + (bins - edge - 1) * part[edge] ** 2) / total**2
        for part, total in ((of_ones, positives.sum()), (of_zeros, negatives.sum()))
    )
    return _around(
        float(abs(of_zeros[edge] - of_ones[edge])), count_error * float(np.sqrt(variance))
    )


def _calibration(
    positives: Counts, negatives: Counts, edges: Counts, count_error: float
) -> tuple[CalibrationPoint, ...]:
    ones, zeros = positives.clip(0), negatives.clip(0)
    everybody = ones + zeros
    return tuple(
        CalibrationPoint(
            score=float(edges[i] + edges[i + 1]) / 2,
            share=float(everybody[i] / everybody.sum()),
            rate=float(ones[i] / everybody[i]),
            rate_interval=_rate_interval(float(positives[i]), float(negatives[i]), count_error),
        )
        for i in np.flatnonzero(everybody > 0)
    )


def _rate_interval(ones: float, zeros: float, count_error: float) -> Interval:
    """The rates that the noise leaves likely; everything, where the bin holds too few."""
    noise = (Z * count_error) ** 2
    found = fieller(ones, ones + zeros, (noise, noise, 2 * noise))
    return UNKNOWN if found is None else (_within(found[0]), _within(found[1]))


def _calibration_error(
    positives: Counts, negatives: Counts, edges: Counts, count_error: float
) -> tuple[float, Interval]:
    """The distances Σ |x|, x = positives (1 - score) - negatives score, per client.

    Noise makes distances where there are none: x = m + e with |m| the exact one. The estimate takes
    the noise's share out of each square. The interval covers at least 95 %, since
    Σ|m| - e·sign(m) <= Σ|x| <= Σ|m| + Σ|e|: the first is normal around Σ|m|, and Σ|e| is close to
    normal around its mean, a half-normal one each. The noise of the number of clients is neglected.
    """
    scores = (edges[:-1] + edges[1:]) / 2
    apart = np.abs(positives * (1 - scores) - negatives * scores)
    errors = count_error * np.hypot(1 - scores, scores)
    everybody = float(positives.sum() + negatives.sum())
    spread = Z * float(np.sqrt(errors @ errors))
    excess = (2 / np.pi) ** 0.5 * float(errors.sum()) + (1 - 2 / np.pi) ** 0.5 * spread
    low = _within((float(apart.sum()) - excess) / everybody)
    high = _within((float(apart.sum()) + spread) / everybody)
    estimate = float(np.sqrt((apart**2 - errors**2).clip(0)).sum()) / everybody
    return min(max(estimate, low), high), (low, high)


def _around(value: float, error: float) -> tuple[float, Interval]:
    return _within(value), (_within(value - Z * error), _within(value + Z * error))


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _check(positives: Counts, negatives: Counts, edges: Counts, count_error: float) -> None:
    if positives.ndim != 1 or len(positives) == 0 or negatives.shape != positives.shape:
        raise WrongShape(what="histograms", needed="two rows of the same number of bins")
    if edges.shape != (len(positives) + 1,):
        raise WrongShape(what="edges", needed="one more than there are bins")
    if not all(np.isfinite(part).all() for part in (positives, negatives, edges)):
        raise NotFinite(what="a histogram", advice="give released counts and public edges")
    if edges[0] < 0 or edges[-1] > 1 or (np.diff(edges) <= 0).any():
        raise InvalidSetting(name="edges", value=float(edges[0]), allowed="rising from 0 to 1")
    if not (np.isfinite(count_error) and count_error >= 0):
        raise InvalidSetting(
            name="count_error", value=count_error, allowed="0 or a positive number"
        )
