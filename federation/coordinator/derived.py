"""Questions that a stored release answers already: post-processing, so they cost nothing.

A release answers a question about the very same clients: those whose same fields are open and
present. A cell of the question is a union of the release's cells: sums add up, and so does noise.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np

from consent.catalogue import Catalogue
from federation import layout
from federation.coordinator.question_result import answer, sums_of
from federation.coordinator.runs import Run
from federation.errors import PlanInvalid
from federation.plans import AnyPlan, read_plan
from federation.question_plan import QuestionPlan
from federation.statistics.figures import NoisedSum, Sums

WIDER = 3.0
"""A stored release answers if its noise is at most so many times as wide as a fresh answer's, and
it cost no less: who offers more ρ than it had asks afresh."""

_SAME = {"statistics", "by", "where", "rho", "reason"}
"""What may differ between a question and the release that answers it."""


def answered_by(
    plan: AnyPlan, runs: Iterable[Run], catalogue: Catalogue, *, threshold: float
) -> tuple[Run, dict[str, Any]] | None:
    """Return the first released run that answers a plan, and what it tells of it.

    Args:
        plan: what is asked; only a question can be answered so.
        runs: released ones that stand now, the preferred first.
        catalogue: the one that the plan names.
        threshold: of the policy, below which a cell is not told.
    """
    if not isinstance(plan, QuestionPlan):
        return None
    for run in runs:
        try:
            stored = read_plan(run.plan)
        except PlanInvalid:
            continue
        if isinstance(stored, QuestionPlan) and run.result is not None:
            sums = derived_sums(plan, stored, catalogue, run.result.get("released", {}))
            if sums is not None:
                return run, answer(plan, sums, threshold=threshold)
    return None


def derived_sums(
    plan: QuestionPlan,
    stored: QuestionPlan,
    catalogue: Catalogue,
    released: Mapping[str, Any],
) -> Sums | None:
    """Return a question's sums from a release's, with their own noise, or None if it has them not.

    A sum over k cells has √k times the noise of one. The release's cells must be cut at least as
    finely as the question's and its conditions', and hold all its sums.
    """
    if (
        plan.model_dump(exclude=_SAME) != stored.model_dump(exclude=_SAME)
        or plan.rho > stored.rho
        or not {summand.name for summand in plan.sums} <= released.keys()
        or plan.fields != stored.fields
        or plan.short is not None
        or not set(plan.sums) <= set(stored.sums)
        or not set(plan.by) <= set(stored.by)
        or not _cut_finely_enough(plan, stored, catalogue)
    ):
        return None
    place = _cell_of_cell(plan, stored, catalogue)
    held = sums_of(stored, catalogue, released).by_summand
    cells = len(layout.cell_labels(plan, catalogue))
    found = {}
    for summand in plan.sums:
        values = np.zeros((cells, held[summand].values.shape[1]))
        variance = np.zeros(cells)
        inside = place >= 0
        np.add.at(values, place[inside], held[summand].values[inside])
        np.add.at(variance, place[inside], held[summand].error[inside] ** 2)
        found[summand] = NoisedSum(values=values, error=np.sqrt(variance))
    fresh = sums_of(plan, catalogue, _nothing(plan, catalogue)).by_summand
    if any((found[s].error > WIDER * fresh[s].error).any() for s in plan.sums):
        return None
    return Sums(catalogue=catalogue, by_summand=found)


def _kept(plan: QuestionPlan, name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the labels of a field that a plan's conditions keep."""
    kept = {condition.field: condition.one_of for condition in plan.where}
    return kept.get(name, catalogue.field(name).labels())


def _cut_finely_enough(plan: QuestionPlan, stored: QuestionPlan, catalogue: Catalogue) -> bool:
    for name in plan.fields:
        asked = set(_kept(plan, name, catalogue))
        there = set(_kept(stored, name, catalogue))
        if asked != there and not (name in stored.by and asked <= there):
            return False
    return True


def _cell_of_cell(
    plan: QuestionPlan, stored: QuestionPlan, catalogue: Catalogue
) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return for each of the release's cells the question's cell it belongs to, or −1 for none."""
    labels = {cell: i for i, cell in enumerate(layout.cell_labels(plan, catalogue))}
    kept = [set(_kept(plan, name, catalogue)) for name in stored.by]
    place = []
    for cell in product(*(field.labels() for field in layout.by_fields(stored, catalogue))):
        named = dict(zip(stored.by, cell, strict=True))
        inside = all(label in those for label, those in zip(cell, kept, strict=True))
        place.append(labels[tuple(named[name] for name in plan.by)] if inside else -1)
    return np.array(place, dtype=np.int64)


def _nothing(plan: QuestionPlan, catalogue: Catalogue) -> dict[str, list[float]]:
    return {b.name: [0.0] * b.size for b in layout.question_blocks(plan, catalogue)}
