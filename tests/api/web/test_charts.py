import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.charts import Axis, Line, Span, gauge, interval_bar, line_chart, span_of

_FINITE = st.floats(-1e9, 1e9)
_HALF = st.floats(1e-3, 1e9)


def numbers(svg: str, name: str) -> list[float]:
    return [float(n) for n in re.findall(rf' {name}="([-\d.]+)"', svg)]


@given(st.lists(st.tuples(_FINITE, _HALF), min_size=1, max_size=6))
def test_every_bar_stays_within_its_row(figures: list[tuple[float, float]]) -> None:
    span = span_of([value + sign * half for value, half in figures for sign in (-1, 1)])
    for value, half in figures:
        noise, overall = (value - half, value + half), (value - 2 * half, value + 2 * half)
        svg = str(interval_bar(value, noise, overall, span))
        ET.fromstring(svg)  # noqa: S314 - our own text
        assert all(0 <= x <= 100 for x in numbers(svg, "x1") + numbers(svg, "x2"))


@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 1))
def test_a_gauge_is_never_fuller_than_full(spent: float, reserved: float, whole: float) -> None:
    svg = str(gauge(spent, reserved, whole))
    assert sum(numbers(svg, "width")[1:]) <= 100.01


def test_a_bar_lies_where_its_value_does() -> None:
    assert Span(low=0, high=200).at(50) == pytest.approx(25)
    assert Span(low=0, high=200).at(500) == 100


def test_a_title_of_a_chart_is_text() -> None:
    axis = Axis(low=1, high=10, ticks=[(1, "<b>1</b>")], log=True)
    svg = str(line_chart(axis, axis, [Line(points=[(1, 1), (10, 10)])], title='"><script>'))
    assert "<script>" not in svg
    assert "<b>" not in svg
    ET.fromstring(svg)  # noqa: S314 - our own text


def test_no_chart_carries_a_style_or_a_script() -> None:
    axis = Axis(low=0, high=1, ticks=[(0, "0"), (1, "1")])
    drawn = line_chart(axis, axis, [Line(points=[(0, 1), (1, 0)], steps=True)], title="t")
    for svg in (drawn, gauge(1, 1, 4), interval_bar(1, (0, 2), (0, 2), Span(low=0, high=2))):
        assert "style=" not in svg
        assert " on" not in svg
