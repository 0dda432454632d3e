from pathlib import Path

import pytest

from api.demo.errors import FolderInvalid
from api.demo.folder import DemoFolder, read_folder
from api.demo.tables import Split, department_rows, is_held_out, register_rows


def rows(folder: DemoFolder, name: str) -> Split:
    return department_rows(name, folder.departments[name], folder.catalogue)


def ids(split: Split) -> tuple[set[str], set[str]]:
    kept, held_out = split.kept, split.held_out
    return set(kept.column("client_id").to_pylist()), set(held_out.column("client_id").to_pylist())


def test_a_client_is_on_the_same_side_at_every_department(tiny_folder: Path) -> None:
    folder = read_folder(tiny_folder)
    kept_there, held_out_there = ids(rows(folder, "lending"))
    kept_here, held_out_here = ids(rows(folder, "wealth"))
    assert kept_there & kept_here
    assert held_out_there & held_out_here
    assert not (kept_there | kept_here) & (held_out_there | held_out_here)


def test_about_thirty_percent_are_held_out() -> None:
    share = sum(is_held_out(f"client {number}") for number in range(20_000)) / 20_000
    assert 0.28 < share < 0.32


def test_spellings_meet_before_the_split(tiny_folder: Path) -> None:
    kept, held_out = ids(rows(read_folder(tiny_folder), "lending"))
    assert all(client.startswith("c0") and "-" not in client for client in kept | held_out)


def test_only_the_fields_a_department_holds_are_read(tiny_folder: Path) -> None:
    split = rows(read_folder(tiny_folder), "wealth")
    names = ["client_id", "region", "income", "patience", "buys_bonds"]
    assert split.kept.column_names == names


def test_the_register_is_read_under_normalized_ids(tiny_folder: Path) -> None:
    folder = read_folder(tiny_folder)
    register = register_rows(folder.register, folder.data)
    assert len(register) == 400
    assert {level for _, _, level in register} == {0, 1, 2, 3, 4}
    assert all(client.startswith("c0") for client, _, _ in register)


ID = "lower(id) AS client_id"
FILE = "FROM '{data}/accounts.csv'"
VIEWS = [
    (f"SELECT {ID} {FILE}", "no column buys_bonds"),
    (f"SELECT {ID}, region, income, patience, region AS buys_bonds {FILE}", "holds string"),
    (f"SELECT {ID}, region, region AS income, patience, buys_bonds {FILE}", "income holds string"),
    (f"SELECT {ID}, region, 1/0.0 AS income, patience, buys_bonds {FILE}", "not finite"),
    (f"SELECT {ID}, 'mars' AS region, income, patience, buys_bonds {FILE}", "none of: north"),
    (f"SELECT 'c1' AS client_id, region, income, patience, buys_bonds {FILE}", "two rows"),
    (f"SELECT NULL AS client_id, region, income, patience, buys_bonds {FILE}", "no client_id"),
    (f"SELECT ' ' || id AS client_id, region, income, patience, buys_bonds {FILE}", "white space"),
    (f"SELECT nonsense {FILE}", "Binder"),
    (f"SELECT region::INT AS client_id, region, income, patience, buys_bonds {FILE}", "Conversion"),
    ("SELECT * FROM '{data}/../lending/loans.csv'", "Permission"),
    ("SELECT * FROM '{data}/no.csv'", "fails"),
    ("SELECT 1; SELECT 2", "not one SELECT"),
    ("COPY (SELECT 1) TO '{data}/out.csv'", "not one SELECT"),
]


@pytest.mark.parametrize(("view", "told"), VIEWS)
def test_a_view_that_does_not_fit_is_named_without_a_row(
    tiny_folder: Path, view: str, told: str
) -> None:
    file = tiny_folder / "departments" / "wealth" / "view.sql"
    file.write_text(view)
    with pytest.raises(FolderInvalid, match=told) as caught:
        rows(read_folder(tiny_folder), "wealth")
    assert caught.value.file == file
    assert "c0" not in str(caught.value)
    assert not (tiny_folder / "data" / "wealth" / "out.csv").exists()


def test_a_level_that_is_text_is_refused(tiny_folder: Path) -> None:
    file = tiny_folder / "register.sql"
    file.write_text(file.read_text().replace(", level", ", 'high' AS level"))
    folder = read_folder(tiny_folder)
    with pytest.raises(FolderInvalid, match="whole numbers"):
        register_rows(folder.register, folder.data)


def test_a_register_with_a_gap_is_refused(tiny_folder: Path) -> None:
    file = tiny_folder / "register.sql"
    file.write_text(file.read_text().replace(", level", ", NULL::INT AS level"))
    folder = read_folder(tiny_folder)
    with pytest.raises(FolderInvalid, match="NULL"):
        register_rows(folder.register, folder.data)
