"""Switching to the write-ahead log waits for whoever else switches, and for nothing else."""

import sqlite3
from collections.abc import Callable

import pytest

import consent.write_ahead
import privacy.write_ahead

Execute = Callable[[str], object]
BOTH = [consent.write_ahead.write_ahead, privacy.write_ahead.write_ahead]


@pytest.mark.parametrize("switch", BOTH)
def test_a_locked_file_is_tried_again(switch: Callable[[Execute], None]) -> None:
    heard: list[str] = []

    def execute(statement: str) -> None:
        heard.append(statement)
        if len(heard) < 4:
            raise sqlite3.OperationalError("database is locked")

    switch(execute)
    assert heard == ["PRAGMA journal_mode = WAL"] * 4


@pytest.mark.parametrize("switch", BOTH)
def test_any_other_failure_ends_it(switch: Callable[[Execute], None]) -> None:
    def execute(_statement: str) -> None:
        raise sqlite3.DatabaseError("file is not a database")

    with pytest.raises(sqlite3.DatabaseError):
        switch(execute)
