"""A department's view: one SELECT over its own files, in a DuckDB that can do nothing else."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from federation.node.columns import ColumnUnfit

ID = "client_id"
_PLACEHOLDER = "{data}"
_NAME = "department"
_COLUMN_BY_COLUMN = {"PROJECTION", "FILTER", "READ_PARQUET", "PARQUET_SCAN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An open view. The rows behind it are sensitive.

    apart: whether some columns cost no more than their part: it only selects from Parquet files.
    """

    apart: bool
    _rows: duckdb.DuckDBPyRelation = field(repr=False)

    def read(self, names: Collection[str]) -> pa.Table:
        """Run the view; return ``client_id`` as text and the named columns. Sensitive.

        Raises:
            ColumnUnfit: a column is missing; names it.
            duckdb.Error: the view fails; its text may quote a row.
        """
        if lacking := sorted({ID, *names} - set(self._rows.columns)):
            raise ColumnUnfit(f"the view has no column {', '.join(lacking)}")
        columns = [f'CAST("{ID}" AS VARCHAR) AS "{ID}"', *(f'"{name}"' for name in names)]
        return self._rows.project(", ".join(columns)).to_arrow_table()


@contextmanager
def opened_view(file: Path, data: Path) -> Iterator[View]:
    """Open a view that may read the data folder only, and neither write nor spill to a disk.

    Args:
        file: one SELECT; ``{data}`` in it stands for the data folder.
        data: that folder.

    Raises:
        ColumnUnfit: it is not one SELECT.
        duckdb.Error: it fails; the error's text may quote a row. OSError: there is no such file.
    """
    folder = str(data.resolve()).replace("'", "''")
    with duckdb.connect(":memory:") as db:
        db.execute(f"SET allowed_directories = ['{folder}']")
        db.execute("SET temp_directory = ''")  # rows are never spilled to a disk
        db.execute("SET disable_parquet_prefetching = true")  # a column lies in memory once
        db.execute("SET enable_external_access = false")
        text = file.read_text(encoding="utf-8").replace(_PLACEHOLDER, folder)
        statements = db.extract_statements(text)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise ColumnUnfit("the view is not one SELECT")
        db.execute(f"CREATE TEMP VIEW {_NAME} AS {text}")
        (row,) = db.execute(f"EXPLAIN (FORMAT json) FROM {_NAME}").fetchall()
        apart = _operators(json.loads(row[1])) <= _COLUMN_BY_COLUMN
        if apart:
            db.execute("SET threads = 1")  # each has buffers of its own
        db.execute("SET lock_configuration = true")
        yield View(apart=apart, _rows=db.view(_NAME))


def _operators(plan: list[Mapping[str, Any]]) -> set[str]:
    return {str(step["name"]).strip() for step in plan}.union(
        *(_operators(step["children"]) for step in plan)
    )
