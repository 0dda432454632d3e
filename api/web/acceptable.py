"""The studio's sliders: how far each measure of a draft may be off, as targets. Pure."""

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from api.web.builder import Draft
from api.web.forms import Fields
from consent.catalogue import Catalogue
from federation.coordinator.spelling import spelled
from federation.question_plan import Statistic

PARTS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""What a slider's steps stand for: a part of the figure, of the clients, or of all there is."""
CLIENTS: Final = 1000.0
"""How many clients the smallest group is guessed to have unless somebody says otherwise."""
_USUAL = 4
_OF_CLIENTS = {"histogram", "top"}
_OF_ALL = {"proportion", "quantiles", "correlation"}
_STATISTIC: TypeAdapter[Statistic] = TypeAdapter(Statistic)


def step_of_row(fields: Fields, row: int) -> int:
    """Return where the slider of a row stands."""
    return min(max(int(fields.number(f"accept{row}", _USUAL)), 0), len(PARTS) - 1)


def targets_of(draft: Draft, fields: Fields, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the target of the count, and of each measure that makes sense.

    What was typed as a guess stands for the mean of a number, or for the percent of a proportion.
    """
    clients = max(fields.number("clients", CLIENTS), 1.0)
    found: list[dict[str, Any]] = [{"kind": "count", "within": draft.within}]
    asked = draft.request(catalogue)["statistics"][1:]
    for row, statistic in enumerate(asked, 1):
        try:
            (one,) = spelled({"statistics": [statistic]}, catalogue)["statistics"]
            named = _STATISTIC.validate_python(one)
        except ValidationError:
            continue  # the question itself is refused for it
        part, kind = PARTS[step_of_row(fields, row)], statistic["kind"]
        target = {
            "kind": "figure",
            "statistic": named.name,
            "clients": clients,
            "within": part * clients if kind in _OF_CLIENTS else part,
            "relative": kind not in _OF_CLIENTS | _OF_ALL,
        }
        if fields.one(f"about{row}"):
            about = fields.number(f"about{row}", 0.0)
            if kind == "proportion":
                target["part"] = min(max(about / 100, 0.0), 1.0)
            else:
                target["means"] = dict.fromkeys(named.fields, about)
        found.append(target)
    return found
