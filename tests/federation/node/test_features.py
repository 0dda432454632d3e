"""Cells and inputs: what leaves the rows is inside the public bounds whatever the rows hold."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Field
from federation.node.columns import present
from federation.node.features import cells, design
from federation.node.question_sums import in_half_widths
from federation.node.records import Records
from federation.statistics.bounds import from_scale, to_scale
from federation.statistics.summands import Amount

COMMON: dict[str, Any] = {"title": "-", "departments": ("risk",), "level": 1, "purposes": ("r",)}
AGE = Field.model_validate(
    COMMON | {"name": "age", "kind": "number", "lower": 18.0, "upper": 98.0, "edges": (30.0, 50.0)},
    strict=False,
)
DEBT = Field.model_validate(
    COMMON
    | {
        "name": "debt",
        "kind": "number",
        "lower": -1000.0,
        "upper": 1e6,
        "transform": "signed_log",
    },
    strict=False,
)
CITY = Field.model_validate(
    COMMON | {"name": "city", "kind": "category", "categories": ("x", "y", "z")}, strict=False
)
LATE = Field.model_validate(COMMON | {"name": "late", "kind": "flag"}, strict=False)
FIELDS = (AGE, DEBT, CITY, LATE)

numbers = st.one_of(st.none(), st.floats(allow_infinity=False))
clients = st.lists(
    st.tuples(numbers, numbers, st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, 0, 1])),
    max_size=20,
)


def records_of(rows: list[Any]) -> Records:
    columns: dict[str, Any] = {}
    for place, field in enumerate(FIELDS):
        values = [row[place] for row in rows]
        if field.kind == "number":
            columns[field.name] = np.array([np.nan if v is None else v for v in values], float)
        else:
            columns[field.name] = np.array([-1 if v is None else v for v in values], np.int64)
    return Records(
        department="risk",
        fields=tuple(columns),
        client_ids=tuple(f"c{n}" for n in range(len(rows))),
        columns=columns,
        opened={name: present(column) for name, column in columns.items()},
    )


@given(clients)
def test_every_input_is_between_minus_one_and_one(rows: list[Any]) -> None:
    inputs = design(records_of(rows).columns, FIELDS)
    assert inputs.shape == (len(rows), 2 + 2 + 3 + 2)
    assert inputs.dtype == np.float32
    assert (np.abs(inputs) <= 1).all()


@given(clients)
def test_an_absent_value_is_all_zero_and_a_present_one_says_so(rows: list[Any]) -> None:
    inputs = design(records_of(rows).columns, FIELDS)
    for row, (age, debt, city, late) in zip(inputs, rows, strict=True):
        for value, start in ((age, 0), (debt, 2), (late, 7)):
            there = value is not None and value == value  # noqa: PLR0124 - NaN is absent too
            assert row[start] == there
            assert there or row[start + 1] == 0
        assert list(row[4:7]) == [float(city == n) for n in range(3)]
        assert late is None or row[8] == (1 if late else -1)


@given(clients)
def test_a_client_is_in_one_cell_of_the_product_or_in_none(rows: list[Any]) -> None:
    records = records_of(rows)
    index = cells(records, (CITY, AGE))
    complete = records.complete(["city", "age"])
    assert ((index == -1) == ~complete).all()
    for cell, (age, _, city, _) in zip(index, rows, strict=True):
        if cell >= 0:
            assert cell == 3 * city + (0 if age < 30 else 1 if age < 50 else 2)


def test_no_field_is_one_cell_for_everyone() -> None:
    assert list(cells(records_of([(None, None, None, None)] * 2), ())) == [0, 0]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (AGE, 18.0, -1.0),
        (AGE, 58.0, 0.0),
        (AGE, 98.0, 1.0),
        (AGE, -1e300, -1.0),
        (AGE, 1e300, 1.0),
        (DEBT, -1000.0, -1.0),
        (DEBT, 1e6, 1.0),
        (DEBT, 0.0, np.log1p(1e3) * 2 / (np.log1p(1e3) + np.log1p(1e6)) - 1),
    ],
)
def test_a_number_is_scaled_by_its_public_bounds(
    field: Field, value: float, expected: float
) -> None:
    place = to_scale(field, np.array([value]))
    assert place[0] == pytest.approx(expected, abs=1e-12)
    assert to_scale(field, from_scale(field, place)) == pytest.approx(place, abs=1e-12)


@given(st.lists(st.floats(allow_nan=False), max_size=9))
def test_a_total_adds_at_most_one_half_width(values: list[float]) -> None:
    for field in (AGE, DEBT):
        amounts = in_half_widths(Amount(field.name), field, np.array(values, dtype=float))
        assert (np.abs(amounts) <= 1 + 1e-15).all()
