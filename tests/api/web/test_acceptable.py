"""The studio's sliders: every measure has an error that can be asked for, and is solved for."""

import pytest
from fastapi.testclient import TestClient

from api.web.builder import KINDS

FORM = {"purpose": "product_insight", "clients": "5000", "error_step": "12"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "trend"])
def test_every_measure_s_error_is_solved_for(analyst: TestClient, kind: str) -> None:
    of = {"proportion": "region=north", "top": "region", "histogram": "region"}.get(kind, "income")
    form = FORM | {"measure1": kind, "of1": of, "other1": "patience"}
    shown = analyst.get("/studio", params=form | {"accept1": "6"}).text
    assert "wanted: ±" in shown
    tight = analyst.get("/studio", params=form | {"accept1": "0", "clients": "50"}).text
    assert "Out of reach" in tight


def test_two_sliders_are_met_together(analyst: TestClient) -> None:
    form = FORM | {"measure1": "mean", "of1": "income", "accept1": "5", "about1": "100"}
    form |= {"measure2": "proportion", "of2": "buys_bonds", "accept2": "5", "about2": "40"}
    shown = analyst.get("/studio", params=form).text
    assert shown.count("wanted: ±") == 2
    assert "± 20</small>" in shown  # a fifth of the mean that was guessed


@pytest.mark.parametrize("about", ["nan", "-1e9", "1e400", "x"])
def test_a_senseless_guess_is_no_failure_of_ours(analyst: TestClient, about: str) -> None:
    form = FORM | {"measure1": "mean", "of1": "income", "about1": about, "accept1": about}
    assert analyst.get("/studio", params=form | {"clients": about}).status_code == 200
