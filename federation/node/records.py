"""The door: the only code that opens personal rows, and only under a Permit of consent.decisions.

The department's view is one SELECT over its own files: ``client_id`` (normalized by the
department's own rule), then columns named as the catalogue's fields, one row per client.
``{data}`` in it stands for the data folder, and DuckDB may read nothing else and write nothing.
Raw columns are kept in memory in this module only, until the files change; what comes out has
passed the permit row by row and column by column.
"""

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consent.catalogue import Catalogue, Field
from consent.decisions import Permit
from consent.epochs import pseudonyms
from consent.errors import InvalidClientId
from consent.packed import Roll, pack
from federation.errors import RecordsUnavailable
from federation.node.columns import (
    Column,
    ColumnUnfit,
    absent_column,
    closed,
    numpy_column,
    present,
)

_ID = "client_id"
_PLACEHOLDER = "{data}"
_VIEW = "department"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Raw:
    """The view's columns as they were read. Sensitive; never leaves this module."""

    epoch: object
    ids: tuple[str, ...]
    pseudonyms: Roll
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one department's rows are. Holds places and public descriptions."""

    department: str
    data: Path
    view: Path
    catalogue: Catalogue
    _cache: list[_Raw] = field(init=False, default_factory=list, repr=False, compare=False)
    _named: dict[object, str] = field(init=False, default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """The rows and cells a permit opens. Everything but the fields' names is sensitive and hidden.

    client_ids: n normalized ids. columns: by field name, n values each (see ``columns``).
    opened: by field name, bool [n]: whether the client's authorization covers it, value or none.
    """

    department: str
    fields: tuple[str, ...]
    client_ids: tuple[str, ...] = field(repr=False)
    columns: Mapping[str, Column] = field(repr=False)
    opened: Mapping[str, npt.NDArray[np.bool_]] = field(repr=False)

    def complete(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Say row by row whether every one of these fields is open and has a value; sensitive."""
        rows = np.ones(len(self.client_ids), dtype=np.bool_)
        for name in names:
            rows &= present(self.columns[name])
        return rows


def open_records(
    permit: Permit,
    source: Source,
    pseudonym_key: bytes,
    *,
    clients_per_household: int | None = None,
) -> Records:
    """Open the rows and cells that the permit covers.

    A closed cell is absent. A row without an open cell is dropped; a permit that names no field
    keeps the clients whose authorization covers any field at all. A field that the department
    does not hold is absent in every row.

    Args:
        permit: minted by consent.decisions for this department.
        source: where the rows are.
        pseudonym_key: the department's key; secret.
        clients_per_household: for a plan that protects households, how many clients of one count;
            the others are dropped, and so is a client of no known household. The register says who
            comes first, so that every department keeps the same ones.

    Raises:
        EpochInvalid: the register's order within a household is wrong.
        RecordsUnavailable: the view fails or is more than one SELECT, a column is missing or does
            not fit its field, a client id is empty, not normalized or stands in two rows. No text
            quotes a row.
    """
    if permit.department != source.department:
        raise RecordsUnavailable(source.department, "the permit is for another department")
    raw = _raw(source, permit.fields, pseudonym_key)
    if permit.fields:
        opened = permit.open_fields(raw.pseudonyms)
        kept = opened.any(axis=1)
    else:
        opened = np.empty((len(raw.ids), 0), dtype=np.bool_)
        kept = permit.open_clients(raw.pseudonyms)
    if clients_per_household is not None:
        households = permit.households_of(raw.pseudonyms, most=clients_per_household)
        kept = kept & (households >= 0)
    return Records(
        department=source.department,
        fields=permit.fields,
        client_ids=tuple(raw.ids[row] for row in np.flatnonzero(kept)),
        columns={
            name: closed(raw.columns[name], opened[:, place])[kept]
            for place, name in enumerate(permit.fields)
        },
        opened={name: opened[kept, place] for place, name in enumerate(permit.fields)},
    )


def data_epoch(source: Source, key: bytes) -> str:
    """Name the state of the department's rows, so that the coordinator sees when it changes.

    HMAC-SHA256 of the view and of every file's place and content: the same bytes have the same name
    whenever they were written, and without the key nobody can test a guess about them.

    Args:
        source: where the rows are.
        key: the department's own, for this use; secret.

    Returns:
        64 hexadecimal digits, or "" if a file cannot be read: then no answer is taken for the same.
    """
    try:
        state = (_data_epoch(source), key)
        if state not in source._named:  # noqa: SLF001 - filled here only
            name = hmac.new(key, digestmod=sha256)
            for path in _files(source):
                with path.open("rb") as file:
                    content = file_digest(file, sha256).digest()
                name.update(sha256(str(path.relative_to(path.anchor)).encode()).digest() + content)
            source._named.clear()  # noqa: SLF001 - filled here only
            source._named[state] = name.hexdigest()  # noqa: SLF001 - filled here only
        return source._named[state]  # noqa: SLF001 - filled here only
    except OSError:
        return ""


def _raw(source: Source, names: tuple[str, ...], key: bytes) -> _Raw:
    """Return at least the named columns, read anew only if the cache lacks one or is outdated."""
    try:
        epoch = (_data_epoch(source), key)
        held = [raw for raw in source._cache if raw.epoch == epoch]  # noqa: SLF001 - filled here only
        if held and held[0].columns.keys() >= set(names):
            return held[0]
        wanted = set(names).union(*(raw.columns for raw in held))
        fields = [f for f in source.catalogue.fields if f.name in wanted]
        table = _query(source, [f.name for f in fields if source.department in f.departments])
        raw = _checked(table, fields, epoch, key)
    except (ColumnUnfit, InvalidClientId) as error:
        raise RecordsUnavailable(source.department, str(error)) from None
    except OSError as error:
        reason = f"a file cannot be read ({error.strerror})"
        raise RecordsUnavailable(source.department, reason) from None
    except (duckdb.Error, pa.ArrowException) as error:  # its message may quote a row
        reason = f"the view fails ({type(error).__name__}); run it by hand to see why"
        raise RecordsUnavailable(source.department, reason) from None
    source._cache[:] = [raw]  # noqa: SLF001 - filled here only
    return raw


def _data_epoch(source: Source) -> tuple[object, ...]:
    """Name the state of the files: path, time of change and size of each, the view included."""
    stats = [(str(path), path.stat()) for path in _files(source)]
    return tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def _files(source: Source) -> list[Path]:
    return [source.view, *sorted(p for p in source.data.rglob("*") if p.is_file())]


def _query(source: Source, names: Collection[str]) -> pa.Table:
    """Run the view in a DuckDB that may read the data folder only; return id and named columns."""
    folder = str(source.data.resolve()).replace("'", "''")
    with duckdb.connect(":memory:") as db:
        db.execute(f"SET allowed_directories = ['{folder}']")
        db.execute("SET temp_directory = ''")  # rows are never spilled to a disk
        db.execute("SET enable_external_access = false")
        db.execute("SET lock_configuration = true")
        text = source.view.read_text(encoding="utf-8").replace(_PLACEHOLDER, folder)
        statements = db.extract_statements(text)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise ColumnUnfit("the view is not one SELECT")
        db.execute(f"CREATE TEMP VIEW {_VIEW} AS {text}")
        view = db.view(_VIEW)
        if lacking := sorted({_ID, *names} - set(view.columns)):
            raise ColumnUnfit(f"the view has no column {', '.join(lacking)}")
        columns = [f'CAST("{_ID}" AS VARCHAR) AS "{_ID}"', *(f'"{name}"' for name in names)]
        return view.project(", ".join(columns)).to_arrow_table()


def _checked(table: pa.Table, fields: Collection[Field], epoch: object, key: bytes) -> _Raw:
    ids = tuple(table.column(_ID).to_pylist())
    if None in ids:
        raise ColumnUnfit("a row has no client_id")
    if len(set(ids)) < len(ids):
        raise ColumnUnfit("a client stands in two rows: GROUP BY client_id in the view")
    return _Raw(
        epoch=epoch,
        ids=ids,
        pseudonyms=pack(pseudonyms(key, ids)),
        columns={
            f.name: numpy_column(f, table.column(f.name))
            if f.name in table.column_names
            else absent_column(f, len(ids))
            for f in fields
        },
    )
