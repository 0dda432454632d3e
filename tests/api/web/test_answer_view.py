from pathlib import Path

import pytest

from api.web.answer_view import columns_of, to_csv
from consent.catalogue import Catalogue, load_catalogue
from tests.api.conftest import CATALOGUE

FIGURE = {"value": 100.0, "half_width": 5.0}
NOTE = {"note": "too few clients to tell"}


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "catalogue.toml").write_text(CATALOGUE)
    return load_catalogue(tmp_path / "catalogue.toml")


def result(*rows: dict[str, object]) -> dict[str, object]:
    return {"kind": "question", "rows": list(rows)}


def test_a_mean_has_its_unit_and_its_wider_interval(catalogue: Catalogue) -> None:
    row = {"cell": {"region": "north"}, "count": FIGURE, "means": {"income": FIGURE}}
    label = {"interval_with_sampling": {"mean income": [12.0], "count": "not defined"}}
    count, mean = columns_of(result(row), label, catalogue, "zh")
    assert (count.field, count.rows[0].wider) == (None, None)
    assert (mean.title, mean.unit, mean.rows[0].wider) == ("Income", "kEUR", 12.0)


def test_what_could_not_be_told_has_no_figure(catalogue: Catalogue) -> None:
    row = {"cell": {}, "count": NOTE, "means": {"income": NOTE}}
    columns = columns_of(result(row), {}, catalogue, "en")
    assert [c.rows[0].figure for c in columns] == [None, None]
    assert columns[0].verdict.kind == "none"


def test_a_list_of_figures_is_left_to_the_whole_release(catalogue: Catalogue) -> None:
    row = {"cell": {}, "count": FIGURE, "quantiles": {"income": [FIGURE, FIGURE]}, "means": {}}
    assert len(columns_of(result(row), {}, catalogue, "en")) == 1


def test_no_cell_of_the_csv_is_a_formula(catalogue: Catalogue) -> None:
    row = {"cell": {"region": "=1+1"}, "count": FIGURE, "means": {}}
    text = to_csv(columns_of(result(row), {}, catalogue, "en"), "@caveat")
    assert "'=1+1,100.0,95.0,105.0" in text
    assert "'@caveat" in text
