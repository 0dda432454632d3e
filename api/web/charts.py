"""Charts drawn as SVG on the server. Every page that shows one shows its figures in a table too.

No style and no script stands in them: classes are styled by the console's one style sheet, so they
are light and dark with the page, and strict headers let them through.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDE, HIGH = 640, 240
_NEAR_END = 0.97
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The values that a column of bars has room for."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value lies, in hundredths of the width, kept within it."""
        width = self.high - self.low
        return max(0.0, min(100.0, 100 * (value - self.low) / width)) if width > 0 else 50.0


def span_of(ends: Sequence[float]) -> Span:
    """Return the span that holds the ends of intervals, and zero where it is near."""
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    low = min(low, 0.0) if low < (high - low) / 2 else low
    return Span(low=low, high=high if high > low else low + 1)


def interval_bar(
    value: float, noise: tuple[float, float], overall: tuple[float, float], span: Span
) -> Markup:
    """Draw one value with the interval of its noise and, thinner, the overall one around it."""
    parts = [_rule("bar-axis", 0, 100)]
    parts.append(_rule("bar-wider", *map(span.at, overall)))
    parts.append(_rule("bar-noise", *map(span.at, noise)))
    x = span.at(value)
    parts.append(f'<line class="bar-value" x1="{x:.2f}" x2="{x:.2f}" y1="3" y2="17"/>')
    return _row(parts)


def gauge(spent: float, reserved: float, whole: float) -> Markup:
    """Draw what is spent, reserved and left of a whole; the reserved part is hatched."""
    used = min(100.0, 100 * spent / whole) if whole > 0 else 100.0
    held = min(100.0 - used, 100 * reserved / whole) if whole > 0 else 0.0
    return _row(
        [
            '<rect class="gauge-left" x="0" y="4" width="100" height="12"/>',
            f'<rect class="gauge-spent" x="0" y="4" width="{used:.2f}" height="12"/>',
            f'<rect class="gauge-reserved" x="{used:.2f}" y="4" width="{held:.2f}" height="12"/>',
        ]
    )


def _row(parts: Sequence[str]) -> Markup:
    body = "".join(parts)
    return Markup(  # noqa: S704 - numbers only
        '<svg class="bar" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{body}</svg>'
    )


def _rule(name: str, left: float, right: float) -> str:
    return f'<line class="{name}" x1="{left:.2f}" x2="{right:.2f}" y1="10" y2="10"/>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis: its ends, its ticks with their texts, and whether it is logarithmic."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def part(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, self.low))
        return max(0.0, min(1.0, (at - low) / (high - low))) if high > low else 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart: its points in order; steps if the value holds until the next point."""

    points: Sequence[tuple[float, float]]
    name: str = "line"
    steps: bool = False


def line_chart(
    x: Axis,
    y: Axis,
    lines: Sequence[Line],
    *,
    title: str,
    marks: Sequence[tuple[float, float]] = (),
) -> Markup:
    """Draw lines over two axes. The title is read out; the table beside it has the figures."""
    parts = [_grid(x, y)]
    parts.extend(f'<path class="{line.name}" d="{_path(line, x, y)}"/>' for line in lines)
    parts.extend(
        f'<circle class="mark" cx="{_x(x, a):.1f}" cy="{_y(y, b):.1f}" r="5"/>' for a, b in marks
    )
    body = Markup("").join(map(Markup, parts))
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDE, HIGH, title, body)


def _grid(x: Axis, y: Axis) -> str:
    bottom = HIGH - _BOTTOM
    out = Markup("")
    for value, text in y.ticks:
        height = f"{_y(y, value):.1f}"
        out += Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            _LEFT, WIDE - _RIGHT, height, height
        )
        out += Markup('<text class="tick" x="{}" y="{}" dy="4" text-anchor="end">{}</text>').format(
            _LEFT - 8, height, text
        )
    for value, text in x.ticks:
        anchor = "end" if x.part(value) > _NEAR_END else "middle"
        out += Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(
            f"{_x(x, value):.1f}", bottom + 20, anchor, text
        )
    return str(out)


def _path(line: Line, x: Axis, y: Axis) -> str:
    out, before = [], None
    for a, b in line.points:
        here = f"{_x(x, a):.1f}", f"{_y(y, b):.1f}"
        if before is None:
            out.append(f"M{here[0]} {here[1]}")
        elif line.steps:
            out.append(f"H{here[0]}V{here[1]}")
        else:
            out.append(f"L{here[0]} {here[1]}")
        before = here
    return "".join(out)


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.part(value) * (WIDE - _LEFT - _RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HIGH - _BOTTOM - axis.part(value) * (HIGH - _TOP - _BOTTOM)
