"""In which cell of each table of an evaluation a client stands, by what its model learns. Pure.

Each function below is one template with its proof of sensitivity. They share a premise: a client's
outputs depend on the client's own row and the public weights alone, the same bit for bit whoever
else is scored (models.even_scores), and so do label and group. Hence one client more or less, at
however many departments, changes no other client's cell, and what moves is the client's own vector
of ones: sqrt(T) long in T tables, in which the client stands in one cell each.
"""

import numpy as np

from consent.catalogue import Catalogue
from federation.evaluation_layout import (
    BANDS,
    CLASSES,
    band_edges,
    error_edges,
    evaluated,
    logit_edges,
    number_ends,
    score_edges,
)
from federation.evaluation_plan import EvaluationPlan
from federation.node.columns import ABSENT
from federation.node.features import cells, labels
from federation.node.records import Records
from models.even_scores import even_probabilities, even_rates
from models.objectives import Objective
from privacy.lattice import IntVector, RealVector


def evaluation_cells(
    plan: EvaluationPlan, catalogue: Catalogue, records: Records, outputs: RealVector
) -> tuple[IntVector, ...]:
    """Return for each table of evaluation_layout each client's cell in it.

    Args:
        plan: public.
        catalogue: that the plan names.
        records: n clients; sensitive.
        outputs: float64 [n, outputs] of the model, as even_outputs has them; sensitive.

    Returns:
        int64 [n] for each table, −1 where target or group is absent; sensitive.
    """
    found = {
        Objective.BINARY: _scored,
        Objective.MULTICLASS: _classified,
        Objective.ORDINAL: _ordered,
        Objective.COUNT: _missed,
        Objective.AMOUNT: _missed,
    }[evaluated(plan, catalogue).objective](plan, catalogue, records, outputs)
    complete = records.complete(plan.counted)
    return tuple(np.where(complete, table, ABSENT) for table in found)


def _scored(
    plan: EvaluationPlan, catalogue: Catalogue, records: Records, outputs: RealVector
) -> tuple[IntVector, ...]:
    """Yes or no: (group, label, bin of the logit). One table, so a client moves it by 1."""
    bins = np.searchsorted(logit_edges(plan), outputs[:, 0], side="right")
    return (_labeled(plan, catalogue, records) * plan.bins + bins,)


def _classified(
    plan: EvaluationPlan, catalogue: Catalogue, records: Records, outputs: RealVector
) -> tuple[IntVector, ...]:
    """A class: (group, true, predicted), then for each class c (group, true is c, bin of P(c)).

    A client stands in one cell of each of the k + 1 tables, whose cells are apart, so the client
    moves the vector by sqrt(k + 1). The predicted class is that of the largest output.
    """
    classes = outputs.shape[1]
    labeled = _labeled(plan, catalogue, records)
    group, true = np.divmod(labeled, classes)
    inner = score_edges(plan)[1:-1]
    by_class = (
        (group * CLASSES + (true == place)) * plan.bins
        + np.searchsorted(inner, probability, side="right")
        for place, probability in enumerate(even_probabilities(outputs).T)
    )
    return (labeled * classes + outputs.argmax(axis=1), *by_class)


def _ordered(
    plan: EvaluationPlan, catalogue: Catalogue, records: Records, outputs: RealVector
) -> tuple[IntVector, ...]:
    """A class in order: (group, true, predicted). One table, so a client moves it by 1.

    The predicted class is the middle one, which errs by the fewest levels: as many as there are
    questions "is it above j?" answered yes with a probability above one half.
    """
    predicted = np.count_nonzero(outputs > 0, axis=1)
    return (_labeled(plan, catalogue, records) * (outputs.shape[1] + 1) + predicted,)


def _missed(
    plan: EvaluationPlan, catalogue: Catalogue, records: Records, outputs: RealVector
) -> tuple[IntVector, ...]:
    """A count or an amount: (group, band of the prediction, bin of the error true − predicted).

    One table, so a client moves it by 1, however large the error: the outer bins take the rest.
    """
    field = catalogue.field(plan.target)
    objective = evaluated(plan, catalogue).objective
    true = labels(field, objective, records.columns[plan.target]).astype(np.float64)
    low, high = number_ends(plan, catalogue)
    if objective is Objective.COUNT:
        predicted = np.clip(even_rates(outputs), low, high)
    else:
        half = (high - low) / 2
        true, predicted = (low + half + half * x for x in (true, np.clip(outputs[:, 0], -1, 1)))
    band = np.searchsorted(band_edges(plan, catalogue)[1:-1], predicted, side="right")
    inner = error_edges(plan, catalogue)[1:-1]
    error = np.searchsorted(inner, true - predicted, side="right")
    group = _group(plan, catalogue, records)
    return ((group * BANDS + band) * (len(inner) + 1) + error,)


def _labeled(plan: EvaluationPlan, catalogue: Catalogue, records: Records) -> IntVector:
    """Return each client's place among (group, label of the target)."""
    return cells(records, [catalogue.field(name) for name in plan.counted])


def _group(plan: EvaluationPlan, catalogue: Catalogue, records: Records) -> IntVector:
    return cells(records, [] if plan.group is None else [catalogue.field(plan.group)])
