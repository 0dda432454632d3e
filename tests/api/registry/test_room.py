"""The training room beside a model: trained again by a person, compared, its recipes told apart."""

import re

import pytest
from fastapi.testclient import TestClient

from federation.coordinator.registry import Registry
from federation.coordinator.runs import Runs
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database
from tests.api.conftest import SignIn
from tests.api.registry.test_sweeps import SWEEP

PLACE = "/training/again/buys_bonds/1"
CHINESE = {"Accept-Language": "zh"}


def hidden(page: str) -> dict[str, str]:
    """The fields that the form of a page sends along."""
    return dict(re.findall(r'name="(key|plan|csrf_token)" value="([^"]*)"', page))


def withdraw(steward: TestClient, number: int) -> None:
    answer = steward.put(f"/api/v1/clients/c{number:04}/level", json={"level": 0})
    assert answer.status_code == 200, answer.text


def test_a_version_is_trained_again_once_somebody_has_confirmed_its_price(
    analyst: TestClient, steward: TestClient, trained: str, runs: Runs
) -> None:
    withdraw(steward, 1)
    shown = analyst.get(PLACE).text
    assert "since withdrawn" in shown
    assert "of what is left" in shown
    places = {
        analyst.post(PLACE, data=hidden(shown), follow_redirects=False).headers["location"]
        for _click in range(2)
    }
    (place,) = places
    again = runs.get(place.rsplit("/", 1)[1])
    assert again.id != trained
    assert again.plan == runs.get(trained).plan
    assert again.epoch > runs.get(trained).epoch


def test_while_nobody_has_left_it_is_answered_by_the_run_there_is(
    analyst: TestClient, trained: str, runs: Runs
) -> None:
    shown = analyst.get(PLACE, headers=CHINESE).text
    assert "此后没有客户撤回授权" in shown
    assert "无需花费" in shown
    done = analyst.post(PLACE, data=hidden(shown), follow_redirects=False)
    assert done.headers["location"] == f"/answers/{trained}"
    assert len(runs.latest()) == 1


def test_another_plan_than_was_shown_is_not_asked(
    analyst: TestClient, trained: str, runs: Runs
) -> None:
    assert trained
    form = hidden(analyst.get(PLACE).text) | {"plan": "0" * 64}
    answer = analyst.post(PLACE, data=form)
    assert answer.status_code == 409
    assert "nothing was asked" in answer.text
    assert len(runs.latest()) == 1


def test_who_may_not_train_reads_the_proposal_only(sign_in: SignIn, trained: str) -> None:
    assert trained
    operator = sign_in("node_operator")
    assert "<form" not in operator.get(PLACE).text.split("<main")[1].split("</main")[0]
    assert operator.post(PLACE).status_code == 403
    assert sign_in("advisor").get(PLACE).status_code == 403
    assert sign_in("analyst").get("/training/again/buys_bonds/9").status_code == 404


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, ("Alone, together, without privacy", "0.840", "Recipes that were tried")),
        (CHINESE, ("单独训练、联合训练与无隐私训练", "0.840", "试过的配方")),
    ],
)
def test_the_room_compares_models_settings_and_recipes(
    analyst: TestClient,
    trained: str,
    coordinator: CoordinatorSettings,
    headers: dict[str, str],
    words: tuple[str, ...],
) -> None:
    everyone = {"department": None, "alone": {"wealth": 0.71}, "federated": 0.8}
    rows = {"rows": [everyone | {"without_noise": 0.84}]}
    Registry(open_database(coordinator.database)).keep_comparison(trained, rows)
    analyst.post("/api/v1/sweeps", json=SWEEP)
    room = analyst.get("/training", headers=headers).text
    for word in words:
        assert word in room
    assert "learning_rate = 0.5" in room
    assert f'href="{PLACE}"' in room


def test_an_evaluation_is_called_by_what_it_asks(analyst: TestClient, trained: str) -> None:
    assert trained
    asked = {"purpose": "bond_model", "model": "buys_bonds", "epsilon": 0.5, "reason": "for a test"}
    for more, words in (({}, "How well a model of"), ({"explain": True}, "What drives the scores")):
        run = analyst.post("/api/v1/evaluations", json=asked | more).json()["id"]
        assert words in analyst.get(f"/answers/{run}").text
