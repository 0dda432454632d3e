"""What a node's own door is started with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """Paths only.

    Attributes:
        node: the department's ``node.toml``.
        model, plan, card: what it scores with, if anything; as of ``infosandbox node score``.
        hosts: the names under which it may be called.
    """

    node: Path
    model: Path | None = None
    plan: Path | None = None
    card: Path | None = None
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
