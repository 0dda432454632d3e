"""Rows into cells and inputs: the catalogue's public bounds applied to permitted records. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from consent.catalogue import Field
from federation import training_layout
from federation.node.columns import ABSENT, Column, present
from federation.node.records import Records
from federation.statistics.bounds import number_bounds, to_scale
from models.objectives import Objective
from privacy.lattice import IntVector


def cells(records: Records, fields: Sequence[Field]) -> IntVector:
    """Return each client's cell in the product of the fields' labels, the last running fastest.

    A number falls into the bin edges[i-1] <= x < edges[i]; the outer bins take what lies beyond.

    Args:
        records: n clients; sensitive.
        fields: of the records, each once; public. None at all is one cell for everyone.

    Returns:
        int64 [n], −1 where any of the fields is absent; sensitive.
    """
    index = np.zeros(len(records.client_ids), dtype=np.int64)
    for field in fields:
        code = codes(field, records.columns[field.name])
        index = index * len(field.labels()) + code
    index[~records.complete(field.name for field in fields)] = ABSENT
    return index


def design(columns: Mapping[str, Column], fields: Sequence[Field]) -> npt.NDArray[np.float32]:
    """Return the model's inputs, ``training_layout.width`` columns for each field in order.

    A number is [presence, value], the value clipped to its public bounds and scaled to [−1, 1]
    (signed_log: after sign(x)·log1p|x|). A category is one-hot, all zero when absent. A flag is
    [presence, −1 or 1]. An absent value is 0.

    Args:
        columns: of n clients, by field; sensitive.
        fields: of the columns, at least one; public.

    Returns:
        float32 [n, p], every entry in [−1, 1]; sensitive.
    """
    size = len(columns[fields[0].name])
    inputs = np.zeros((size, sum(map(training_layout.width, fields))), dtype=np.float32)
    start = 0
    for field in fields:
        column = columns[field.name]
        stop = start + training_layout.width(field)
        if field.kind == "category":
            rows = np.flatnonzero(present(column))
            inputs[rows, start + column[rows].astype(np.intp)] = 1.0
        else:
            there = present(column)
            value = to_scale(field, column) if field.kind == "number" else 2.0 * column - 1.0
            inputs[:, start] = there
            inputs[:, start + 1] = np.where(there, value, 0.0)
        start = stop
    return inputs


def labels(field: Field, objective: Objective, column: Column) -> npt.NDArray[np.float32]:
    """Return what a model learns of its target, as ``models.objectives`` wants it.

    A flag, and a category's place among the categories; a number in order: its bin; as a count: it,
    clipped to its public bounds and rounded down; as an amount: scaled to [−1, 1] as an input is.

    Args:
        field: the target; public.
        objective: what is learned of it; public.
        column: values of n clients, none absent; sensitive.

    Returns:
        float32 [n]; sensitive.
    """
    match objective:
        case Objective.AMOUNT:
            return to_scale(field, column).astype(np.float32)
        case Objective.COUNT:
            return np.floor(np.clip(column, *number_bounds(field))).astype(np.float32)
        case _:
            return codes(field, column).astype(np.float32)


def codes(field: Field, column: Column) -> IntVector:
    """Return each value's place among its field's labels; of no meaning where it is absent."""
    if field.kind == "number":
        return np.searchsorted(np.asarray(field.edges), column, side="right").astype(np.int64)
    return column.astype(np.int64)
