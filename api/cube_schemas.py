"""The wire of a released cube: what it answers."""

from pydantic import Field

from api.wire import Wire


class _Answer(Wire):
    cube: str = Field(description="the run that released it")
    epoch: int = Field(description="of consent, that every department at least held")
    age_s: int = Field(description="seconds since it was released")
    level: float = Field(description="of the half widths, which cover the noise alone")


class FigureView(Wire):
    """A figure and the half width of its interval."""

    value: float
    half_width: float


class InformationView(FigureView):
    """Mutual information in bits; noise raises it by about the bias."""

    bias: float


class NoteView(Wire):
    """Why there is no figure."""

    note: str


class CellView(Wire):
    """One cell of a table."""

    cell: dict[str, str]
    count: FigureView


class TableView(_Answer):
    """A histogram or a crosstab. Two departments' fields count the clients whom both know."""

    fields: list[str]
    departments: list[str]
    rows: list[CellView]


class PairView(Wire):
    """How strongly two fields go together."""

    fields: list[str]
    mutual_information: InformationView | NoteView
    correlation: FigureView | NoteView


class RelationsView(_Answer):
    """Every two fields of a cube, the strongest first."""

    pairs: list[PairView]


class LogOddsView(Wire):
    """A client's log odds of the label: intercept + slope times the score, roughly."""

    intercept: float
    slope: float


class LinearModelView(_Answer):
    """A linear model: a client's score is the base plus the weight of each of its labels."""

    target: str
    label: str
    base: float
    weights: dict[str, dict[str, FigureView]]
    log_odds: LogOddsView
    post_processing: str
