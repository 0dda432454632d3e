"""Opening rows a few fields at a time: the same rows, and never many of them in memory."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from federation.errors import RecordsUnavailable
from federation.node import records as door
from federation.node.records import open_in_parts
from tests.federation.node.test_records import hidden, opened, permit, rewrite, view

NAMES = ("defaulted", "age", "education", "income")
GROUPED = (
    "SELECT client_id, any_value(age) AS age, any_value(education) AS education, "
    "any_value(income) AS income, any_value(defaulted) AS defaulted "
    "FROM '{data}/clients.parquet' GROUP BY client_id"
)
PLAIN = "SELECT * FROM '{data}/clients.parquet'"


def parts_of(firm: Any) -> Any:
    node = firm.nodes["risk"]
    leave = permit(firm, *sorted(NAMES))
    records, rest, _ = open_in_parts(leave, node.source, node.pseudonym_key, NAMES)
    return records, rest


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no more than one field of this firm's clients, and read one at a time."""
    monkeypatch.setattr(door, "_AT_ONCE", 1)
    monkeypatch.setattr(door, "_KEPT", 1)


@pytest.mark.parametrize("text", [PLAIN, GROUPED])
def test_parts_hold_what_the_whole_holds(
    firm: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    view(firm, text)
    whole = opened(firm, *sorted(NAMES))
    firm.nodes["risk"].source._cache.clear()
    narrow(monkeypatch)
    records, rest = parts_of(firm)
    parts = list(rest)
    assert [tuple(part) for part in parts] == [(name,) for name in NAMES[1:]]
    place = {client: row for row, client in enumerate(whole.client_ids)}
    order = [place[client] for client in records.client_ids]
    assert sorted(order) == list(range(len(whole.client_ids)))
    for name, column in {**records.columns, **{n: c for p in parts for n, c in p.items()}}.items():
        np.testing.assert_equal(column, whole.columns[name][order])


def test_no_more_columns_are_kept_than_a_part_has(
    firm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view(firm, PLAIN)
    narrow(monkeypatch)
    for part in parts_of(firm)[1]:
        (raw,) = firm.nodes["risk"].source._cache
        assert raw.columns.keys() == part.keys()


def test_a_view_that_groups_runs_once_for_all_parts(
    firm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view(firm, GROUPED)
    narrow(monkeypatch)
    _, rest = parts_of(firm)
    path = firm.nodes["risk"].source.data / "clients.parquet"
    back = hidden(path)
    assert len(list(rest)) == len(NAMES) - 1
    back()


def test_a_client_keeps_its_row_when_the_view_gives_another_order(
    firm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view(firm, PLAIN)
    whole = opened(firm, *sorted(NAMES))
    firm.nodes["risk"].source._cache.clear()
    narrow(monkeypatch)
    records, rest = parts_of(firm)
    path = firm.nodes["risk"].source.data / "clients.parquet"
    stat = path.stat()
    table = pq.read_table(path)
    pq.write_table(table.take(pa.array(range(len(table))[::-1])), path)
    same = (str(path), stat.st_mtime_ns, stat.st_size)
    monkeypatch.setattr(door, "file_state", lambda _source: same)
    (raw,) = firm.nodes["risk"].source._cache
    key = firm.nodes["risk"].pseudonym_key
    firm.nodes["risk"].source._cache[:] = [replace(raw, epoch=(same, key))]
    for part in rest:
        for name, column in part.items():
            np.testing.assert_equal(column, whole.columns[name])
    assert records.client_ids == whole.client_ids


def test_rows_that_change_between_two_parts_are_refused(
    firm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view(firm, PLAIN)
    narrow(monkeypatch)
    _, rest = parts_of(firm)
    rewrite(firm)
    with pytest.raises(RecordsUnavailable, match="changed meanwhile"):
        next(rest)
