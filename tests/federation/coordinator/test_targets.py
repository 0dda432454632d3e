"""Several errors at once: every statistic of a question meets its own, and the sums share well."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation import layout
from federation.coordinator.desk import Desk
from federation.coordinator.question_result import question_result
from federation.coordinator.studio import solve
from federation.errors import PlanInvalid
from federation.question_plan import QuestionPlan
from tests.federation.test_studio import CATALOGUE, MEAN, POLICY, QUESTION, minted, opened


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return opened(tmp_path, POLICY)


MANY: list[dict[str, Any]] = [
    {"kind": "mean", "field": "income"},
    {"kind": "sum", "field": "income"},
    {"kind": "variance", "field": "income"},
    {"kind": "histogram", "field": "city"},
    {"kind": "quantiles", "field": "income", "depth": 3},
]
GUESS: dict[str, Any] = {"kind": "figure", "clients": 5000, "means": {"income": 3000}}
WANTED = [
    MEAN | {"clients": 5000, "within": 0.1},
    GUESS | {"statistic": "sum income", "within": 0.1, "relative": True},
    GUESS | {"statistic": "variance income", "within": 0.4, "relative": True},
    GUESS | {"statistic": "histogram city", "within": 150},
    GUESS | {"statistic": "quantile income", "within": 0.05},
]


def test_several_statistics_at_once_meet_their_errors_at_less_than_even_shares(desk: Desk) -> None:
    request = QUESTION | {"statistics": MANY, "by": []}
    found = solve(request, WANTED, desk)
    names = [p.statistic for p in found.predictions]
    assert names == ["count", *(t.get("statistic", "mean income") for t in WANTED)]
    assert all(0 < p.half_width <= p.target for p in found.predictions)
    even = found.plan.model_copy(
        update={
            "statistics": tuple(s.model_copy(update={"weight": 1.0}) for s in found.plan.statistics)
        }
    )
    missed = [
        one
        for one, wanted in zip(widths(even), found.predictions, strict=True)
        if one > wanted.target
    ]
    assert missed  # the same loss in even shares would not do


def widths(plan: QuestionPlan) -> list[float]:
    """Return the widest half width of the count and of each statistic, for 5,000 clients."""
    releases = []
    for block in layout.question_blocks(plan, CATALOGUE):
        place = 1.0 if block.field is None else (3000.0 - block.center) / block.half_width
        place = -0.6 if block.name.startswith("squares") else place  # their deviation is 1,400
        sums = np.full(block.size, round(5000 * block.scale * place / block.parts), np.int64)
        releases.append(minted(plan, block, sums))
    (row,) = question_result(plan, CATALOGUE, releases)["rows"]
    found = [row["count"]["half_width"]]
    for statistic in plan.statistics:
        entry = row[statistic.group][statistic.key]
        figures = entry if isinstance(entry, list) else [entry]
        found.append(max(f.get("rank", f.get("half_width", math.inf)) for f in figures))
    return found


@pytest.mark.parametrize(
    "target",
    [
        GUESS | {"statistic": "sum wealth", "within": 1},
        GUESS | {"statistic": "count", "within": 1},
        GUESS | {"statistic": "mean income", "within": -1},
        GUESS | {"statistic": "mean income", "within": 1, "part": 2},
    ],
)
def test_a_target_of_nothing_that_is_asked_is_refused(desk: Desk, target: dict[str, Any]) -> None:
    with pytest.raises(PlanInvalid, match="targets"):
        solve(QUESTION, [target], desk)
