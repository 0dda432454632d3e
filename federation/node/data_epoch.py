"""The state of a department's files: its own name for it, and the keyed one that it tells."""

import hmac
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federation.node.records import Source


def data_epoch(source: "Source", key: bytes) -> str:
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
        state, named = (file_state(source), key), source._named  # noqa: SLF001 - filled here only
        if state not in named:
            name = hmac.new(key, digestmod=sha256)
            for path in _files(source):
                with path.open("rb") as file:
                    content = file_digest(file, sha256).digest()
                name.update(sha256(str(path.relative_to(path.anchor)).encode()).digest() + content)
            named.clear()
            named[state] = name.hexdigest()
        return named[state]
    except OSError:
        return ""


def file_state(source: "Source") -> tuple[object, ...]:
    """Name the state of the files: path, time of change and size of each, the view included."""
    stats = [(str(path), path.stat()) for path in _files(source)]
    return tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def _files(source: "Source") -> list[Path]:
    return [source.view, *sorted(p for p in source.data.rglob("*") if p.is_file())]
