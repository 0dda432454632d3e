"""What can keep a demonstration from running; every message says what to do."""

# ruff: noqa: N818 - a refusal is named after what is refused

from pathlib import Path

from api.errors import DoorError


class DemoError(DoorError):
    """Base of the demonstration's errors."""


class FolderInvalid(DemoError):
    """A file of the demo folder is missing or wrong.

    Attributes:
        file: its place.
        reason: what is wrong and what to do; it quotes no row.
    """

    def __init__(self, file: Path, reason: str) -> None:
        """Keep the file and the reason."""
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")


class StateForeign(DemoError):
    """The state folder holds something a demonstration did not write; it is left alone.

    Attributes:
        state: the folder.
    """

    def __init__(self, state: Path) -> None:
        """Keep the folder."""
        self.state = state
        super().__init__(
            f"{state} is not empty and was not made by a demonstration. Nothing in it was touched: "
            "name another folder with --state."
        )


class StoryBroken(DemoError):
    """The coordinator refused what the demonstration needs, or answered what it should refuse.

    Attributes:
        step: of the story.
        code: the refusal's code.
    """

    def __init__(self, step: str, code: str, text: str) -> None:
        """Keep the step and the code."""
        self.step = step
        self.code = code
        super().__init__(f"{step} ({code}): {text}")
