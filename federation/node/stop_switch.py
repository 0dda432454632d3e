"""A department's stop switch: while its file is there, the node answers no leg of any plan.

The file outlives restarts. It is looked at before anything else of a leg, so a refusal costs
nothing that was not spent before.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from federation.errors import NodeStopped


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSwitch:
    """The switch of one department. ``file`` is there while the node is stopped."""

    department: str
    file: Path

    def check(self) -> None:
        """Refuse while the node is stopped; also if that cannot be found out.

        Raises:
            NodeStopped: the department has stopped its node.
        """
        try:
            self.file.stat()
        except FileNotFoundError:
            return
        except OSError:
            pass
        raise NodeStopped(self.department)

    def stopped(self) -> bool:
        """Say whether the node refuses every plan."""
        try:
            self.check()
        except NodeStopped:
            return True
        return False

    def stop(self, *, now: datetime) -> None:
        """Stop the node from its next leg on; a node that is stopped stays so."""
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(now.astimezone(UTC).isoformat())

    def start(self) -> None:
        """Let the node answer again; a node that runs goes on."""
        self.file.unlink(missing_ok=True)
