"""What an answer's figures are uncertain by: the noise alone, and with the luck of who is a client.

Recomputed from the plan and the released sums, so that a label never rests on what the answer says
about itself. All of it is public.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.catalogue import Catalogue
from federation.coordinator.question_result import retold, sums_of
from federation.question_plan import QuestionPlan
from federation.statistics.counting import Count
from federation.statistics.figures import Z
from federation.statistics.summands import COUNT

NOT_STATED = "not stated"

Width = Any
"""A half width, the two ends of an interval, what is said instead, or a list of these."""
Widths = dict[str, Width]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Half widths by statistic: one number for all cells, or one for each row of the answer.

    What was not told, for too few clients, has NOT_STATED in its place. A quantile's interval is
    its two ends.
    """

    noise: Widths
    noise_and_sampling: Widths


def intervals_of(plan: QuestionPlan, catalogue: Catalogue, result: Mapping[str, Any]) -> Intervals:
    """Return the half widths of 95 % intervals of every figure of an answer.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        result: the answer's released sums and its threshold.

    Raises:
        KeyError, TypeError, ValueError: the result is not this plan's.
    """
    sums = sums_of(plan, catalogue, result["released"])
    rows = retold(plan, catalogue, result)["rows"]
    noise: Widths = {"count": Z * float(sums.plain(COUNT)[1][0])}
    both: Widths = {"count": [_of_both(row["count"]) for row in rows]}
    for statistic in plan.statistics:
        if not isinstance(statistic, Count):
            figures = [row[statistic.group][statistic.key] for row in rows]
            noise[statistic.name] = [_width(one, _of_noise) for one in figures]
            both[statistic.name] = [_width(one, _of_both) for one in figures]
    return Intervals(noise=noise, noise_and_sampling=both)


def _width(figure: Any, of: Any) -> Width:  # noqa: ANN401 - any JSON, and a function of it
    return [of(one) for one in figure] if isinstance(figure, list) else of(figure)


def _of_noise(figure: Mapping[str, Any]) -> Width:
    return figure.get("half_width", _ends(figure, "low", "high"))


def _of_both(figure: Mapping[str, Any]) -> Width:
    return figure.get("overall", _ends(figure, "overall_low", "overall_high"))


def _ends(figure: Mapping[str, Any], low: str, high: str) -> Width:
    return [figure[low], figure[high]] if low in figure else NOT_STATED
