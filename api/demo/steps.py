"""A progress bar and a stopwatch for each step of a demonstration."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Tell = Callable[[str, float], None]
"""Takes a short sentence and the part done, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Where progress is shown, and how many seconds each step has taken so far."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Tell]:
        """Show one step's bar while its block runs; hands out how to tell what it is doing."""
        started = time.monotonic()
        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[doing]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(escape(title), total=1.0, doing="")

            def tell(doing: str, part: float) -> None:
                progress.update(task, completed=min(part, 0.99), doing=escape(doing))

            yield tell
            progress.update(task, completed=1.0, doing="")
        self.seconds[name] = round(time.monotonic() - started, 2)
