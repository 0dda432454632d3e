"""The frontier of a question: what error each loss buys, drawn and as words."""

import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from api.web.charts import Axis, Line, line_chart
from api.web.figures import loss, number
from api.web.language import Language
from privacy.odds import Odds, Point


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_WORDS: Final = (
    (0.52, _("Hardly better than a coin: very strong protection.")),
    (0.56, _("A little better than a coin: strong protection.")),
    (0.62, _("Noticeably better than a coin: fair protection.")),
    (0.75, _("Often right: weak protection. Have a good reason.")),
    (1.01, _("Nearly always right: hardly any protection is left.")),
)
_LEAST, _STEPS_A_DECADE = 3.0, 8


def protection(odds: Odds) -> str:
    """Say in English how well an attacker guesses against this noise."""
    return next(text for most, text in _WORDS if odds.gaussian_guess < most)


def error_at(step: int) -> float:
    """Return the error that a step of the slider stands for: 3 clients, then up by an eighth."""
    value = _LEAST * 10 ** (step / _STEPS_A_DECADE)
    places = 1 - math.floor(math.log10(value))
    return round(value, places)


def step_of(error: float) -> int:
    """Return the step that is nearest to an error."""
    return round(_STEPS_A_DECADE * math.log10(max(error, _LEAST) / _LEAST))


def draw(
    points: Sequence[Point],
    marks: Sequence[tuple[float, float]],
    *,
    title: str,
    language: Language,
) -> Markup:
    """Draw the count's error over ε, both on logarithmic axes."""
    told = [(p.epsilon.value, p.errors[0]) for p in points if math.isfinite(p.errors[0])]
    errors = [error for _epsilon, error in told] or [1.0, 10.0]
    low, high = points[0].epsilon.value, points[-1].epsilon.value
    x_ticks = [
        (e, loss(e, language)) for e in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= e <= high
    ]
    decades = range(math.floor(math.log10(min(errors))), math.ceil(math.log10(max(errors))) + 1)
    y_ticks = [(10.0**d, f"±{number(10.0**d, language)}") for d in decades]
    x = Axis(low=low, high=high, ticks=x_ticks, log=True)
    y = Axis(low=y_ticks[0][0], high=y_ticks[-1][0], ticks=y_ticks, log=True)
    return line_chart(x, y, [Line(points=told)], title=title, marks=marks)
