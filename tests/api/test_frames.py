import pytest

from api.errors import NoFigures
from api.frames import COLUMNS, frame, lines

ENDS = {"low": 48.0, "high": 52.0, "overall": 3.0, "overall_low": 47.0, "overall_high": 53.0}
QUESTION = {
    "kind": "question",
    "rows": [
        {
            "cell": {"region": "north"},
            "count": {"value": 120.0, "half_width": 8.0},
            "means": {"income": {"value": 50.0, "half_width": 2.0} | ENDS},
            "quantiles": {"income": {"value": 48.0, "low": 45.0, "high": 52.0}},
            "histograms": {
                "buys": [
                    {"label": "no", "value": 90.0, "half_width": 5.0},
                    {"label": "yes", "value": 30.0, "half_width": 5.0},
                ]
            },
        },
        {"cell": {"region": "south"}, "count": {"note": "too few"}, "means": {}},
    ],
}
EVALUATION = {
    "kind": "evaluation",
    "everyone": {
        "clients": {"value": 400.0, "half_width": 10.0},
        "metrics": {"auc": {"value": 0.7, "interval": [0.6, 0.8]}},
    },
}


def test_every_figure_is_a_line_with_its_interval() -> None:
    count, mean, median, no, yes, note = lines(QUESTION)
    assert (count["statistic"], count["low"], count["high"]) == ("count", 112.0, 128.0)
    assert (mean["statistic"], mean["low"], mean["overall_high"]) == ("income", 48.0, 53.0)
    assert (median["low"], median["high"]) == (45.0, 52.0)
    assert [(line["label"], line["value"]) for line in (no, yes)] == [("no", 90.0), ("yes", 30.0)]
    assert (note["region"], note["value"], note["note"]) == ("south", None, "too few")


def test_a_frame_has_the_cells_and_then_the_figures() -> None:
    table = frame(QUESTION)
    assert table.columns == ["region", *COLUMNS]
    assert table["value"].sum() == pytest.approx(120 + 50 + 48 + 90 + 30)
    assert table.filter(table["note"].is_not_null()).height == 1


def test_an_evaluation_is_a_frame_too() -> None:
    clients, auc = lines(EVALUATION)
    assert clients["statistic"] == "everyone.clients"
    assert (auc["value"], auc["low"], auc["high"]) == (0.7, 0.6, 0.8)


def test_a_field_named_as_a_column_is_set_apart() -> None:
    row = {"cell": {"value": "high"}, "count": {"value": 1.0, "half_width": 1.0}}
    assert lines({"kind": "question", "rows": [row]})[0]["value (field)"] == "high"


def test_a_model_is_no_frame() -> None:
    with pytest.raises(NoFigures, match="training"):
        frame({"kind": "training", "model": "x.safetensors"})
