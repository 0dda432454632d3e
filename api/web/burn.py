"""How a pool's budget went down, and where it is heading. Pure, over ledger entries only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from api.web.charts import Axis, Line, line_chart
from api.web.figures import day, percent
from api.web.language import Language
from privacy.entries import Abandoned, Changed, Entry, Opened, Reserved
from privacy.loss import Rho
from privacy.pools import lineage
from privacy.replay import burn_rate, lasts_until

_LOOK_BACK = timedelta(days=90)
_AHEAD = timedelta(days=180)
_LEAST = timedelta(days=14)
"""An hour of history is no pace: what was spent is spread over two weeks at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """One pool over time. ``points``: when, and the part of the budget that was left then."""

    points: tuple[tuple[datetime, float], ...]
    rho_per_day: float
    until: datetime | None


def burn_of(entries: Iterable[Entry], pool: str, *, now: datetime) -> Burn:
    """Follow a pool through a ledger: what was reserved is gone, what was abandoned is back."""
    budget, used = 0.0, 0.0
    points: list[tuple[datetime, float]] = []
    held: dict[str, tuple[datetime, Rho]] = {}
    for event in (entry.event for entry in entries):
        if isinstance(event, Opened | Changed) and event.pool == pool:
            budget = event.budget.value
        elif isinstance(event, Reserved) and pool in lineage(event.pool):
            held[event.request] = (event.at, event.rho)
            used += event.rho.value
        elif isinstance(event, Abandoned) and event.request in held:
            used -= held.pop(event.request)[1].value
        else:
            continue
        points.append((event.at, max(0.0, 1 - used / budget) if budget else 0.0))
    if not points:
        return Burn(points=(), rho_per_day=0.0, until=None)
    since = min(max(points[0][0], now - _LOOK_BACK), now - _LEAST)
    rate = burn_rate(held.values(), since=since, until=now)
    left = Rho(max(0.0, budget - used))
    points.append((now, points[-1][1]))
    return Burn(points=tuple(points), rho_per_day=rate, until=lasts_until(left, rate, now=now))


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
