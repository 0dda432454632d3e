"""Arrow in, checked numpy out: every kind of database column that people keep such facts in."""

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from consent.catalogue import Field
from federation.node.columns import ColumnUnfit, absent_column, closed, numpy_column, present

COMMON: dict[str, Any] = {"title": "-", "departments": ("risk",), "level": 1, "purposes": ("r",)}


def field(**facts: Any) -> Field:
    return Field.model_validate(COMMON | {"name": "it"} | facts, strict=False)


NUMBER = field(kind="number", lower=0, upper=10)
GRADE = field(kind="category", categories=("1", "2"))
FLAG = field(kind="flag")


@pytest.mark.parametrize(
    ("of", "values", "expected"),
    [
        (NUMBER, pa.array([1, None], pa.int8()), [1.0, np.nan]),
        (NUMBER, pa.array([2**63 - 1], pa.int64()), [2.0**63]),
        (NUMBER, pa.array([Decimal("1.50"), None]), [1.5, np.nan]),
        (NUMBER, pa.array([0.25, float("nan")], pa.float32()), [0.25, np.nan]),
        (GRADE, pa.array(["2", None, "1"]), [1, -1, 0]),
        (GRADE, pa.array(["2", None, "1"], pa.large_string()), [1, -1, 0]),
        (GRADE, pa.array(["2", "1"]).dictionary_encode(), [1, 0]),
        (GRADE, pa.array([2, None, 1], pa.uint8()), [1, -1, 0]),
        (FLAG, pa.array([True, None, False]), [1, -1, 0]),
        (FLAG, pa.array([1, None, 0], pa.int8()), [1, -1, 0]),
        (FLAG, pa.array([1.0, None, float("nan")]), [1, -1, -1]),
    ],
)
def test_a_column_that_fits_keeps_its_values(of: Field, values: Any, expected: list[float]) -> None:
    column = numpy_column(of, pa.chunked_array([values]))
    np.testing.assert_array_equal(column, expected)
    assert column.dtype == (np.float64 if of.kind == "number" else np.int64)
    assert list(present(column)) == [e == e and e >= 0 for e in expected]  # noqa: PLR0124 - NaN


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (NUMBER, pa.array(["1"])),
        (NUMBER, pa.array([True])),
        (NUMBER, pa.array([date(2026, 1, 1)])),
        (NUMBER, pa.array([-float("inf")])),
        (GRADE, pa.array(["3"])),
        (GRADE, pa.array([""])),
        (GRADE, pa.array([1.0])),
        (GRADE, pa.array([True])),
        (FLAG, pa.array([2])),
        (FLAG, pa.array([0.5])),
        (FLAG, pa.array(["yes"])),
    ],
)
def test_a_column_that_does_not_fit_is_refused(of: Field, values: Any) -> None:
    with pytest.raises(ColumnUnfit, match="column it holds"):
        numpy_column(of, pa.chunked_array([values]))


@pytest.mark.parametrize("of", [NUMBER, GRADE, FLAG])
def test_an_absent_column_is_absent_everywhere(of: Field) -> None:
    column = absent_column(of, 3)
    assert column.shape == (3,)
    assert not present(column).any()


@pytest.mark.parametrize("of", [NUMBER, GRADE])
def test_closing_a_cell_leaves_the_original_alone(of: Field) -> None:
    values = pa.array([1, 2]) if of is NUMBER else pa.array(["1", "2"])
    column = numpy_column(of, pa.chunked_array([values]))
    hidden = closed(column, np.array([True, False]))
    assert list(present(hidden)) == [True, False]
    assert hidden.dtype == column.dtype
    assert present(column).all()
