"""What the asker of an evaluation reads: how good the model is. Post-processing only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation.coordinator.evaluation_figures import (
    FIGURES,
    class_figures,
    error_figures,
    order_figures,
    ranking_figures,
)
from federation.coordinator.explanation_result import influence_figures, influence_intervals
from federation.coordinator.intervals import NOT_STATED
from federation.evaluation_layout import (
    NUMBERS,
    band_edges,
    error_edges,
    evaluated,
    evaluation_tables,
    group_labels,
    score_edges,
)
from federation.evaluation_plan import EvaluationPlan
from federation.statistics.bounds import from_scale
from federation.statistics.figures import LEVEL
from models.objectives import Objective
from privacy.loss import Rho
from privacy.planning import Sharing, normal_quantile, standard_error

Json = dict[str, Any]
Counts = npt.NDArray[np.float64]

TRAINED_ON = "clients it was trained on"
HELD_OUT = "clients held out of its training"
OWN_LAYERS = "each department scored with a last layer of its own"
ONE_MODEL = "every department scored with the same weights"


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
        "scored": OWN_LAYERS if plan.training.personal else ONE_MODEL,
        "level": LEVEL,
        "counts": [float(count) for count in counts],
    }
    groups, error = group_labels(plan, catalogue), count_error(plan, catalogue)
    if plan.explain:
        figures = influence_figures(plan, catalogue, counts, error=error)
        return told | {"explain": True, "clip_norm": plan.clip_norm} | figures
    found = evaluation_tables(plan, catalogue)
    cells = np.asarray(counts, dtype=np.float64)
    if cells.shape != (found.size,) or not np.isfinite(cells).all():
        raise ValueError("not one finite count for each cell")
    parts = np.split(cells, np.cumsum(found.sizes)[:-1])
    tables = [part.reshape(shape) for part, shape in zip(parts, found.shapes, strict=True)]
    of_all = [table.sum(axis=0) for table in tables]
    of_groups = [
        {"group": label} | _figures(plan, catalogue, [table[place] for table in tables], error)
        for place, label in enumerate(groups)
    ]
    return told | {
        **_grid(plan, catalogue),
        "count_half_width": normal_quantile(LEVEL) * error,
        "everyone": _figures(plan, catalogue, of_all, error * len(groups) ** 0.5),
        "groups": [] if plan.group is None else of_groups,
    }


def count_error(plan: EvaluationPlan, catalogue: Catalogue) -> float:
    """Return the standard error of each count, in clients, as the plan has it."""
    found = evaluation_tables(plan, catalogue)
    sharing = Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )
    return standard_error(Rho(plan.rho), sharing, sensitivity=found.sensitivity, scale=found.scale)


def evaluation_intervals(
    plan: EvaluationPlan, catalogue: Catalogue, result: Mapping[str, Any]
) -> Json | str:
    """Return the intervals of an evaluation's figures over everyone, recomputed from its counts.

    Raises:
        KeyError, TypeError, ValueError: the result is not this plan's.
    """
    true = evaluation_result(plan, catalogue, result["counts"])
    if plan.explain:
        return influence_intervals(true["everyone"])
    told = true["everyone"]["metrics"]
    if "note" in told:
        return NOT_STATED
    found = {
        name: figure.get("interval", NOT_STATED)
        for name, figure in told.items()
        if isinstance(figure, dict)
    }
    return {"level": LEVEL, "each count": true["count_half_width"], **found}


def _figures(
    plan: EvaluationPlan, catalogue: Catalogue, tables: Sequence[Counts], error: float
) -> Json:
    labels = catalogue.field(plan.target).labels()
    match evaluated(plan, catalogue).objective:
        case Objective.BINARY:
            return ranking_figures(tables[0], score_edges(plan), error)
        case Objective.MULTICLASS:
            return class_figures(tables, labels, score_edges(plan), error)
        case Objective.ORDINAL:
            return order_figures(tables[0], labels, error)
        case _:
            edges, bands = error_edges(plan, catalogue), _bands(plan, catalogue)
            return error_figures(tables[0], edges, bands, error)


def _grid(plan: EvaluationPlan, catalogue: Catalogue) -> Json:
    """Say what is learned, and by which public edges it was counted."""
    objective, target = evaluated(plan, catalogue).objective, catalogue.field(plan.target)
    learns: Json = {"objective": objective.value, "figures": list(FIGURES[objective])}
    if objective not in NUMBERS:
        edges = [] if objective is Objective.ORDINAL else score_edges(plan).tolist()
        return learns | {"edges": edges}
    edges = error_edges(plan, catalogue).tolist()
    logarithms = objective is Objective.AMOUNT and target.transform == "signed_log"
    unit = "natural logarithms" if logarithms else "the target's unit"
    return learns | {"edges": edges, "error_cap": edges[-1], "errors_in": unit}


def _bands(plan: EvaluationPlan, catalogue: Catalogue) -> Counts:
    """Return the edges of the bands in the target's unit."""
    field, bands = catalogue.field(plan.target), band_edges(plan, catalogue)
    if evaluated(plan, catalogue).objective is Objective.COUNT:
        return bands
    return from_scale(field, 2 * (bands - bands[0]) / (bands[-1] - bands[0]) - 1)
