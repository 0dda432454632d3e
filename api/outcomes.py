"""What a notebook holds of a run: its figures as frames, and a cube that answers for free."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from api.cube_schemas import LinearModelView, RelationsView, TableView
from api.errors import RunRefused
from api.frames import Line, frame, lines
from api.schemas import RunView

if TYPE_CHECKING:
    import polars as pl

Json = dict[str, Any]


class Get(Protocol):
    """How a cube is asked: as ``api.client.Client.get``."""

    def __call__(self, path: str, /) -> Any:  # noqa: ANN401 - any JSON
        """Return what a route answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that a notebook asked for, as it is now."""

    run: RunView

    @property
    def result(self) -> Json:
        """What was released; RunRefused if nothing was, and nothing will be."""
        if self.run.refusal is not None:
            raise RunRefused(self.run.id, self.run.refusal["code"], self.run.refusal["text"])
        return self.run.result or {}

    @property
    def label(self) -> Json:
        """What an auditor needs to recompute the release's cost and doubt its claims."""
        return self.run.label or {}

    def lines(self) -> list[Line]:
        """Return the released figures, a dictionary each: ``pandas.DataFrame(outcome.lines())``.

        Raises:
            RunRefused: nothing was released.
            NoFigures: what was released is a model or a file.
        """
        return lines(self.result)

    def frame(self) -> "pl.DataFrame":
        """Return the same as a polars frame.

        Raises:
            RunRefused, NoFigures: as ``lines``.
            ImportError: without the extra ``notebook``.
        """
        return frame(self.result)


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeOutcome(Outcome):
    """A released cube. Its answers cost nothing; every one of their intervals is of the noise."""

    get: Get = field(repr=False)

    def counts(self, *fields: str) -> TableView:
        """Return the histogram of one field or the crosstab of two; raises as ``Client.get``."""
        return TableView.model_validate(self._answer("table", *(("field", f) for f in fields)))

    def counts_frame(self, *fields: str) -> "pl.DataFrame":
        """Return the same as a polars frame, with the ends of the intervals."""
        found = self.counts(*fields).model_dump(mode="json")
        return frame({"kind": "question", "rows": found["rows"]})

    def relations(self) -> RelationsView:
        """Return how strongly every two fields go together, the strongest first."""
        return RelationsView.model_validate(self._answer("relations"))

    def model(self, target: str, *, label: str | None = None) -> LinearModelView:
        """Return a linear model of one field, given all others."""
        asked = [("target", target), *([("label", label)] if label else [])]
        return LinearModelView.model_validate(self._answer("model", *asked))

    def _answer(self, what: str, *asked: tuple[str, str]) -> Any:  # noqa: ANN401 - any JSON
        return self.get(f"/api/v1/cubes/{self.run.id}/{what}?{urlencode(asked)}")
