"""The node's own log: one JSON object a line, in the state folder, never sent anywhere.

Callers give names, digests and codes, no exception text and no value of a row.
"""

from pathlib import Path
from traceback import extract_tb
from types import TracebackType

import structlog
from structlog.typing import FilteringBoundLogger


def open_log(path: Path) -> FilteringBoundLogger:
    """Open the log for appending, one line at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8", buffering=1)
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(file),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return log


def places(traceback: TracebackType | None) -> list[str]:
    """Name the lines an exception passed, without its text and without source or values."""
    return [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in extract_tb(traceback)]
