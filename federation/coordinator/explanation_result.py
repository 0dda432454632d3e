"""What the asker of an explained model reads: how far each field moves its scores, on average.

Post-processing only. A field's influence on a client is the absolute share that it adds to the
model's output, as an explanation of this client would show it (`models/explain.py`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from consent.catalogue import Catalogue
from federation.coordinator.intervals import NOT_STATED
from federation.evaluation_layout import group_labels
from federation.evaluation_plan import COUNT_WEIGHT, EvaluationPlan
from federation.statistics.figures import LEVEL, TOO_FEW
from models.ratios import TOLD_FROM_NOTHING, Z, fieller
from privacy.lattice import RealVector
from privacy.planning import normal_quantile

Json = dict[str, Any]


def influence_figures(
    plan: EvaluationPlan, catalogue: Catalogue, sums: Sequence[float], *, error: float
) -> Json:
    """Return each field's mean influence over everyone and in each group, with 95 % intervals.

    The means are those of influences clipped together to the plan's ``clip_norm``. Where a group
    can hardly be told from an empty one, a note stands in their place.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        sums: as released, in the order of evaluation_layout.
        error: standard error of each sum.

    Raises:
        ValueError: not one finite sum for each of the plan's cells.
    """
    labels = group_labels(plan, catalogue)
    cells = np.asarray(sums, dtype=np.float64).reshape(len(labels), -1)
    if cells.shape[1] != len(plan.training.features) + 1 or not np.isfinite(cells).all():
        raise ValueError("not one finite sum for each field and the count")
    everyone = _figures(plan, cells.sum(axis=0), error * len(labels) ** 0.5)
    groups = [
        {"group": label} | _figures(plan, part, error)
        for label, part in zip(labels, cells, strict=True)
    ]
    return {"everyone": everyone, "groups": [] if plan.group is None else groups}


def influence_intervals(everyone: Json) -> Json | str:
    """Return the interval of each field's mean influence over everyone, by its name."""
    told = everyone["influences"]
    if isinstance(told, dict):
        return NOT_STATED
    return {"level": LEVEL, **{one["label"]: one["interval"] for one in told}}


def _figures(plan: EvaluationPlan, sums: RealVector, error: float) -> Json:
    of_a_client = COUNT_WEIGHT * plan.clip_norm
    clients, count_error = float(sums[-1]) / of_a_client, error / of_a_client
    told: Json | list[Json] = {"note": TOO_FEW}
    if clients > TOLD_FROM_NOTHING * count_error:
        told = [
            {
                "label": name,
                "value": min(max(float(total) / clients, 0.0), plan.clip_norm),
                "interval": _interval(float(total), clients, error, count_error, plan.clip_norm),
            }
            for name, total in zip(plan.training.features, sums, strict=False)
        ]
    half_width = normal_quantile(LEVEL) * count_error
    return {"clients": {"value": clients, "half_width": half_width}, "influences": told}


def _interval(
    total: float, clients: float, error: float, count_error: float, most: float
) -> list[float]:
    """The means m for which total − m·clients is no more than its own noise from 0."""
    found = fieller(total, clients, ((Z * error) ** 2, 0.0, (Z * count_error) ** 2))
    return [min(max(end, 0.0), most) for end in found or (0.0, most)]
