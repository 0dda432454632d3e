from hypothesis import given
from hypothesis import strategies as st

from api.web.verdicts import Figure, differs, over_time, spread, verdict


def figure(name: str, value: float, half: float) -> Figure:
    return Figure(name=name, value=value, half=half)


def test_a_difference_larger_than_its_noise_is_called() -> None:
    found = verdict([figure("a", 100, 3), figure("b", 90, 4)])
    assert (found.kind, found.first and found.first.name) == ("clear", "a")


def test_a_difference_within_its_noise_is_not_called() -> None:
    found = verdict([figure("a", 100, 8), figure("b", 90, 8), figure("c", 10, 2)])
    assert found.kind == "close"
    assert [f.name for f in found.close] == ["b"]


def test_figures_within_their_own_noise_say_nothing() -> None:
    assert verdict([figure("a", 3, 4), figure("b", -2, 4)]).kind == "none"
    assert verdict([]).kind == "none"


def test_one_figure_is_no_comparison() -> None:
    assert verdict([figure("a", 100, 3)]).kind == "single"


def test_what_has_an_order_rose_fell_or_cannot_be_told() -> None:
    low, high = figure("may", 10, 1), figure("june", 90, 1)
    assert over_time([low, high]).kind == "rose"
    assert over_time([high, figure("between", 0, 1), low]).kind == "fell"
    assert over_time([low, high, figure("august", 10.5, 1)]).kind == "flat"
    assert over_time([low]).kind == spread([low]).kind == "single"
    assert spread([low, high]).last == high


_VALUES = st.floats(-1e6, 1e6)
_HALVES = st.floats(0.1, 1e6)


@given(_VALUES, _HALVES, _VALUES, _HALVES)
def test_what_differs_differs_both_ways(a: float, x: float, b: float, y: float) -> None:
    one, other = figure("one", a, x), figure("other", b, y)
    assert differs(one, other) == differs(other, one)
    assert not differs(one, one)
