from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from api.client import Refusal
from api.demo.outside import Comparison, Scores
from api.demo.show import (
    auc_table,
    bar,
    cost_line,
    figure,
    joined_table,
    question_table,
    refusal_panel,
    relations_table,
    say,
    where_lines,
)
from api.people.roles import Role
from consent.catalogue import Catalogue, load_catalogue


def text(shown: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=120).print(shown)
    return out.getvalue()


@pytest.fixture
def catalogue(tiny_folder: Path) -> Catalogue:
    return load_catalogue(tiny_folder / "catalogue.toml")


FIGURES = [
    (8319.4, 34.2, "8,319 ± 34"),
    (72.75, 5.54, "72.8 ± 5.5"),
    (0.51234, 0.0123, "0.512 ± 0.012"),
    (169_912.3, 2_445.1, "169,912 ± 2,445"),
    (-3.2, 11.0, "-3 ± 11"),
    (1.5, 0.0, "2 ± 0"),
]


@pytest.mark.parametrize(("value", "half_width", "written"), FIGURES)
def test_a_figure_has_as_many_digits_as_its_interval_is_worth(
    value: float, half_width: float, written: str
) -> None:
    assert figure(value, half_width) == written


@pytest.mark.parametrize(("value", "length"), [(10, 16), (5, 8), (0, 0), (-4, 0)])
def test_a_bar_is_as_long_as_its_value(value: float, length: int) -> None:
    assert len(bar(value, 10)) == length


def test_a_table_without_clients_has_no_bars() -> None:
    assert bar(0.0, 0.0) == ""


def result(**mean: object) -> dict[str, object]:
    count = {"value": 72.75, "half_width": 5.5}
    row = {"cell": {"region": "north"}, "count": count, "means": {"income": mean}}
    return {"by": ["region"], "rows": [row]}


def test_a_question_is_shown_with_intervals_and_both_titles(catalogue: Catalogue) -> None:
    shown = text(question_table(result(value=95.0, half_width=6.8), catalogue, "why"))
    for part in ("why", "Region", "地区", "north", "72.8 ± 5.5", "95.0 ± 6.8", "kEUR", "95 %", "▇"):
        assert part in shown


def test_a_mean_that_could_be_anything_is_not_shown(catalogue: Catalogue) -> None:
    shown = text(question_table(result(value=0.0, half_width=150.0), catalogue, "why"))
    assert "too few clients to tell" in shown
    assert "150" not in shown


def test_a_note_in_place_of_a_mean_is_shown(catalogue: Catalogue) -> None:
    assert "as released" in text(question_table(result(note="as released"), catalogue, "why"))


def test_a_question_without_groups_has_one_line(catalogue: Catalogue) -> None:
    row = {"cell": {}, "count": {"value": 200.0, "half_width": 5.0}, "means": {}}
    assert "all" in text(question_table({"by": [], "rows": [row]}, catalogue, "why"))


def test_the_cost_says_for_whom_and_what_is_left() -> None:
    label = {"rho": 0.005, "epsilon": 0.43, "delta": 1e-6, "privacy_unit": "client"}
    pool = {
        "pool": "firm/insight",
        "budget_rho": 0.2,
        "remaining_rho": 0.15,
        "spent_epsilon": 1.2,
        "budget_epsilon": 4.0,
    }
    line = cost_line(label, pool)
    for part in ("ε = 0.43", "δ = 1e-06", "per client", "insight", "1.2 of 4", "75%"):
        assert part in line


def test_the_aucs_are_marked_as_outside() -> None:
    scores = Scores(alone={"lending": 0.7, "wealth": None}, federated=0.81, without_noise=0.82)
    own = {d: Scores(alone={d: 0.71}, federated=0.8, without_noise=0.8) for d in scores.alone}
    shown = text(auc_table(Comparison(everyone=scores, departments=own), 2.0))
    for part in ("OUTSIDE the sandbox", "no switch", "0.810", "0.820", "wealth –", "ε = 2"):
        assert part in shown


def test_a_refusal_is_shown_with_its_reason() -> None:
    refusal = Refusal(code="purpose-not-open", title="Not open", text='field "debt" is closed')
    shown = text(refusal_panel(refusal, "how deep in debt"))
    assert "purpose-not-open" in shown
    assert 'field "debt" is closed' in shown


def test_markup_in_a_folder_is_shown_as_it_is() -> None:
    refusal = Refusal(code="c", title="[red]t[/]", text="[link=x]")
    shown = text(refusal_panel(refusal, "[bold]r"))
    assert "[red]t[/]" in shown
    assert "[link=x]" in shown
    assert "[bold]r" in shown


def test_no_token_is_printed_only_where_it_is(tmp_path: Path) -> None:
    lines = where_lines("http://127.0.0.1:1", {Role.ANALYST: tmp_path / "analyst.token"})
    assert any(str(tmp_path / "analyst.token") in line for line in lines)
    assert any("http://127.0.0.1:1/api/v1/openapi.json" in line for line in lines)


def test_a_command_to_copy_is_not_broken_into_lines() -> None:
    out = StringIO()
    say(Console(file=out, width=20), "x" * 90 + " [0]")
    assert out.getvalue() == "x" * 90 + " [0]\n"


def test_what_sharing_brings_is_shown_worst_first() -> None:
    everyone = Scores(alone={"lending": 0.71, "wealth": None}, federated=0.8, without_noise=0.81)
    shown = text(joined_table(everyone, 0.87, {"training": 2.0, "cube": 1.0}))
    places = [shown.index(part) for part in ("wealth", "lending", "ε = 2", "ε = 1")]
    assert places == sorted(places)
    assert "OUTSIDE" in shown.upper()


def test_only_what_goes_with_the_target_is_shown(catalogue: Catalogue) -> None:
    told = {"value": 0.31, "half_width": 0.07, "bias": 0.01}
    pairs = [
        {"fields": ["buys_bonds", "income"], "mutual_information": told},
        {"fields": ["income", "region"], "mutual_information": {"note": "too few"}},
        {"fields": ["region", "buys_bonds"], "mutual_information": {"note": "too few"}},
    ]
    shown = text(relations_table(pairs, catalogue, "buys_bonds"))
    assert "0.310 ± 0.070" in shown
    assert shown.count("too few") == 1
