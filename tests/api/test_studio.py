"""The desk's figures over HTTP: nothing is spent, and what is wrong says so."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

SignIn = Callable[[str], TestClient]

QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "income"}],
    "by": ["region"],
    "reason": "who lives where",
}
COUNT = {"kind": "count", "within": 20}
MEAN = {"kind": "mean", "field": "income", "within": 10, "clients": 130, "value": 100}


def body(*targets: object, **changes: object) -> dict[str, object]:
    return {"question": QUESTION | changes, "targets": list(targets)}


def test_an_error_becomes_a_plan_that_can_be_submitted(analyst: TestClient) -> None:
    solved = analyst.post("/api/v1/solve", json=body(COUNT, MEAN)).json()
    assert [p["statistic"] for p in solved["predictions"]] == ["count", "mean income"]
    assert all(p["half_width"] <= p["target"] for p in solved["predictions"])
    assert solved["questions_left"] >= 0
    assert solved["odds"]["sentences"] == solved["sentences"]["en"]
    assert len(solved["sentences"]["zh"]) == 4
    plan = {key: value for key, value in solved["plan"].items() if key != "catalogue"}
    run = analyst.post("/api/v1/questions", json=plan)
    assert run.status_code == 202
    assert run.json()["plan"]["rho"] == solved["rho"]


def test_an_error_that_costs_too_much_says_what_is_within_reach(analyst: TestClient) -> None:
    answer = analyst.post("/api/v1/solve", json=body({"kind": "count", "within": 0.01}))
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":target-unreachable")
    assert "widen the target" in answer.json()["detail"]


@pytest.mark.parametrize("changes", [{"epsilon": 1.0}, {"rho": 0.1}])
def test_what_is_solved_for_is_not_given(analyst: TestClient, changes: dict[str, float]) -> None:
    answer = analyst.post("/api/v1/solve", json=body(COUNT, **changes))
    assert answer.json()["type"].endswith(":plan-invalid")


def what_if(client: TestClient, **parameters: object) -> object:
    asked = {"request": json.dumps(body(COUNT, MEAN)), **parameters}
    return client.get("/api/v1/what-if", params=asked)


def test_a_curve_falls_in_error_and_in_questions_left(analyst: TestClient) -> None:
    points = what_if(analyst, lowest=0.1, highest=8, points=9).json()
    assert len(points) == 9
    assert points[0]["epsilon"] == pytest.approx(0.1)
    counts = [point["errors"][0] for point in points]
    left = [point["questions_left"] for point in points]
    assert counts == sorted(counts, reverse=True)
    assert left == sorted(left, reverse=True)
    assert points[0]["errors"][1] is None


@pytest.mark.parametrize(
    "parameters", [{"request": "{"}, {"request": "{}"}, {"points": 1}, {"lowest": 9, "highest": 1}]
)
def test_a_curve_of_nothing_is_a_problem(
    analyst: TestClient, parameters: dict[str, object]
) -> None:
    assert what_if(analyst, **parameters).status_code == 422


def test_odds_are_said_in_both_languages(analyst: TestClient) -> None:
    odds = analyst.get("/api/v1/odds", params={"epsilon": 1, "delta": 1e-6}).json()
    assert odds["pure_guess"] == pytest.approx(0.7311, abs=1e-4)
    assert odds["gaussian_guess"] == pytest.approx(0.547, abs=1e-3)
    assert "73.1 %" in " ".join(odds["sentences"])
    chinese = analyst.get("/api/v1/odds", params={"epsilon": 1, "language": "zh"}).json()
    assert "73.1%" in "".join(chinese["sentences"])
    assert chinese["delta"] == 1e-6


@pytest.mark.parametrize(
    "parameters", [{}, {"epsilon": 0}, {"epsilon": 101}, {"epsilon": 1, "language": "fr"}]
)
def test_odds_of_nothing_are_a_problem(analyst: TestClient, parameters: dict[str, object]) -> None:
    assert analyst.get("/api/v1/odds", params=parameters).status_code == 422


def test_a_tighter_policy_would_have_refused(analyst: TestClient, sign_in: SignIn) -> None:
    for epsilon in (2.0, 3.0):
        analyst.post("/api/v1/questions", json=QUESTION | {"epsilon": epsilon})
    officer = sign_in("privacy_officer")
    assert officer.post("/api/v1/replay", json={}).json()["refused"] == []
    tight = officer.post("/api/v1/replay", json={"budgets": {"firm": 2.5}}).json()
    assert tight["requests"] == 2
    (refused,) = tight["refused"]
    assert refused["refused_by"] == "firm"
    assert tight["pools"]["firm"]["first_refusal"] is not None
    cheaper = officer.post("/api/v1/replay", json={"rho_factor": 0.25}).json()
    assert cheaper["refused"] == []
    assert officer.post("/api/v1/replay", json={"budgets": {"bank": 1}}).status_code == 409
    assert spent(analyst) > 0


def spent(client: TestClient) -> float:
    firm = client.get("/api/v1/budget").json()[0]
    return float(firm["spent_rho"] + firm["reserved_rho"])


def test_none_of_it_spends(analyst: TestClient) -> None:
    analyst.post("/api/v1/solve", json=body(COUNT, MEAN))
    what_if(analyst)
    analyst.get("/api/v1/odds", params={"epsilon": 1})
    assert spent(analyst) == 0
    assert analyst.get("/api/v1/runs").json() == []
