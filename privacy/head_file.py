"""A ledger's head in a file of its own: what a restored database cannot take back."""

import fcntl
from pathlib import Path

from privacy.heads import Head, head_text, read_head


def read_head_file(path: Path) -> Head | None:
    """Return the head in a file; None if there is no file, or nothing readable in it."""
    try:
        return read_head(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def keep_head_file(path: Path, head: Head, *, over: int | None = None) -> None:
    """Keep a head in a file, unless a later one is there already.

    Several processes may keep theirs at once. It is written after the ledger is, so a crash in
    between leaves the head before; it never tells of an entry that was not written.

    Args:
        path: the file; a lock file stands beside it.
        head: of a committed state.
        over: the length of a later head that may be replaced, after a repair.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = read_head_file(path)
        if kept is not None and kept.length > head.length and kept.length != over:
            return
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(head_text(head), encoding="utf-8")
        fresh.replace(path)
