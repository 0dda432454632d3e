"""The demo's clients by rows: each owned by one of three departments that all see the same fields.

The rows are public (UCI 350) and are read without consent, for measurements only. A client's values
are what the three demo departments know of it together; what none of them knows is absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from consent.catalogue import Catalogue, load_catalogue
from federation.node.columns import Column, numpy_column, present
from federation.node.features import design
from federation.node.records import Records

DEMO = Path(__file__).parent.parent / "demo"
TARGETS = ("prefers_paying_in_full", "defaulted_next_month")
LATER = "spend_next_month_ntd"
"""An outcome of the month that is predicted: no feature."""

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.float32]
Rows = tuple[Features, Labels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clients:
    """All clients of the firm with a label.

    features: [n, p]. labels: [n]. columns: by field name, for splits. inputs: of which field each
    of the p inputs is. known: by department, who is known there: [n].
    """

    features: Features = field(repr=False)
    labels: Labels = field(repr=False)
    columns: Mapping[str, Column] = field(repr=False)
    inputs: tuple[str, ...] = field(repr=False)
    known: Mapping[str, npt.NDArray[np.bool_]] = field(repr=False)
    catalogue: Catalogue = field(repr=False)


@cache
def clients(target: str) -> Clients:
    """Join the three demo departments' views; keep who has a label."""
    catalogue = load_catalogue(DEMO / "catalogue.toml")
    with duckdb.connect(":memory:") as db:
        views = []
        for name in catalogue.departments:
            view = (DEMO / "departments" / name / "view.sql").read_text()
            views.append(db.sql(view.replace("{data}", str(DEMO / "data" / name))).to_arrow_table())
    union = pa.concat_tables(views, promote_options="permissive")
    most = [(f.name, "max") for f in catalogue.fields]
    table = union.group_by("client_id").aggregate(most).sort_by("client_id")
    table = table.rename_columns([name.removesuffix("_max") for name in table.column_names])
    columns = {f.name: numpy_column(f, table.column(f.name)) for f in catalogue.fields}
    labeled = present(columns[target])
    columns = {name: column[labeled] for name, column in columns.items()}
    chosen = [f for f in catalogue.fields if f.name not in {*TARGETS, LATER}]
    ids = tuple(np.asarray(table.column("client_id").to_pylist())[labeled])
    records = Records(
        department="firm",
        fields=tuple(columns),
        client_ids=ids,
        columns=columns,
        opened=dict.fromkeys(columns, np.ones(len(ids), np.bool_)),
    )
    widths = [design(records.columns, [f]).shape[1] for f in chosen]
    return Clients(
        features=design(records.columns, chosen),
        labels=columns[target].astype(np.float32),
        columns=columns,
        known={
            name: np.isin(ids, view.column("client_id").to_pylist())
            for name, view in zip(catalogue.departments, views, strict=True)
        },
        inputs=tuple(np.repeat([f.name for f in chosen], widths).tolist()),
        catalogue=catalogue,
    )


def owner(found: Clients, split: str, seed: int) -> npt.NDArray[np.int64]:
    """Return which of the three departments owns each client: [n] of 0, 1, 2.

    rows: by lot. education, age: by bands, so the departments' clients are unlike each other.
    """
    match split:
        case "rows":
            lot = torch.Generator().manual_seed(seed)
            return torch.randint(0, 3, (len(found.labels),), generator=lot).numpy()
        case "education":  # graduate; university; high school, other or absent
            codes = np.asarray(found.columns["education"])
            return np.where((codes == 0) | (codes == 1), codes, 2)
        case "age":
            return np.digitize(np.nan_to_num(found.columns["age"], nan=99.0), (30.0, 40.0))
        case _:
            raise ValueError(split)
