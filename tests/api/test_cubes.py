"""Cubes over HTTP and in a terminal. The tiny firm has two departments, so it can release none."""

from io import StringIO
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table

from api.cli.cube_tables import cells_table, model_table, relations_table

CUBE = {
    "purpose": "product_insight",
    "fields": ["region", "income"],
    "clients": 1024,
    "epsilon": 1.0,
    "reason": "what goes together",
}
QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "epsilon": 1.0,
    "reason": "who lives where",
}


def test_a_firm_of_two_has_nobody_to_deal_and_spends_nothing(analyst: TestClient) -> None:
    answer = analyst.post("/api/v1/cubes", json=CUBE)
    assert answer.status_code == 422
    assert "third" in answer.json()["detail"]
    priced = analyst.post("/api/v1/price", json=CUBE | {"kind": "cube"})
    assert priced.status_code == 422
    assert analyst.get("/api/v1/budget").json()[0]["reserved_rho"] == 0


@pytest.mark.parametrize("asked", ["table?field=region", "relations", "model?target=income"])
def test_a_run_that_is_no_cube_is_not_asked(analyst: TestClient, asked: str) -> None:
    run = analyst.post("/api/v1/questions", json=QUESTION).json()["id"]
    answer = analyst.get(f"/api/v1/cubes/{run}/{asked}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("cube-unavailable")


@pytest.mark.parametrize("body", [{"fields": ["region"]}, {"clients": 3}, {"taken_from": "risk"}])
def test_a_cube_out_of_range_is_refused(analyst: TestClient, body: dict[str, Any]) -> None:
    assert analyst.post("/api/v1/cubes", json=CUBE | body).status_code == 422


def shown(table: Table) -> str:
    out = StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_a_terminal_shows_every_figure_with_its_interval() -> None:
    figure = {"value": 1234.5, "half_width": 20.0}
    rows = [{"cell": {"region": "north", "income": "< 50"}, "count": figure}]
    assert "1,234 ± 20" in shown(cells_table({"fields": ["region", "income"], "rows": rows}))
    pair = {
        "fields": ["region", "income"],
        "mutual_information": {"value": 0.25, "half_width": 0.01, "bias": 0.002},
        "correlation": {"note": "a field has no order"},
    }
    told = shown(relations_table({"pairs": [pair]}))
    assert "0.250 ± 0.010" in told
    assert "no order" in told
    weights = {"income": {"< 50": {"value": -0.1, "half_width": 0.02}}}
    found = {"target": "buys", "label": "yes", "base": 0.4, "weights": weights}
    assert "-0.100 ± 0.020" in shown(model_table(found))
