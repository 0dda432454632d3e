"""Rows into cells and inputs: the catalogue's public bounds applied to permitted records. Pure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from consent.catalogue import Field
from federation import layout, training_layout
from federation.node.columns import ABSENT, Column, Numbers, present
from federation.node.records import Records
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
        codes = _codes(field, records.columns[field.name])
        index = index * len(field.labels()) + codes
    index[~records.complete(field.name for field in fields)] = ABSENT
    return index


def design(records: Records, fields: Sequence[Field]) -> npt.NDArray[np.float32]:
    """Return the model's inputs, ``training_layout.width`` columns for each field in order.

    A number is [presence, value], the value clipped to its public bounds and scaled to [−1, 1]
    (signed_log: after sign(x)·log1p|x|). A category is one-hot, all zero when absent. A flag is
    [presence, −1 or 1]. An absent value is 0.

    Args:
        records: n clients; sensitive.
        fields: of the records; public.

    Returns:
        float32 [n, p], every entry in [−1, 1]; sensitive.
    """
    inputs = np.zeros(
        (len(records.client_ids), sum(map(training_layout.width, fields))), dtype=np.float32
    )
    start = 0
    for field in fields:
        column = records.columns[field.name]
        stop = start + training_layout.width(field)
        if field.kind == "category":
            rows = np.flatnonzero(present(column))
            inputs[rows, start + column[rows].astype(np.intp)] = 1.0
        else:
            there = present(column)
            value = scaled(field, column) if field.kind == "number" else 2.0 * column - 1.0
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
            return scaled(field, column).astype(np.float32)
        case Objective.COUNT:
            return np.floor(np.clip(column, *layout.number_bounds(field))).astype(np.float32)
        case _:
            return _codes(field, column).astype(np.float32)


def scaled(field: Field, values: Column) -> Numbers:
    """Clip a number field's values to its public bounds and map them to [−1, 1]; NaN stays NaN."""
    lower, upper = layout.number_bounds(field)
    x = np.asarray(np.clip(values, lower, upper), dtype=np.float64)
    ends = np.array([lower, upper])
    if field.transform == "signed_log":
        x, ends = _signed_log(x), _signed_log(ends)
    half = (ends[1] - ends[0]) / 2
    return np.asarray(np.clip((x - (ends[0] + half)) / half, -1.0, 1.0), dtype=np.float64)


def in_half_widths(field: Field, values: Column) -> Numbers:
    """Express a number in half ranges around the middle of its bounds, as its total is summed."""
    lower, upper = layout.number_bounds(field)
    half = (upper - lower) / 2
    return np.asarray((np.clip(values, lower, upper) - (lower + upper) / 2) / half, np.float64)


def _codes(field: Field, column: Column) -> IntVector:
    if field.kind == "number":
        return np.searchsorted(np.asarray(field.edges), column, side="right").astype(np.int64)
    return column.astype(np.int64)


def _signed_log(values: Numbers) -> Numbers:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)
