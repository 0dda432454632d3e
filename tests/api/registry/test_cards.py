"""Model cards over HTTP: what is known of a version, in both languages, without script."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from fastapi.testclient import TestClient
from typer.testing import Result

from api.cards.drawing import short
from api.cards.page import card_page
from api.cards.words import words_in
from consent.catalogue import load_catalogue
from federation.coordinator.evaluation_result import evaluation_result
from federation.coordinator.labels import Facts, label
from federation.coordinator.registry import Registry
from federation.coordinator.runs import Runs
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database
from federation.evaluation_plan import EvaluationPlan
from federation.plans import read_plan
from models.evaluate import scores
from models.files import read_model
from privacy.loss import Delta
from privacy.odds_text import Language
from tests.federation.node.evaluation_cases import KINDS, told_of

PLACE = "/api/v1/models/buys_bonds/1"
EVALUATION = {
    "purpose": "bond_model",
    "model": "buys_bonds",
    "group": "region",
    "epsilon": 1.0,
    "reason": "how good it is",
}
COMPARISON = {
    "rows": [
        {
            "department": "lending",
            "alone": {"lending": 0.71},
            "federated": 0.8,
            "without_noise": None,
        },
        {
            "department": None,
            "alone": {"lending": 0.71, "wealth": 0.75},
            "federated": 0.83,
            "without_noise": 0.84,
        },
    ]
}


@pytest.fixture
def evaluated(
    analyst: TestClient, trained: str, runs: Runs, coordinator: CoordinatorSettings
) -> str:
    """Release an evaluation by region as the dispatcher does, with counts of our own."""
    rising = np.linspace(10, 400, 32)
    counts = np.stack([[rising[::-1], rising]] * 2 + [[0 * rising, 0 * rising]])
    analyst.post("/api/v1/evaluations", json=EVALUATION)
    run = release(counts, runs, coordinator)
    Registry(open_database(coordinator.database)).keep_comparison(trained, COMPARISON)
    return run


@pytest.fixture
def explained(
    analyst: TestClient, trained: str, runs: Runs, coordinator: CoordinatorSettings
) -> str:
    """Release what drives the scores by region likewise; in the last one is nobody."""
    assert trained
    analyst.post("/api/v1/evaluations", json=EVALUATION | {"explain": True})
    return release(np.array([[300, 90, 30, 400], [200, 50, 10, 300], [0] * 4]), runs, coordinator)


def release(counts: np.ndarray, runs: Runs, coordinator: CoordinatorSettings) -> str:
    run = runs.take()
    assert run is not None
    plan, catalogue = read_plan(run.plan), load_catalogue(coordinator.catalogue)
    assert isinstance(plan, EvaluationPlan)
    result = evaluation_result(plan, catalogue, counts.ravel().tolist())
    facts = Facts(
        run=run.id,
        delta=Delta(1e-6),
        epoch=2,
        released_at=9,
        library="opendp",
        opinions=(),
        result=result,
    )
    runs.end_released(run.id, result=result, label=label(plan, catalogue, facts), now=9)
    return run.id


def test_a_card_says_what_is_known_and_what_nobody_stated(
    analyst: TestClient, trained: str
) -> None:
    card = analyst.get(f"{PLACE}/card").json()
    assert card["predicts"]["name"] == "buys_bonds"
    assert [field["name"] for field in card["fields"]] == ["income", "patience", "region"]
    assert [field["level"] for field in card["fields"]] == [1, 2, 1]
    assert card["privacy"]["epsilon"] <= 2.0
    assert len(card["privacy"]["odds"]["zh"]) == len(card["privacy"]["odds"]["en"]) == 4
    assert card["lineage"]["run"] == trained
    assert card["lineage"]["withdrawn_since"] == "0"
    assert card["evaluations"] == []
    assert card["comparison"] == card["privacy"]["retention"] == "not stated"


def test_a_card_tells_of_evaluations_and_marks_what_came_from_outside(
    analyst: TestClient, evaluated: str
) -> None:
    card = analyst.get(f"{PLACE}/card").json()
    (one,) = card["evaluations"]
    assert one["run"] == evaluated
    assert one["result"]["everyone"]["metrics"]["auc"]["value"] > 0.7
    assert "counts" not in one["result"]
    assert "outside the sandbox" in card["comparison"]["how"]
    assert all(set(limit) == {"en", "zh"} for limit in card["limits"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_one_file_without_script_in_either_language(
    analyst: TestClient, evaluated: str, language: str
) -> None:
    assert evaluated
    answer = analyst.get(f"{PLACE}/card.html", params={"language": language})
    page = answer.text
    assert "script" not in page.split("<body>")[1]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r'(src|href)="|url\(|@import|https?://', page)
    assert ("客户" in page) == (language == "zh" or "了解" in page)
    assert {"en": "too few clients to tell", "zh": "客户太少"}[language] in page
    assert {"en": "not stated", "zh": "未说明"}[language] in page
    assert 'lang="zh-Hans"' in page or language == "en"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_drives_the_scores_is_drawn_and_stands_in_a_table(
    analyst: TestClient, explained: str, language: str
) -> None:
    (one,) = analyst.get(f"{PLACE}/card").json()["explanations"]
    assert one["run"] == explained
    page = analyst.get(f"{PLACE}/card.html", params={"language": language}).text
    told = page.split("</header>")[1]
    drawn = re.search(r"<svg class=.influences.*?</svg>(.*?</table>)", told, re.DOTALL)
    assert drawn is not None
    twin = drawn.group(1)
    assert drawn.group(0).count('<rect class="of-field"') == 3
    order = [twin.index(name) for name in ("income", "patience", "region")]
    assert order == sorted(order), "the largest first"
    assert f"{500 / 700:.3f}" in twin  # 700 clients, of whom each moves the count's sum by 1
    assert {"en": "too few clients to tell", "zh": "客户太少"}[language] in twin
    assert {"en": "What drives its scores", "zh": "哪些字段左右评分"}[language] in page
    assert "script" not in page.split("<body>")[1]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_tells_the_figures_of_every_kind_of_model(
    analyst: TestClient, trained: str, kind: str, language: Language
) -> None:
    assert trained
    card = analyst.get(f"{PLACE}/card").json()
    result = told_of(kind)
    card["evaluations"] = [{"result": result, "epsilon": 1.0, "delta": 1e-6}]
    card["recipe"]["personal"] = kind == "personal"
    page, words = card_page(card, language), words_in(language)
    for name in result["figures"]:
        assert words[name] in page
        assert short(result["everyone"]["metrics"][name]["value"]) in page
    for name, stated in {
        "precision": kind in {"multiclass", "ordinal"},
        "band": kind in {"count", "amount"},
        "natural logarithms": kind == "amount",
        "own layers": kind == "personal",
        "reliability": kind in {"binary", "personal"},
    }.items():
        assert (words[name] in page) == stated, name


def test_the_page_of_a_version_that_nobody_evaluated_says_so(
    analyst: TestClient, trained: str
) -> None:
    assert trained
    assert "Nobody has evaluated this version" in analyst.get(f"{PLACE}/card.html").text
    assert analyst.get(f"{PLACE}/card.html", params={"language": "fr"}).status_code == 422


def test_a_reason_cannot_write_into_the_page(
    analyst: TestClient, trained: str, coordinator: CoordinatorSettings
) -> None:
    assert trained
    marked = {"stage": "retired", "reason": "<script>alert(1)</script>"}
    assert analyst.post(f"{PLACE}/stage", json=marked).status_code == 200
    assert coordinator.models.is_dir()
    assert "<script>" not in analyst.get(f"{PLACE}/card.html").text


def test_the_onnx_file_scores_as_the_weights_do(analyst: TestClient, trained: str) -> None:
    assert trained
    session = onnxruntime.InferenceSession(analyst.get(f"{PLACE}/onnx").content)
    architecture, weights = read_model(analyst.get(f"{PLACE}/weights").content, name="m")
    rows = np.linspace(-1, 1, 5 * architecture.inputs, dtype=np.float32).reshape(5, -1)
    (found,) = session.run(None, {"features": rows})
    assert np.allclose(found, scores(architecture, weights, rows), atol=1e-9)
    told = session.get_modelmeta().custom_metadata_map
    assert (told["name"], told["run"]) == ("buys_bonds", trained)


def test_a_card_an_onnx_file_and_a_retraining_are_one_command_each(
    call: Callable[..., Result], evaluated: str, tmp_path: Any, runs: Runs
) -> None:
    assert evaluated
    assert json.loads(call("model", "card", "buys_bonds").stdout)["version"] == 1
    page, file = tmp_path / "card.html", tmp_path / "m.onnx"
    assert call("model", "card", "buys_bonds", "--language", "zh", "--out", page).exit_code == 0
    assert "模型卡" in page.read_text(encoding="utf-8")
    told = call("model", "export", "buys_bonds", "--format", "onnx", "--out", file, "--json")
    assert json.loads(told.stdout)["bytes"] == file.stat().st_size
    again = json.loads(call("model", "retrain", "buys_bonds", "--json").stdout)
    assert (again["kind"], again["free"]) == ("training", True)  # nobody's consent has changed
    assert len(runs.latest()) == 2
