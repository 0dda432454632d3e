"""What a card draws: intervals and reliability as inline SVG. Nothing is computed but places."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_BAR, _HEIGHT = 320, 26
_SIDE, _EDGE = 260, 34
_WIDE, _TITLES, _LINE = 640, 230, 22


_THOUSAND, _TEN = 1000, 10


def short(value: float) -> str:
    """Write a figure with about four digits."""
    if abs(value) >= _THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= _TEN else f"{value:.3f}"


def scale_of(name: str, result: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of the scale on which a figure over everyone is drawn.

    Args:
        name: of the figure, one of the result's.
        result: of an evaluation.
    """
    if name in {"auc", "macro_auc"}:
        return 0.5, 1.0
    if name == "calibration_error":
        return 0.0, 0.5
    if name == "level_error":
        return 0.0, float(len(result["everyone"]["metrics"]["classes"]) - 1)
    if "error_cap" not in result:
        return 0.0, 1.0
    low, high = result["everyone"]["metrics"][name]["interval"]
    most = float(min(2 * max(abs(low), abs(high)), result["error_cap"]))
    return (-most if name == "mean_error" else 0.0), most


def interval_bar(
    value: float, interval: Sequence[float], *, lowest: float, highest: float, words: str
) -> Markup:
    """Draw a figure in its interval on a scale.

    Args:
        value: the figure.
        interval: where the exact figure likely lies.
        lowest: left end of the scale.
        highest: right end of the scale.
        words: what a reader without eyes is told.
    """

    def place(number: float) -> float:
        inside = min(max(number, lowest), highest)
        return round(4 + (_BAR - 8) * (inside - lowest) / (highest - lowest), 1)

    low, high, middle = place(interval[0]), place(interval[1]), _HEIGHT / 2
    return Markup(
        '<svg class="bar" viewBox="0 0 {w} {h}" role="img" aria-label="{words}">'
        '<line class="scale" x1="4" x2="{end}" y1="{m}" y2="{m}"/>'
        '<rect class="band" x="{low}" width="{width}" y="{top}" height="12" rx="3"/>'
        '<circle class="point" cx="{at}" cy="{m}" r="4.5"/></svg>'
    ).format(
        w=_BAR,
        h=_HEIGHT,
        words=words,
        end=_BAR - 4,
        m=middle,
        low=low,
        width=max(round(high - low, 1), 1.0),
        top=middle - 6,
        at=place(value),
    )


def influence_bars(rows: Sequence[Mapping[str, Any]], *, words: str) -> Markup:
    """Draw a bar for each field, as long as its influence, with its interval at the end.

    Args:
        rows: "title", "value" and "interval" of each field, from the top.
        words: what a reader without eyes is told; the figures stand in a table beside it.
    """
    most = max((row["interval"][1] for row in rows), default=0.0) or 1.0
    wide = _WIDE - _TITLES - 8

    def x(number: float) -> float:
        return round(_TITLES + wide * number / most, 1)

    parts = [
        Markup(
            '<text class="tick" x="{0}" y="{1}" text-anchor="end">{2}</text>'
            '<rect class="of-field" x="{3}" y="{4}" width="{5}" height="14" rx="2"/>'
            '<line class="error" x1="{6}" x2="{7}" y1="{8}" y2="{8}"/>'
        ).format(
            _TITLES - 8,
            place * _LINE + 15,
            row["title"],
            _TITLES,
            place * _LINE + 4,
            max(round(x(row["value"]) - _TITLES, 1), 0.5),
            x(row["interval"][0]),
            x(row["interval"][1]),
            place * _LINE + 11,
        )
        for place, row in enumerate(rows)
    ]
    head = Markup('<svg class="influences" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(_WIDE, len(rows) * _LINE, words) + Markup("").join(parts) + Markup("</svg>")


def reliability(
    points: Sequence[Mapping[str, Any]], *, told: str, came_true: str, words: str
) -> Markup:
    """Draw what clients were told against what came true: on the diagonal the model is honest.

    Args:
        points: score, share, rate and interval of each bin.
        told: name of the horizontal axis.
        came_true: name of the vertical axis.
        words: what a reader without eyes is told.
    """
    side = _SIDE - 2 * _EDGE + 20

    def x(number: float) -> float:
        return round(_EDGE + side * number, 1)

    def y(number: float) -> float:
        return round(_SIDE - _EDGE - side * number, 1)

    parts = [
        Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
            x(0), y(1), side, side
        ),
        Markup('<line class="honest" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            x(0), y(0), x(1), y(1)
        ),
    ]
    for number in (0, 0.5, 1):
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                x(number), y(0) + 13, f"{number:g}"
            )
        )
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                x(0) - 5, y(number) + 4, f"{number:g}"
            )
        )
    largest = max((point["share"] for point in points), default=1.0)
    for point in points:
        low, high = point["interval"]
        if high - low >= _NOTHING_TOLD:
            continue
        radius = round(2 + 5 * (point["share"] / largest) ** 0.5, 1)
        at = x(point["score"])
        parts.append(
            Markup('<line class="whisker" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                at, y(low), y(high)
            )
        )
        parts.append(
            Markup('<circle class="point" cx="{}" cy="{}" r="{}"/>').format(
                at, y(point["rate"]), radius
            )
        )
    middle = x(0.5)
    axis = Markup(
        '<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text class="axis" transform="translate(11 {}) rotate(-90)" text-anchor="middle">{}</text>'
    ).format(middle, _SIDE - 3, told, y(0.5), came_true)
    head = Markup('<svg class="reliability" viewBox="0 0 {0} {0}" role="img" aria-label="{1}">')
    return head.format(_SIDE, escape(words)) + Markup("").join(parts) + axis + Markup("</svg>")


_NOTHING_TOLD = 0.9
"""A rate whose interval is as wide says nothing; it is left out of the drawing, not of the card."""
