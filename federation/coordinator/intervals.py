"""What an answer's figures are uncertain by: the noise alone, and with the luck of who is a client.

Recomputed from the plan and the released figures, so that a label never rests on what the answer
says about itself. All of it is public.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.catalogue import Catalogue
from federation import layout
from federation.coordinator.question_result import LEVEL
from federation.question_plan import QuestionPlan
from privacy.planning import Sharing, normal_quantile, standard_error

NOT_STATED = "not stated"
NOT_DEFINED = "not defined: the clients counted are all there are, not a sample of more"

Widths = dict[str, float | str | list[float | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Half widths by statistic: one number for all cells, or one for each row of the answer.

    A mean that was not told, for too few clients, has NOT_STATED in its place.
    """

    noise: Widths
    noise_and_sampling: Widths


def intervals_of(plan: QuestionPlan, catalogue: Catalogue, result: Mapping[str, Any]) -> Intervals:
    """Return the half widths of 95 % intervals of every figure of an answer.

    With count N and mean m told in a cell of a field with bounds l and u, and z the quantile:

    * count, noise: z sigma_N.
    * mean, noise: the delta method's, as in `results`.
    * mean, noise and sampling: sqrt(noise^2 + (z (u - l) / 2)^2 / (N - z sigma_N)), as if the
      clients were drawn at random from a larger population. No standard deviation within bounds is
      above half their distance (Popoviciu 1935), and N is taken at its lowest: it errs to the wide.
    * count, noise and sampling: NOT_DEFINED.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        result: the answer's released figures.

    Raises:
        KeyError, TypeError: the result is not this plan's.
    """
    z = normal_quantile(LEVEL)
    sharing = Sharing(
        cohort=len(plan.cohort), tolerance=plan.tolerance, departments=plan.bound.contributions
    )
    count, *totals = layout.question_blocks(plan, catalogue)
    of_count, *of_totals = (
        standard_error(
            plan.rho_per_statistic, sharing, sensitivity=block.sensitivity, scale=block.scale
        )
        for block in (count, *totals)
    )
    noise: Widths = {"count": z * of_count}
    both: Widths = {"count": NOT_DEFINED}
    for block, of_total in zip(totals, of_totals, strict=True):
        narrow: list[float | str] = []
        wide: list[float | str] = []
        for row in result["rows"]:
            mean, clients = row["means"][block.field], row["count"]["value"]
            if "value" not in mean:
                narrow.append(NOT_STATED)
                wide.append(NOT_STATED)
                continue
            ratio = (mean["value"] - block.center) / block.half_width
            spread = z * block.half_width * math.hypot(of_total, ratio * of_count) / clients
            sampling = z * block.half_width / math.sqrt(clients - z * of_count)
            narrow.append(spread)
            wide.append(math.hypot(spread, sampling))
        noise[f"mean {block.field}"], both[f"mean {block.field}"] = narrow, wide
    return Intervals(noise=noise, noise_and_sampling=both)
