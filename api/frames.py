"""Released figures as lines of a table, and as a polars frame: a value, and where the truth lies.

``low`` and ``high`` bound the noise alone, at the result's level; ``overall_low`` and
``overall_high`` noise and sampling together, where that is defined. A figure that is not told has a
``note`` and nothing else. Needs the extra ``notebook``.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from api.errors import NoFigures

if TYPE_CHECKING:
    import polars as pl

Line = dict[str, Any]

COLUMNS: Final = (
    "statistic",
    "label",
    "value",
    "low",
    "high",
    "overall_low",
    "overall_high",
    "note",
)
_TEXT: Final = frozenset({"statistic", "label", "note"})


def lines(result: Mapping[str, Any]) -> list[Line]:
    """Return one line per figure of a result: the cell it is of, then ``COLUMNS``. Pure.

    Plain dictionaries, as pandas takes them too: ``pandas.DataFrame(lines(result))``.

    Raises:
        NoFigures: it has none, as a training's, which is a model.
    """
    if result.get("kind") == "question":
        found = [line for row in result["rows"] for line in _of_row(row)]
    else:
        found = [_line(name, figure) for name, figure in _figures(result, "")]
    if not found:
        raise NoFigures(str(result.get("kind")))
    return found


def frame(result: Mapping[str, Any]) -> "pl.DataFrame":
    """Return the lines of a result as a polars frame; raises as ``lines``, and ImportError."""
    import polars as pl  # noqa: PLC0415 - an extra: only notebooks need it

    found = lines(result)
    cell = [name for name in found[0] if name not in COLUMNS]
    text = {*cell, *_TEXT}
    schema = {name: pl.String if name in text else pl.Float64 for name in (*cell, *COLUMNS)}
    return pl.DataFrame(found, schema=schema)


def _of_row(row: Mapping[str, Any]) -> Iterator[Line]:
    """Yield every figure of one cell of a question; a field named as a column is set apart."""
    cell = {f"{name} (field)" if name in COLUMNS else name: at for name, at in row["cell"].items()}
    for name, figure in _figures({k: v for k, v in row.items() if k != "cell"}, ""):
        yield cell | _line(name, figure)


def _figures(node: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401 - any JSON
    """Find whatever has a value or a note, and name it by where it was found."""
    if isinstance(node, Mapping):
        if "value" in node or (name and "note" in node):
            yield name, node
            return
        for key, below in node.items():
            yield from _figures(below, f"{name}.{key}" if name else key)
    elif isinstance(node, list):
        for below in node:
            yield from _figures(below, name)


def _line(name: str, figure: Mapping[str, Any]) -> Line:
    value = figure.get("value")
    low, high = _bounds(value, figure.get("interval", figure.get("half_width")))
    label = figure.get("label")
    return {
        "statistic": name.removeprefix("means."),
        "label": None if label is None else str(label),
        "value": value,
        "low": figure.get("low", low),
        "high": figure.get("high", high),
        "overall_low": figure.get("overall_low"),
        "overall_high": figure.get("overall_high"),
        "note": figure.get("note"),
    }


def _bounds(value: float | None, width: Any) -> tuple[float | None, float | None]:  # noqa: ANN401 - any JSON
    if isinstance(width, list):
        low, high = width
        return low, high
    if value is None or not isinstance(width, int | float):
        return None, None
    return value - width, value + width
