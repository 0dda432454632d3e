"""One column of a department's view, checked against its catalogue field, as a numpy column. Pure.

A number becomes float64 with NaN where it is absent; a category becomes int64 codes in the
catalogue's order and a flag 0 or 1, both with −1 where absent. Errors name the column only.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consent.catalogue import Field

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Column = Numbers | Codes

ABSENT = -1


class ColumnUnfit(Exception):  # noqa: N818 - a refusal; records.py turns it into RecordsUnavailable
    """A column does not fit its field; the text says what is wrong without quoting a value."""


def numpy_column(field: Field, column: pa.ChunkedArray) -> Column:
    """Convert one column, or say why it does not fit.

    Args:
        field: what the column must be; public.
        column: arrow values of n rows, null where absent; sensitive.

    Returns:
        float64 [n] or int64 [n]; sensitive.

    Raises:
        ColumnUnfit: text in a number, a value that is not finite, a value outside the categories,
            or a flag that is not yes or no.
    """
    if field.kind == "number":
        return _numbers(field, column)
    if field.kind == "category":
        return _categories(field, column)
    return _flags(field, column)


def absent_column(field: Field, size: int) -> Column:
    """Return the column of a field that the department does not hold: absent in every row."""
    if field.kind == "number":
        return np.full(size, np.nan)
    return np.full(size, ABSENT, dtype=np.int64)


def present(column: Column) -> npt.NDArray[np.bool_]:
    """Say row by row whether there is a value; sensitive."""
    if column.dtype == np.float64:
        return ~np.isnan(column)
    return np.asarray(column >= 0)


def closed(column: Column, opened: npt.NDArray[np.bool_]) -> Column:
    """Return a copy in which every row that is not open is absent."""
    gap = np.nan if column.dtype == np.float64 else ABSENT
    return np.where(opened, column, np.asarray(gap, dtype=column.dtype))


def _numbers(field: Field, column: pa.ChunkedArray) -> Numbers:
    if not _is_numeric(column.type):
        raise ColumnUnfit(f"column {field.name} holds {column.type} where numbers are expected")
    values = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    if np.isinf(values).any():
        raise ColumnUnfit(f"column {field.name} holds a number that is not finite")
    return values


def _categories(field: Field, column: pa.ChunkedArray) -> Codes:
    if pa.types.is_dictionary(column.type):  # an ENUM
        column = column.cast(pa.string())
    types = pa.types
    kind = column.type
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind)):
        raise ColumnUnfit(f"column {field.name} holds {kind} where categories are expected")
    labels = pa.array(field.categories, type=pa.string())
    return _codes(field, column, pc.index_in(column.cast(pa.string()), value_set=labels))


def _flags(field: Field, column: pa.ChunkedArray) -> Codes:
    if not (pa.types.is_boolean(column.type) or _is_numeric(column.type)):
        raise ColumnUnfit(f"column {field.name} holds {column.type} where yes or no is expected")
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    numbers = pc.cast(column, pa.float64(), safe=False)
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return _codes(field, numbers, pc.index_in(numbers, value_set=pa.array([0.0, 1.0])))


def _codes(field: Field, column: pa.ChunkedArray, found: Any) -> Codes:  # noqa: ANN401 - pyarrow has no types
    codes = np.asarray(pc.fill_null(found, ABSENT).to_numpy(), dtype=np.int64)
    known = np.asarray(pc.is_valid(column).to_numpy(), dtype=np.bool_)
    if (codes[known] == ABSENT).any():
        allowed = ", ".join(field.labels())
        raise ColumnUnfit(f"column {field.name} holds a value that is none of: {allowed}")
    return codes


def _is_numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))
