"""Several processes open one new database at once: all of them find its log and its tables."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Column, Index, Integer, MetaData, Table, inspect

from federation.database import create_tables, open_database, write_ahead

OPENING = """
import sys, time
import pytest
from sqlalchemy import Column, Index, Integer, MetaData, Table
from federation.database import create_tables, open_database
metadata = MetaData()
for number in range(40):
    table = Table(f"t{number}", metadata, Column("a", Integer))
    Index(f"i{number}", table.c.a)
engine = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
create(engine, metadata)
"""


def opened_together(url: str, create: str) -> int:
    """Let four processes create the same forty tables; return how many of them failed."""
    code = OPENING.replace("create(engine, metadata)", create)
    command = [sys.executable, "-c", code, url]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    many = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing) for _ in range(4)]
    for one in many:
        assert one.stdout is not None
        one.stdout.readline()
    for one in many:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    return sum(one.wait() != 0 for one in many)


def test_four_processes_make_the_same_tables_at_once(tmp_path: Path) -> None:
    for turn in range(3):
        url = f"sqlite:///{tmp_path / str(turn)}.db"
        assert opened_together(url, "create_tables(engine, metadata)") == 0
        assert len(inspect(open_database(url)).get_table_names()) == 40


def test_looking_first_and_creating_then_is_caught(tmp_path: Path) -> None:
    found = 0
    for turn in range(20):
        url = f"sqlite:///{tmp_path / str(turn)}.db"
        found += opened_together(url, "metadata.create_all(engine)")
        if found:
            break
    assert found


def test_what_is_there_stays(tmp_path: Path) -> None:
    metadata = MetaData()
    table = Table("t", metadata, Column("a", Integer))
    other = Table("u", metadata, Column("a", Integer))
    Index("i", table.c.a)
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    create_tables(engine, metadata, [table])
    with engine.begin() as db:
        db.execute(table.insert().values(a=1))
    create_tables(engine, metadata)
    with engine.connect() as db:
        assert db.execute(table.select()).scalar_one() == 1
        assert db.execute(other.select()).all() == []


def test_the_file_is_in_write_ahead_mode(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'x.db'}").connect() as db:
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_a_file_that_another_process_switches_is_tried_again() -> None:
    heard: list[str] = []

    def execute(statement: str) -> None:
        heard.append(statement)
        if len(heard) < 4:
            raise sqlite3.OperationalError("database is locked")

    write_ahead(execute)
    assert heard == ["PRAGMA journal_mode = WAL"] * 4


def test_any_other_failure_of_the_switch_ends_it() -> None:
    def execute(_statement: str) -> None:
        raise sqlite3.DatabaseError("file is not a database")

    with pytest.raises(sqlite3.DatabaseError):
        write_ahead(execute)
