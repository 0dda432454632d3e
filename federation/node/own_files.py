"""Files that hold clients: readable by their owner only, and written in one move."""

import os
from pathlib import Path


def write_own(path: Path, data: bytes) -> None:
    """Write a file with mode 0600; whoever looks meanwhile sees the old one, or none.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    unfinished.replace(path)
