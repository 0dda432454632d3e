"""A client moves every template's tables by at most Δ, whatever the rows, and no other client."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import load_catalogue
from federation.evaluation_layout import (
    band_edges,
    error_edges,
    evaluated,
    evaluation_tables,
)
from federation.evaluation_plan import EvaluationPlan
from federation.node.columns import numpy_column, present
from federation.node.evaluation_cells import evaluation_cells
from federation.node.features import design
from federation.node.records import Records
from federation.training_layout import feature_fields
from models.architectures import size
from models.even_scores import even_outputs
from privacy.bounds import bounded_counts
from tests.federation.conftest import CATALOGUE, Firm
from tests.federation.node.evaluation_cases import KINDS, planned

NOWHERE: Any = None
FIRM = Firm(
    folder=NOWHERE, enrolment=NOWHERE, catalogue=load_catalogue(CATALOGUE), rows={}, levels={}
)
Cells = tuple[npt.NDArray[np.int64], ...]
Scored = Callable[[EvaluationPlan, Records], Cells]

clients = st.lists(
    st.fixed_dictionaries(
        {
            "age": st.none() | st.floats(-10, 200),
            "education": st.none() | st.sampled_from(["school", "university", "other"]),
            "income": st.none() | st.floats(-1e6, 1e6),
            "defaulted": st.none() | st.booleans(),
        }
    ),
    min_size=1,
    max_size=12,
)


def records_of(rows: list[dict[str, Any]]) -> Records:
    kinds = {"number": pa.float64(), "category": pa.string(), "flag": pa.bool_()}
    columns = {
        field.name: numpy_column(
            field, pa.chunked_array([pa.array([r[field.name] for r in rows], kinds[field.kind])])
        )
        for field in FIRM.catalogue.fields
    }
    return Records(
        department="risk",
        fields=tuple(columns),
        client_ids=tuple(f"c{number}" for number in range(len(rows))),
        columns=columns,
        opened={name: present(column) for name, column in columns.items()},
    )


def outputs_of(plan: EvaluationPlan, records: Records) -> npt.NDArray[np.float64]:
    architecture = evaluated(plan, FIRM.catalogue)
    weights = 3 * np.sin(np.arange(1.0, 1 + size(architecture)))
    return even_outputs(
        architecture,
        weights,
        design(records.columns, feature_fields(plan.training, FIRM.catalogue)),
    )


def honest(plan: EvaluationPlan, records: Records) -> Cells:
    return evaluation_cells(plan, FIRM.catalogue, records, outputs_of(plan, records))


def moved(plan: EvaluationPlan, rows: list[dict[str, Any]], gone: int, scored: Scored) -> float:
    """How far, in sensitivities, the counts move when one client leaves one department."""
    tables = evaluation_tables(plan, FIRM.catalogue)
    kept = [row for place, row in enumerate(rows) if place != gone % len(rows)]
    before, after = (
        bounded_counts(
            scored(plan, records_of(some)),
            tables.sizes,
            scale=tables.scale,
            unit=plan.unit,
            bound=plan.bound,
        ).values
        for some in (rows, kept)
    )
    return float(np.linalg.norm(before - after)) / tables.sensitivity


@pytest.mark.parametrize("kind", KINDS)
@given(rows=clients, gone=st.integers(0, 11))
def test_a_client_moves_the_tables_by_at_most_their_sensitivity(
    kind: str, rows: list[dict[str, Any]], gone: int
) -> None:
    assert moved(planned(FIRM, b"", kind), rows, gone, honest) <= 1


def among_the_others(plan: EvaluationPlan, records: Records) -> Cells:
    """A saboteur judges a client's score beside everybody's average."""
    outputs = outputs_of(plan, records)
    outputs -= outputs.sum(axis=0) / max(len(outputs), 1)
    return evaluation_cells(plan, FIRM.catalogue, records, outputs)


CROWD = [
    {"age": 20.0 + 7 * n, "education": name, "income": 900.0 * n, "defaulted": n % 2 == 0}
    for n, name in enumerate(["school", "university", "other"] * 4)
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_that_depends_on_the_crowd_is_caught(kind: str) -> None:
    plan = planned(FIRM, b"", kind, bins=64)
    assert max(moved(plan, CROWD, gone, among_the_others) for gone in range(12)) > 1


def test_a_client_counted_twice_in_a_table_is_caught() -> None:
    plan = planned(FIRM, b"", "multiclass")

    def twice(plan: EvaluationPlan, records: Records) -> Cells:
        return tuple(np.concatenate([table, table]) for table in honest(plan, records))

    assert moved(plan, CROWD, 0, twice) > 1


def test_the_root_of_the_tables_is_needed() -> None:
    plan = planned(FIRM, b"", "multiclass")
    tables = evaluation_tables(plan, FIRM.catalogue)
    assert len(tables.shapes) == 4
    understated = replace(tables, sensitivity=float(tables.scale))
    told = moved(plan, CROWD, 0, honest) * tables.sensitivity / understated.sensitivity
    assert told == pytest.approx(2)


@pytest.mark.parametrize(("kind", "cap"), [("count", 20.0), ("amount", None)])
def test_the_bins_of_an_error_reach_from_cap_to_cap_around_zero(
    kind: str, cap: float | None
) -> None:
    plan = planned(FIRM, b"", kind)
    edges, bands = error_edges(plan, FIRM.catalogue), band_edges(plan, FIRM.catalogue)
    assert (np.diff(edges) > 0).all()
    assert (np.diff(bands) > 0).all()
    assert np.array_equal(edges, -edges[::-1])
    assert edges[-1] == (cap or bands[-1] - bands[0])
