"""Switching on SQLite's write-ahead log while others do; `consent` has the same function."""

import sqlite3
import time
from collections.abc import Callable

_PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.01


def write_ahead(execute: Callable[[str], object]) -> None:
    """Let other processes read while one writes; SQLite remembers it in the file.

    SQLite's own patience does not cover this switch: while another process makes it, the file is
    locked, and the statement fails at once. So it is tried again.

    Args:
        execute: of a cursor outside a transaction.

    Raises:
        sqlite3.OperationalError: the file was locked for ten seconds.
    """
    last = time.monotonic() + _PATIENCE_S
    while True:
        try:
            execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > last:
                raise
            time.sleep(_LOOK_AGAIN_S)
        else:
            return
