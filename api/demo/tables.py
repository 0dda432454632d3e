"""Running the folder's SQL over its files, and splitting its clients 70 to 30. OUTSIDE the sandbox.

The demonstration plays every part at once, so it may read every department's files here; the nodes
it starts see their own 70 % only, through their own door.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from api.demo.errors import FolderInvalid
from api.demo.folder import DepartmentFolder
from consent.catalogue import Catalogue
from consent.clients import checked_client_id
from consent.errors import InvalidClientId
from federation.node.columns import ColumnUnfit, numpy_column

CLIENT = "client_id"
IDS = (CLIENT, "household_id")
REGISTER_COLUMNS = (*IDS, "level")
KEPT_FRACTION = 0.7
_HASHES = 2**64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One department's rows: what its node is given, and what is held out. Hidden from repr."""

    kept: pa.Table = field(repr=False)
    held_out: pa.Table = field(repr=False)


def is_held_out(client_id: str) -> bool:
    """Say whether a client is in the held-out 30 %: by SHA-256 of the normalized id, nothing else.

    The hash carries nothing about the client, and a client known to several departments is held
    out at all of them.
    """
    draw = int.from_bytes(sha256(client_id.encode()).digest()[:8])
    return draw >= KEPT_FRACTION * _HASHES


def department_rows(name: str, department: DepartmentFolder, catalogue: Catalogue) -> Split:
    """Run a department's view, check every column against the catalogue, and split the clients.

    Raises:
        FolderInvalid: the view fails or lacks a column, a column does not fit its field, an id is
            not normalized or stands twice. No row is quoted.
    """
    fields = [f for f in catalogue.fields if name in f.departments]
    view = department.view
    table = _select(view, department.data, [CLIENT, *(f.name for f in fields)])
    ids = _checked_ids(view, table)
    try:
        for f in fields:
            numpy_column(f, table.column(f.name))
    except ColumnUnfit as error:
        raise FolderInvalid(view, f"{error}; correct the view or the catalogue") from None
    held_out = np.fromiter(map(is_held_out, ids), dtype=np.bool_, count=len(ids))
    return Split(kept=table.filter(pa.array(~held_out)), held_out=table.filter(pa.array(held_out)))


def register_rows(register: Path, data: Path) -> list[tuple[str, str, int]]:
    """Return (client_id, household_id, level) of every client in the register; sensitive.

    Raises:
        FolderInvalid: the SQL fails or lacks a column, or a level is no whole number.
    """
    table = _select(register, data, REGISTER_COLUMNS)
    if not pa.types.is_integer(table.column("level").type):
        raise FolderInvalid(register, "level holds something else than whole numbers; CAST it")
    columns = [table.column(name).to_pylist() for name in REGISTER_COLUMNS]
    if any(None in column for column in columns):
        raise FolderInvalid(register, "a client_id, household_id or level is NULL; leave it out")
    return list(zip(*columns, strict=True))


def _select(query: Path, data: Path, columns: Sequence[str]) -> pa.Table:
    """Run one SELECT in a DuckDB that may read the data folder only and write nothing."""
    folder = str(data.resolve()).replace("'", "''")
    try:
        text = query.read_text(encoding="utf-8").replace("{data}", folder)
        with duckdb.connect(":memory:") as db:
            db.execute(f"SET allowed_directories = ['{folder}']")
            db.execute("SET enable_external_access = false")
            db.execute("SET lock_configuration = true")
            statements = db.extract_statements(text)
            if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
                raise FolderInvalid(query, "is not one SELECT; write it as one")
            view = db.sql(text)
            if lacking := sorted(set(columns) - set(view.columns)):
                raise FolderInvalid(query, f"has no column {', '.join(lacking)}; add it")
            names = ", ".join(_as_text(name) for name in columns)
            return view.project(names).to_arrow_table()
    except duckdb.Error as error:  # its message may quote a row
        kind = type(error).__name__
        raise FolderInvalid(query, f"fails ({kind}); run it in DuckDB to see why") from None
    except UnicodeDecodeError:
        raise FolderInvalid(query, "is not UTF-8 text; save it as such") from None


def _as_text(name: str) -> str:
    return f'CAST("{name}" AS VARCHAR) AS "{name}"' if name in IDS else f'"{name}"'


def _checked_ids(view: Path, table: pa.Table) -> list[str]:
    ids: list[str] = table.column(CLIENT).to_pylist()
    if None in ids:
        raise FolderInvalid(view, "a row has no client_id; leave it out")
    if len(set(ids)) < len(ids):
        raise FolderInvalid(view, "a client stands in two rows; GROUP BY client_id")
    try:
        for client in ids:
            checked_client_id(client)
    except InvalidClientId as error:
        raise FolderInvalid(view, str(error)) from None
    return ids
