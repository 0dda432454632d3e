"""Whether two answers to one question differ by more than their noise. Pure; of releases only."""

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Any

from federation.statistics.figures import Z

Change = dict[str, Any]


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], *, false_alarm_rate: float
) -> list[Change]:
    """Return the figures that changed, with z, of all that both answers tell.

    Each difference is divided by the deviation of both noises, which are known and normal. With m
    figures compared, each is tested at false_alarm_rate / m (Bonferroni): if nothing changed, any
    is listed at most once in 1 / false_alarm_rate. The noise alone is tested: a listed change is
    one of the very clients who were counted, whatever made it.

    Args:
        before: an earlier answer's rows.
        after: a later answer's, of the same question.
        false_alarm_rate: strictly between 0 and 1; for all figures of this pair together.
    """
    old = dict(_figures(before))
    pairs = [(name, old[name], new) for name, new in _figures(after) if name in old]
    if not pairs:
        return []
    least = NormalDist().inv_cdf(1 - false_alarm_rate / (2 * len(pairs)))
    found = []
    for name, (was, was_error), (now, error) in pairs:
        deviation = math.hypot(was_error, error)
        z = (now - was) / deviation if deviation else 0.0
        if abs(z) >= least:
            found.append({"figure": name, "before": was, "after": now, "z": z})
    return found


def _figures(result: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, float]]]:
    """Name every figure with a symmetric privacy interval; give its value and deviation."""
    for row in result["rows"]:
        cell = ", ".join(row["cell"].values()) or "all"
        for group in sorted(row.keys() - {"cell"}):
            entries = {"": row[group]} if group == "count" else row[group]
            for key, entry in entries.items():
                for figure in entry if isinstance(entry, list) else [entry]:
                    if "half_width" in figure:
                        parts = (cell, group, key, str(figure.get("label", "")))
                        name = " · ".join(part for part in parts if part)
                        yield name, (figure["value"], figure["half_width"] / Z)
