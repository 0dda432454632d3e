"""What the asker of a question reads: its releases as a table. Post-processing only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from consent.catalogue import Catalogue
from federation import layout
from federation.question_plan import QuestionPlan
from federation.statistics.counting import Count
from federation.statistics.figures import LEVEL, NoisedSum, Sums
from federation.statistics.summands import COUNT
from privacy.mechanisms import Release
from privacy.planning import Sharing, standard_error

SUPPRESSED = "below the threshold of the firm's policy"


def question_result(
    plan: QuestionPlan,
    catalogue: Catalogue,
    releases: Sequence[Release],
    *,
    threshold: float = 0.0,
) -> dict[str, Any]:
    """Return what is kept of a question: the noised sums as released, and what is told of them.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        releases: one for each block of the plan's layout.
        threshold: a cell whose noised count is below it is not told; public, of the policy.
    """
    released = {one.name: one.values.tolist() for one in releases}
    told = answer(plan, sums_of(plan, catalogue, released), threshold=threshold)
    return told | {"released": released, "threshold": threshold}


def retold(plan: QuestionPlan, catalogue: Catalogue, result: Mapping[str, Any]) -> dict[str, Any]:
    """Tell a kept result again from its released sums and its threshold.

    Raises:
        KeyError, TypeError, ValueError: the result is not this plan's.
    """
    sums = sums_of(plan, catalogue, result["released"])
    return answer(plan, sums, threshold=float(result["threshold"]))


def answer(plan: QuestionPlan, sums: Sums, *, threshold: float) -> dict[str, Any]:
    """Return one row per cell: the count, and the figures of each statistic in its group.

    Counts are none negative and add up to the noised sum of all; a histogram's parts add up to
    their cell's count. A cell whose noised count is below the threshold shows a note only.
    """
    cells = layout.cell_labels(plan, sums.catalogue)
    rows: list[dict[str, Any]] = [
        {"cell": dict(zip(plan.by, cell, strict=True)), "count": count, "means": {}}
        for cell, count in zip(cells, Count().told(sums), strict=True)
    ]
    for statistic in plan.statistics:
        if not isinstance(statistic, Count):
            for row, figure in zip(rows, statistic.told(sums), strict=True):
                row.setdefault(statistic.group, {})[statistic.key] = figure
    noised = sums.plain(COUNT)[0]
    for row, count in zip(rows, noised, strict=True):
        if count < threshold:
            _suppress(row)
    return {"kind": plan.kind, "by": list(plan.by), "level": LEVEL, "rows": rows}


def sums_of(
    plan: QuestionPlan, catalogue: Catalogue, released: Mapping[str, Sequence[float]]
) -> Sums:
    """Read released sums back, with the noise that the plan says they have.

    Raises:
        KeyError, TypeError, ValueError: they are not this plan's.
    """
    sharing = Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )
    found = {}
    for block in layout.question_blocks(plan, catalogue):
        error = standard_error(block.rho, sharing, sensitivity=block.sensitivity, scale=block.scale)
        values = np.asarray(released[block.name], dtype=np.float64)
        values = values.reshape(block.size // block.parts, block.parts)
        found[block.summand] = NoisedSum(values=values, error=np.full(len(values), error))
    return Sums(catalogue=catalogue, by_summand=found)


def _suppress(row: dict[str, Any]) -> None:
    """Leave nothing of a row but its cell, its statistics' names and a note."""
    note = {"note": SUPPRESSED}
    row["count"] = note
    for group in row.keys() - {"cell", "count"}:
        row[group] = {
            key: [note] if isinstance(figure, list) else note for key, figure in row[group].items()
        }
