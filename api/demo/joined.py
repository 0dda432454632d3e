"""What a cube brings: its linear model on the clients no node was given. OUTSIDE the sandbox.

A cube gives a model of its target for any choice of its fields, at no further cost. A client whose
fields are partly absent, or closed by the client, is scored by the model of those that are there.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from api.client import Json
from api.demo.outside import Rows, exact_auc, labels_of
from federation.node.columns import present
from federation.node.features import codes

ModelOf = Callable[[Sequence[str]], Json]
"""Asks the released cube for its linear model of the target, given some of its fields."""


def cube_auc(model_of: ModelOf, held_out: Rows, target: str) -> float | None:
    """Rank the held-out clients by the cube's models; None where they are all of one class.

    Args:
        model_of: answers as ``GET /api/v1/cubes/{run}/model`` does.
        held_out: the fields of all departments side by side, closed as the register closes them.
        target: a flag among their fields.
    """
    fields = [f for f in held_out.fields if f.name != target]
    placed = {f.name: codes(f, held_out.columns[f.name]) for f in fields}
    there = np.stack([present(held_out.columns[f.name]) for f in fields], axis=1)
    scores = np.full(len(there), np.nan)
    for pattern in np.unique(there, axis=0):
        rows = np.flatnonzero((there == pattern).all(axis=1))
        names = [f.name for f, known in zip(fields, pattern, strict=True) if known]
        if names:
            scores[rows] = _scored(model_of(names), {name: placed[name][rows] for name in names})
    if np.isnan(scores).all():
        return None
    # A client of whom nothing is known stands in the middle.
    return exact_auc(labels_of(held_out, target), np.nan_to_num(scores, nan=np.nanmean(scores)))


def _scored(model: Json, placed: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
    """Add a model's base and, for each client, the weight of the label of each field."""
    total = np.asarray(model["base"])
    for name, labels in model["weights"].items():
        total = total + np.array([weight["value"] for weight in labels.values()])[placed[name]]
    return np.asarray(total, dtype=np.float64)
