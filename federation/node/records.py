"""The door: the only code that opens personal rows, and only under a Permit of consent.decisions.

The department's view (``view``) gives ``client_id`` (normalized by the department's own rule), then
columns named as the catalogue's fields, one row per client.
Raw columns are kept in this module only, until the files change or too many are kept; what comes
out has passed the permit row by row and column by column.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
from federation.node.data_epoch import file_state
from federation.node.view import ID, View, opened_view

_KEPT = 2**20
"""Values that are kept of what earlier plans read, 8 bytes each."""
_AT_ONCE, _MOST_PARTS = 2**18, 25  # values in a part of the fields, if that makes so few parts

Names = tuple[str, ...]

pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pool keeps what is given back to it


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Raw:
    """The view's columns as they were read. Sensitive; never leaves this module."""

    epoch: object
    ids: pa.StringArray
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
    with _permitted(permit, source, pseudonym_key) as read:
        raw = read(permit.fields)
    return _records(permit, raw, _covered(permit, raw, clients_per_household), permit.fields)


def open_in_parts(
    permit: Permit,
    source: Source,
    pseudonym_key: bytes,
    names: Sequence[str],
    *,
    clients_per_household: int | None = None,
) -> tuple[Records, Iterator[Mapping[str, Column]], bytes]:
    """Open the same rows as ``open_records`` a few fields at a time, so that few lie in memory.

    Many clients make small parts. A view that only selects from Parquet files runs once for each,
    at most 26 times; any other runs once and lies in memory whole. Arguments as ``open_records``.

    Returns:
        the records of the first name (fields of the permit, in the order wanted); the columns of
        the others for the same clients, which are read as they are asked for; and 32 bytes that
        name what is opened: the same files, rows and cells have the same. All of it sensitive.

    Raises:
        EpochInvalid, RecordsUnavailable: as ``open_records``, or the rows change between two parts.
    """
    with _permitted(permit, source, pseudonym_key) as read:
        raw = read((names[0],))
    covered = _covered(permit, raw, clients_per_household)

    def parts(ids: pa.StringArray, rest: Sequence[str]) -> Iterator[Mapping[str, Column]]:
        width = max(_AT_ONCE // max(len(ids), 1), -(-len(rest) // _MOST_PARTS))
        with _permitted(permit, source, pseudonym_key) as read:
            for some in (tuple(rest[at : at + width]) for at in range(0, len(rest), width)):
                if (raw := read(some)).ids is not ids:
                    raise RecordsUnavailable(source.department, "its files changed meanwhile")
                yield {name: covered.column(raw, name) for name in some}

    mark = sha256(repr((raw.epoch, covered.fields)).encode() + covered.kept.tobytes())
    mark.update(covered.bits.tobytes())
    return _records(permit, raw, covered, names[:1]), parts(raw.ids, names[1:]), mark.digest()


@contextmanager
def _permitted(permit: Permit, source: Source, key: bytes) -> Iterator[Callable[[Names], _Raw]]:
    """Give what reads the named columns of the permit's department, or more."""
    if permit.department != source.department:
        raise RecordsUnavailable(source.department, "the permit is for another department")
    with ExitStack() as held:
        view = cache(lambda: held.enter_context(opened_view(source.view, source.data)))
        yield lambda names: _raw(source, view, names, permit.fields, key)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Covered:
    """Which cells a permit opens, bits [fields, rows / 8], and which rows are kept. Sensitive."""

    fields: Names
    bits: npt.NDArray[np.uint8]
    kept: npt.NDArray[np.bool_]

    def opened(self, name: str) -> npt.NDArray[np.bool_]:
        bits = self.bits[self.fields.index(name)]
        return np.unpackbits(bits, count=len(self.kept)).astype(np.bool_)

    def column(self, raw: _Raw, name: str) -> Column:
        return closed(raw.columns[name], self.opened(name))[self.kept]


def _covered(permit: Permit, raw: _Raw, clients_per_household: int | None) -> _Covered:
    if permit.fields:
        opened = permit.open_fields(raw.pseudonyms)
        kept = np.asarray(opened.any(axis=1))
    else:
        opened = np.empty((len(raw.ids), 0), dtype=np.bool_)
        kept = permit.open_clients(raw.pseudonyms)
    if clients_per_household is not None:
        kept &= permit.households_of(raw.pseudonyms, most=clients_per_household) >= 0
    return _Covered(fields=permit.fields, bits=np.packbits(opened.T, axis=1), kept=kept)


def _records(permit: Permit, raw: _Raw, covered: _Covered, names: Sequence[str]) -> Records:
    return Records(
        department=permit.department,
        fields=tuple(names),
        client_ids=tuple(raw.ids.filter(pa.array(covered.kept)).to_pylist()),
        columns={name: covered.column(raw, name) for name in names},
        opened={name: covered.opened(name)[covered.kept] for name in names},
    )


def _raw(source: Source, view: Callable[[], View], names: Names, plan: Names, key: bytes) -> _Raw:
    """Return at least the named columns; the view runs only for those that are not kept.

    A view whose columns cannot be read apart runs once for all of the plan's.
    """
    try:
        epoch = (file_state(source), key)
        held = next((raw for raw in source._cache if raw.epoch == epoch), None)  # noqa: SLF001 - filled here only
        there = {} if held is None else held.columns
        if held is not None and there.keys() >= set(names):
            return held
        wanted = set(names if view().apart else plan) - there.keys()
        fields = [f for f in source.catalogue.fields if f.name in wanted]
        table = view().read([f.name for f in fields if source.department in f.departments])
        raw = _checked(table, epoch, key) if held is None else held
        columns = _columns(table, fields, raw.ids)
    except (ColumnUnfit, InvalidClientId) as error:
        raise RecordsUnavailable(source.department, str(error)) from None
    except OSError as error:
        said = f"a file cannot be read ({error.strerror})"
        raise RecordsUnavailable(source.department, said) from None
    except (duckdb.Error, pa.ArrowException) as error:  # its message may quote a row
        said = f"the view fails ({type(error).__name__}); run it by hand to see why"
        raise RecordsUnavailable(source.department, said) from None
    if (len(there) + len(columns)) * len(raw.ids) > _KEPT:
        there = {name: there[name] for name in names if name in there}
    raw = _Raw(epoch=epoch, ids=raw.ids, pseudonyms=raw.pseudonyms, columns={**there, **columns})
    source._cache[:] = [raw]  # noqa: SLF001 - filled here only
    return raw


def _checked(table: pa.Table, epoch: object, key: bytes) -> _Raw:
    """Return the rows' ids and pseudonyms, without a column yet."""
    ids = table.column(ID).combine_chunks()
    if ids.null_count:
        raise ColumnUnfit("a row has no client_id")
    listed = ids.to_pylist()
    if len(set(listed)) < len(listed):
        raise ColumnUnfit("a client stands in two rows: GROUP BY client_id in the view")
    return _Raw(epoch=epoch, ids=ids, pseudonyms=pack(pseudonyms(key, listed)), columns={})


def _columns(table: pa.Table, fields: Collection[Field], ids: pa.StringArray) -> dict[str, Column]:
    """Return the table's columns, each client in the place of its id."""
    found = table.column(ID).combine_chunks()
    if not found.equals(ids):  # no query promises an order
        places = pc.index_in(ids, value_set=found)
        if len(found) != len(ids) or places.null_count:
            raise ColumnUnfit("the view gives other clients when it runs again")
        table = table.take(places)
    return {
        f.name: numpy_column(f, table.column(f.name))
        if f.name in table.column_names
        else absent_column(f, len(ids))
        for f in fields
    }
