"""The door: no row without a permit, no cell above its client's level, no value in an error."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent.decisions import decide
from consent.epochs import EpochDelta, Snapshot, apply, pseudonyms
from consent.errors import PermitForged
from federation.errors import RecordsUnavailable
from federation.node.records import Records, open_records

NOW = 1_800_000_000


def permit(firm: Any, *names: str, department: str = "risk") -> Any:
    key = firm.nodes[department].pseudonym_key
    delta = EpochDelta(
        department=department,
        base=0,
        epoch=1,
        issued_at=NOW,
        expires_at=NOW + 600,
        pseudonyms=b"".join(pseudonyms(key, firm.levels)),
        levels=bytes(firm.levels.values()),
    )
    fields = tuple(firm.catalogue.field(name) for name in names)
    snapshot = apply(Snapshot.empty(department), delta)
    return decide(snapshot, fields, "review", now=NOW, at_least=1)


def opened(firm: Any, *names: str) -> Records:
    node = firm.nodes["risk"]
    return open_records(permit(firm, *names), node.source, node.pseudonym_key)


def refusal(firm: Any, *names: str) -> str:
    with pytest.raises(RecordsUnavailable) as error:
        opened(firm, *names)
    assert "CL0" not in str(error.value)
    assert error.value.__cause__ is None
    return str(error.value)


def rewrite(firm: Any, **columns: Any) -> None:
    table = {"client_id": ["CL00004", "CL00009"], "age": [40, 50], "education": ["school"] * 2}
    table |= {"income": [1.0, 2.0], "defaulted": [True, False]} | columns
    firm.levels |= dict.fromkeys(("CL00004", "CL00009"), 4)
    pq.write_table(pa.table(table), firm.nodes["risk"].source.data / "clients.parquet")


def view(firm: Any, text: str) -> None:
    firm.nodes["risk"].source.view.write_text(text)


def test_every_cell_that_comes_out_is_covered_by_its_clients_level(firm: Any) -> None:
    records = opened(firm, "age", "education", "income")
    assert records.fields == ("age", "education", "income")
    schools = ("school", "university", "other")
    seen = set()
    for row, client in enumerate(records.client_ids):
        level, facts = firm.levels[client], firm.rows["risk"][client]
        seen.add(level)
        age, school, income = (records.columns[name][row] for name in records.fields)
        expected_age = facts["age"] if level >= 1 and facts["age"] is not None else np.nan
        expected_income = facts["income"] if level >= 4 and facts["income"] is not None else np.nan
        np.testing.assert_equal(age, float(expected_age))
        np.testing.assert_equal(income, float(expected_income))
        there = level >= 2 and facts["education"] is not None
        assert school == (schools.index(facts["education"]) if there else -1)
    assert seen == {1, 2, 3, 4}


def test_a_row_without_an_open_cell_does_not_come_out(firm: Any) -> None:
    expected = {c for c in firm.rows["risk"] if firm.levels[c] == 4}
    assert set(opened(firm, "income").client_ids) == expected


def test_no_field_opens_the_clients_who_gave_any_authorization(firm: Any) -> None:
    records = opened(firm)
    assert set(records.client_ids) == {c for c in firm.rows["risk"] if firm.levels[c] >= 1}
    assert records.columns == {}


def test_a_client_the_register_does_not_know_stays_closed(firm: Any) -> None:
    del firm.levels["CL00009"]
    assert "CL00009" not in opened(firm, "age").client_ids


def test_a_field_of_other_departments_is_absent(firm: Any) -> None:
    node = firm.nodes["advisory"]
    leave = permit(firm, "income", "age", department="advisory")
    records = open_records(leave, node.source, node.pseudonym_key)
    assert np.isnan(records.columns["income"]).all()
    assert not np.isnan(records.columns["age"]).all()
    assert not records.complete(["income", "age"]).any()


def test_a_permit_cannot_be_made_by_hand_or_carried_to_another_department(firm: Any) -> None:
    leave = permit(firm, "age")
    with pytest.raises(PermitForged):
        type(leave)(
            department="risk",
            purpose="review",
            epoch=1,
            fields=("age",),
            _needed=(),
            _standings=np.zeros(1, dtype=np.uint8),
            _snapshot=leave._snapshot,
            _seal=object(),
        )
    node = firm.nodes["research"]
    with pytest.raises(RecordsUnavailable, match="another department"):
        open_records(leave, node.source, node.pseudonym_key)


def test_records_and_their_source_show_no_row(firm: Any) -> None:
    text = repr(opened(firm, "age")) + repr(firm.nodes["risk"].source)
    assert "CL0" not in text
    assert "array" not in text
    assert text.startswith("Records(department='risk', fields=('age',))")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"age": ["forty", "50"]}, "age holds string where numbers"),
        ({"age": [True, False]}, "age holds bool where numbers"),
        ({"age": [40.0, float("inf")]}, "age holds a number that is not finite"),
        ({"education": ["school", "CANARY"]}, "education holds a value that is none of: school"),
        ({"education": [1.5, 2.5]}, "education holds double where categories"),
        ({"defaulted": [0, 7]}, "defaulted holds a value that is none of: no, yes"),
        ({"defaulted": ["yes", "no"]}, "defaulted holds string where yes or no"),
        ({"client_id": ["CL00004", "CL00004"]}, "GROUP BY client_id"),
        ({"client_id": ["CL00004", None]}, "no client_id"),
        ({"client_id": ["CL00004", " CL00009"]}, "white space"),
    ],
)
def test_a_column_that_does_not_fit_is_refused_without_a_value(
    firm: Any, columns: dict[str, Any], said: str
) -> None:
    rewrite(firm, **columns)
    text = refusal(firm, "age", "education", "defaulted")
    assert said in text
    assert "CANARY" not in text


def test_absent_is_null_or_nan_and_nothing_else(firm: Any) -> None:
    rewrite(firm, age=[None, float("nan")], education=[None, "other"], defaulted=[1.0, np.nan])
    records = opened(firm, "age", "education", "defaulted")
    assert np.isnan(records.columns["age"]).all()
    assert sorted(records.columns["education"]) == [-1, 2]
    assert sorted(records.columns["defaulted"]) == [-1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELEC nonsense", "ParserException"),
        ("SELECT client_id FROM nowhere", "CatalogException"),
        ("SELECT client_id FROM read_parquet('{data}/clients.parquet')", "no column age"),
        ("SELECT 1 AS age", "no column client_id"),
        ("SELECT 1; SELECT 2", "not one SELECT"),
        ("", "not one SELECT"),
        ("COPY (SELECT 1) TO '{data}/copy.csv'", "not one SELECT"),
        ("SET enable_external_access = true", "not one SELECT"),
        ("SELECT client_id, CAST(education AS INT) AS age FROM '{data}/clients.parquet'", "Conv"),
        ("SELECT content AS client_id, 1 AS age FROM read_text('/etc/passwd')", "Permission"),
        ("SELECT * FROM '{data}/../../research/data/clients.parquet'", "Permission"),
    ],
)
def test_a_view_that_fails_is_refused_without_its_message(firm: Any, text: str, said: str) -> None:
    view(firm, text)
    told = refusal(firm, "age")
    assert said in told
    assert "school" not in told
    assert not (firm.nodes["risk"].source.data / "copy.csv").exists()


def test_a_missing_file_or_view_is_refused(firm: Any) -> None:
    source = firm.nodes["risk"].source
    (source.data / "clients.parquet").unlink()
    assert "the view fails" in refusal(firm, "age")
    source.view.unlink()
    assert "cannot be read" in refusal(firm, "age")


def test_the_view_may_join_group_and_end_in_a_comment(firm: Any) -> None:
    view(
        firm,
        "SELECT upper(client_id) AS client_id, max(age) AS age -- one row a client\n"
        "FROM read_parquet('{data}/*.parquet') GROUP BY client_id; -- done",
    )
    assert len(opened(firm, "age").client_ids) > 0


def test_a_data_folder_with_a_quote_in_its_name_is_only_a_folder(make_firm: Any) -> None:
    firm = make_firm()
    source = firm.nodes["risk"].source
    strange = source.data.parent / "it's data"
    source.data.rename(strange)
    moved = type(source)(
        department="risk", data=strange, view=source.view, catalogue=source.catalogue
    )
    records = open_records(permit(firm, "age"), moved, firm.nodes["risk"].pseudonym_key)
    assert len(records.client_ids) > 0


def test_a_second_question_does_not_read_the_files_again(firm: Any) -> None:
    first = opened(firm, "age", "income")
    source = firm.nodes["risk"].source
    kept = hidden(source.data / "clients.parquet")
    again = opened(firm, "income")
    assert again.client_ids
    kept()
    np.testing.assert_equal(opened(firm, "age", "income").columns["age"], first.columns["age"])


def hidden(path: Path) -> Any:
    """Spoil a file in place without changing its size or time; return the way back."""
    content, stat = path.read_bytes(), path.stat()
    path.write_bytes(bytes(len(content)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def back() -> None:
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return back


def test_a_new_data_epoch_is_read(firm: Any) -> None:
    opened(firm, "age")
    rewrite(firm)
    assert sorted(opened(firm, "age").client_ids) == ["CL00004", "CL00009"]


def test_the_cache_never_answers_for_the_permit(firm: Any) -> None:
    firm.levels = dict.fromkeys(firm.levels, 4)
    everyone = opened(firm, "age", "income")
    assert np.isfinite(everyone.columns["income"]).any()
    firm.levels = dict.fromkeys(firm.levels, 1)
    later = opened(firm, "age", "income")
    assert not np.isfinite(later.columns["income"]).any()
    assert np.isfinite(everyone.columns["income"]).any()
