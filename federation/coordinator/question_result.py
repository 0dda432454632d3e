"""What the asker of a question reads: its releases as a table. Post-processing only."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation import layout
from federation.question_plan import QuestionPlan
from privacy.mechanisms import Release

LEVEL = 0.95
TOO_FEW = "too few clients to tell"


def question_result(
    plan: QuestionPlan, catalogue: Catalogue, releases: Sequence[Release]
) -> dict[str, Any]:
    """Return one row per cell: the count, each mean, and their 95 % intervals of the noise.

    A mean is N-weighted noise over noise: with total T and count N both noised, its half width is
    the delta method's, z·√(σ_T² + (T/N)²·σ_N²)/N. Where the noised count is within its own interval
    of zero, or the mean's interval is as wide as the field's bounds, the mean says nothing and a
    note stands in its place.
    """
    count, *totals = releases
    blocks = layout.question_blocks(plan, catalogue)
    cells = layout.cell_labels(plan, catalogue)
    rows: list[dict[str, Any]] = [
        {
            "cell": dict(zip(plan.by, cell, strict=True)),
            "count": _figure(value, count.interval(LEVEL)),
            "means": {},
        }
        for cell, value in zip(cells, count.values, strict=True)
    ]
    for block, total in zip(blocks[1:], totals, strict=True):
        values, widths = _means(block, total, count)
        for row, value, width in zip(rows, values, widths, strict=True):
            told = bool(np.isfinite(value)) and width < block.half_width
            row["means"][block.field] = _figure(value, width) if told else {"note": TOO_FEW}
    return {"kind": plan.kind, "by": list(plan.by), "level": LEVEL, "rows": rows}


def _means(
    block: layout.Block, total: Release, count: Release
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    clients = np.where(count.values > count.interval(LEVEL), count.values, np.nan)
    ratio = np.clip(total.values / clients, -1.0, 1.0)
    z = count.interval(LEVEL) / count.standard_error
    spread = np.hypot(total.standard_error, ratio * count.standard_error) / clients
    return block.center + block.half_width * ratio, z * block.half_width * spread


def _figure(value: float, half_width: float) -> dict[str, float]:
    return {"value": float(value), "half_width": float(half_width)}
