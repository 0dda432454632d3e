"""What the asker of an evaluation reads: how well the model ranks. Post-processing only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation.coordinator.explanation_result import influence_figures, influence_intervals
from federation.coordinator.intervals import NOT_STATED
from federation.evaluation_layout import CLASSES, evaluation_block, group_labels, score_edges
from federation.evaluation_plan import EvaluationPlan
from federation.statistics.figures import LEVEL, TOO_FEW
from models.calibration import UNKNOWN, Metrics, metrics_of
from privacy.loss import Rho
from privacy.planning import Sharing, normal_quantile, standard_error

Json = dict[str, Any]
Counts = npt.NDArray[np.float64]

TRAINED_ON = "clients it was trained on"
HELD_OUT = "clients held out of its training"


def evaluation_result(
    plan: EvaluationPlan, catalogue: Catalogue, counts: Sequence[float]
) -> dict[str, Any]:
    """Return the metrics over everyone and in each group, with 95 % intervals of the noise.

    Of a model that is explained it is the influences of its fields instead of metrics. Where a
    class can hardly be told from an empty one, a note stands in place of the metrics.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        counts: as released, in the order of evaluation_layout.

    Raises:
        ValueError: not one finite count for each of the plan's cells.
    """
    told = {
        "kind": plan.kind,
        "run": plan.run,
        "sha256": plan.sha256,
        "target": plan.target,
        "group": plan.group,
        "on": HELD_OUT if plan.training.holdout else TRAINED_ON,
        "level": LEVEL,
        "counts": [float(count) for count in counts],
    }
    labels, error = group_labels(plan, catalogue), count_error(plan, catalogue)
    if plan.explain:
        figures = influence_figures(plan, catalogue, counts, error=error)
        return told | {"explain": True, "clip_norm": plan.clip_norm} | figures
    cells = np.asarray(counts, dtype=np.float64).reshape(len(labels), CLASSES, plan.bins)
    if not np.isfinite(cells).all():
        raise ValueError("a count is not finite")
    edges = score_edges(plan)
    everyone = _figures(cells.sum(axis=0), edges, error * len(labels) ** 0.5)
    groups = [
        {"group": label} | _figures(part, edges, error)
        for label, part in zip(labels, cells, strict=True)
    ]
    return told | {
        "edges": edges.tolist(),
        "count_half_width": normal_quantile(LEVEL) * error,
        "everyone": everyone,
        "groups": [] if plan.group is None else groups,
    }


def count_error(plan: EvaluationPlan, catalogue: Catalogue) -> float:
    """Return the standard error of each count in clients, or of each sum, as the plan has it."""
    block = evaluation_block(plan, catalogue)
    sharing = Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )
    return standard_error(Rho(plan.rho), sharing, sensitivity=block.sensitivity, scale=block.scale)


def evaluation_intervals(
    plan: EvaluationPlan, catalogue: Catalogue, result: Mapping[str, Any]
) -> Json | str:
    """Return the intervals of an evaluation's figures, recomputed from its counts.

    Raises:
        KeyError, TypeError, ValueError: the result is not this plan's.
    """
    true = evaluation_result(plan, catalogue, result["counts"])
    if plan.explain:
        return influence_intervals(true["everyone"])
    told = true["everyone"]["metrics"]
    if "note" in told:
        return NOT_STATED
    names = ("auc", "ks", "calibration_error")
    half_width = {"each count": true["count_half_width"]}
    return {"level": LEVEL, **half_width, **{name: told[name]["interval"] for name in names}}


def _figures(cells: Counts, edges: Counts, error: float) -> Json:
    negatives, positives = cells
    spread = normal_quantile(LEVEL) * error * len(positives) ** 0.5
    found = metrics_of(positives, negatives, edges=edges, count_error=error)
    return {
        "clients": {"value": float(cells.sum()), "half_width": spread * CLASSES**0.5},
        "positives": {"value": float(positives.sum()), "half_width": spread},
        "metrics": {"note": TOO_FEW} if found.auc_interval == UNKNOWN else _plain(found),
    }


def _plain(found: Metrics) -> Json:
    return {
        "auc": {"value": found.auc, "interval": list(found.auc_interval)},
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
