"""How a pool's budget went down, and where it is heading. Pure, over the ledger's history only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from api.web.charts import Axis, Line, line_chart
from api.web.figures import day, percent
from api.web.language import Language
from privacy.history import Course
from privacy.loss import Rho
from privacy.replay import LEAST_HISTORY, lasts_until

_LOOK_BACK = timedelta(days=90)
_AHEAD = timedelta(days=180)
_MOST_POINTS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """One pool over time. ``points``: when, and the part of the budget that was left then.

    young: it has too little history for a pace, so nothing is said of its end.
    """

    points: tuple[tuple[datetime, float], ...]
    rho_per_day: float
    until: datetime | None
    young: bool


def burn_of(course: Course, *, now: datetime) -> Burn:
    """Follow a pool's course: what was reserved is gone, what was abandoned is back."""
    count = len(course.left)
    if not count:
        return Burn(points=(), rho_per_day=0.0, until=None, young=True)
    young = now - course.times[0] < LEAST_HISTORY
    since = min(max(course.times[0], now - _LOOK_BACK), now - LEAST_HISTORY)
    used = course.used[count - 1]
    rate = max(0.0, used - course.used_before(since)) / ((now - since) / timedelta(days=1))
    left = Rho(max(0.0, course.budget - used))
    points = [(course.times[place], course.left[place]) for place in _spread(count)]
    points.append((now, course.left[count - 1]))
    until = None if young else lasts_until(left, rate, now=now)
    return Burn(points=tuple(points), rho_per_day=rate, until=until, young=young)


def _spread(count: int) -> list[int]:
    """Choose as many of so many places as a line can show, evenly, with the first and the last."""
    shown = min(count, _MOST_POINTS)
    return [n * (count - 1) // max(1, shown - 1) for n in range(shown)]


def draw(burn: Burn, title: str, language: Language) -> Markup:
    """Draw a burn with its forecast: the part that is left, over time."""
    first, last = burn.points[0][0], burn.points[-1][0]
    span = max(last - first, timedelta(days=1))
    end = min(burn.until, last + max(3 * span, _AHEAD)) if burn.until else last + span / 4
    low, high = first.timestamp(), end.timestamp()
    x = Axis(low=low, high=high, ticks=[(low, day(first, language)), (high, day(end, language))])
    y = Axis(
        low=0, high=1, ticks=[(part, percent(part, language)) for part in (0, 0.25, 0.5, 0.75, 1)]
    )
    now_left = burn.points[-1][1]
    ahead = 0.0
    if burn.until and burn.until > last:
        ahead = now_left * (1 - (end - last) / (burn.until - last))
    lines = [Line(points=[(at.timestamp(), left) for at, left in burn.points], steps=True)]
    if burn.until:
        forecast = [(last.timestamp(), now_left), (high, ahead)]
        lines.append(Line(points=forecast, name="forecast"))
    return line_chart(x, y, lines, title=title, marks=[(last.timestamp(), now_left)])
