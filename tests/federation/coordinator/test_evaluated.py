"""A model is trained, evaluated and verified: the real coordinator and three real nodes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from federation.coordinator.desk import check, plan_of, submit
from federation.coordinator.dispatch import Dispatcher
from federation.coordinator.errors import ModelUnknown
from federation.coordinator.evaluation_result import evaluation_result
from federation.coordinator.export import export
from federation.coordinator.findings import Wrong
from federation.coordinator.model_book import model_of
from federation.coordinator.model_card import card_of
from federation.coordinator.past_models import past_models
from federation.coordinator.runs import Run, RunState
from federation.coordinator.verify import verify
from federation.errors import PlanInvalid
from federation.evaluation_plan import EvaluationPlan
from federation.training_plan import TrainingPlan
from models.errors import ModelFileInvalid
from tests.federation.node.evaluation_cases import KINDS

POLICY = """
delta = 1e-6
automatic_epsilon = 50.0
[firm]
epsilon = 100.0
[purposes.review]
epsilon = 100.0
"""
TRAINING = {
    "kind": "training",
    "purpose": "review",
    "target": "defaulted",
    "features": ["age"],
    "rounds": 2,
    "local_steps": 10,
    "rho": 8.0,
    "reason": "a model",
}
EVALUATION = {
    "kind": "evaluation",
    "model": "defaulted",
    "purpose": "review",
    "bins": 8,
    "rho": 8.0,
    "reason": "how good it is",
}


@pytest.fixture
def dispatcher(make_firm: Any, dispatch_to: Callable[[Any, str], Dispatcher]) -> Dispatcher:
    return dispatch_to(make_firm(400, levels=lambda _number: 4), POLICY)


def carry_out(dispatcher: Dispatcher, request: dict[str, Any]) -> Run:
    desk = dispatcher.desk
    run = submit(plan_of(request, desk), desk, asker="ann").run
    dispatcher.carry_out_next()
    found = desk.runs.get(run.id)
    assert found.state is RunState.RELEASED, found.refusal
    assert found.result is not None
    return found


def evidence_of(dispatcher: Dispatcher) -> bytes:
    return b"".join(export(dispatcher.desk, now=datetime.now(UTC)))


def test_a_model_is_trained_evaluated_by_group_and_verified(dispatcher: Dispatcher) -> None:
    trained = carry_out(dispatcher, TRAINING)
    run = carry_out(dispatcher, EVALUATION | {"group": "education"})
    result, label = run.result, run.label
    assert result is not None
    assert label is not None
    assert (result["run"], result["sha256"]) == (trained.id, trained.result["sha256"])  # type: ignore[index]
    assert [one["group"] for one in result["groups"]] == ["school", "university", "other"]
    everyone = result["everyone"]
    assert everyone["metrics"]["auc"]["value"] > 0.9  # age alone decides who defaulted
    assert everyone["clients"]["value"] == pytest.approx(350, abs=40)
    low, high = label["interval"]["auc"]
    assert low <= everyone["metrics"]["auc"]["value"] <= high
    assert label["contribution_bound"]["departments"] == 1
    assert verify(evidence_of(dispatcher), roster=dispatcher.roster).findings == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_trained_evaluated_told_and_verified(
    dispatcher: Dispatcher, kind: str
) -> None:
    learned, asked = KINDS[kind]
    trained = carry_out(dispatcher, TRAINING | {"clients_per_household": 1} | learned)
    name = {"model": trained.result["name"], "clients_per_household": 1}  # type: ignore[index]
    asked = {key: value for key, value in asked.items() if key != "personal_attempt"}
    run = carry_out(dispatcher, EVALUATION | name | asked)
    result, label = run.result, run.label
    assert result is not None
    assert label is not None
    for figure in result["figures"]:
        told = result["everyone"]["metrics"][figure]
        low, high = told["interval"]
        assert low <= told["value"] <= high
        assert label["interval"][figure] == told["interval"]
    assert len(result["groups"]) == 3
    desk = dispatcher.desk
    (one,) = card_of(model_of(desk.runs, desk.registry, name["model"]), desk)["evaluations"]
    assert one["result"]["scored"] == result["scored"]
    assert ("own" in result["scored"]) == (kind == "personal")
    assert verify(evidence_of(dispatcher), roster=dispatcher.roster).findings == ()


def test_the_same_evaluation_is_answered_again_for_nothing(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    first = carry_out(dispatcher, EVALUATION)
    desk = dispatcher.desk
    again = submit(plan_of(EVALUATION | {"reason": "quite another"}, desk), desk, asker="bob")
    assert (again.new, again.run.id) == (False, first.id)


def test_what_drives_the_scores_is_released_by_group_and_verified(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING | {"features": ["age", "income"], "objective": "binary"})
    run = carry_out(dispatcher, EVALUATION | {"explain": True, "group": "education"})
    result, label = run.result, run.label
    assert result is not None
    assert label is not None
    age, income = result["everyone"]["influences"]
    assert (age["label"], income["label"]) == ("age", "income")
    assert age["value"] > 2 * income["value"] >= 0  # age alone decides who defaulted
    assert age["interval"][0] < age["value"] < age["interval"][1] <= result["clip_norm"]
    assert result["everyone"]["clients"]["value"] == pytest.approx(350, abs=40)
    assert [one["group"] for one in result["groups"]] == ["school", "university", "other"]
    assert label["interval"]["age"] == age["interval"]
    lines = [json.loads(line) for line in evidence_of(dispatcher).splitlines()]
    assert verify(evidence_of(dispatcher), roster=dispatcher.roster).findings == ()
    told = next(line["run"] for line in lines if line.get("run", {}).get("id") == run.id)
    told["result"]["everyone"]["influences"][1]["value"] = 1.5
    report = verify(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert Wrong.LABEL in {finding.wrong for finding in report.findings}


def test_a_model_of_an_amount_is_explained_too(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING | {"target": "income"})
    asked = EVALUATION | {"model": "income", "explain": True}
    told = carry_out(dispatcher, asked).result
    assert told is not None
    assert [one["label"] for one in told["everyone"]["influences"]] == ["age"]


def test_an_explanation_is_no_evidence_of_how_good_a_model_is(dispatcher: Dispatcher) -> None:
    trained = carry_out(dispatcher, TRAINING)
    carry_out(dispatcher, EVALUATION | {"explain": True})
    plan = plan_of(TRAINING, dispatcher.desk)
    assert isinstance(plan, TrainingPlan)
    assert past_models(plan, dispatcher.desk) == []
    model = model_of(dispatcher.desk.runs, dispatcher.desk.registry, "defaulted")
    card = card_of(model, dispatcher.desk)
    assert card["evaluations"] == []
    assert [one["result"]["run"] for one in card["explanations"]] == [trained.id]


def test_too_few_clients_have_no_influences(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    plan = plan_of(EVALUATION | {"explain": True}, dispatcher.desk)
    assert isinstance(plan, EvaluationPlan)
    told = evaluation_result(plan, dispatcher.desk.catalogue, [1e-6, 1e-6])
    assert told["everyone"]["influences"] == {"note": "too few clients to tell"}
    for wrong in ([1.0], [1.0, 1.0, 1.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="finite sum"):
            evaluation_result(plan, dispatcher.desk.catalogue, wrong)


def test_an_evaluation_without_owners_declares_every_department(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    run = carry_out(dispatcher, EVALUATION | {"owned": False})
    assert run.label is not None
    assert run.label["contribution_bound"]["departments"] == 3


def test_metrics_that_are_not_those_of_the_counts_are_named(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    run = carry_out(dispatcher, EVALUATION)
    lines = [json.loads(line) for line in evidence_of(dispatcher).splitlines()]
    told = next(line["run"] for line in lines if line.get("run", {}).get("id") == run.id)
    told["result"]["everyone"]["metrics"]["auc"]["value"] = 0.99
    report = verify(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert Wrong.LABEL in {finding.wrong for finding in report.findings}
    told["result"]["counts"][0] = float("nan")
    report = verify(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert Wrong.MALFORMED in {finding.wrong for finding in report.findings}


def test_a_version_that_does_not_exist_is_refused(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    for wrong in ({"version": 2}, {"model": "churn"}):
        with pytest.raises(ModelUnknown):
            plan_of(EVALUATION | wrong, dispatcher.desk)
    with pytest.raises(PlanInvalid, match="registry"):
        plan_of({k: v for k, v in EVALUATION.items() if k != "model"}, dispatcher.desk)


def test_weights_with_a_flipped_byte_are_refused_before_anything_is_spent(
    dispatcher: Dispatcher,
) -> None:
    trained = carry_out(dispatcher, TRAINING)
    desk = dispatcher.desk
    plan = plan_of(EVALUATION, desk)
    path = desk.settings.models / f"{trained.id}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    spent = desk.ledger.state("firm").spent
    with pytest.raises(ModelFileInvalid, match=path.name):
        submit(plan, desk, asker="ann")
    assert desk.ledger.state("firm").reserved.value == 0
    assert desk.ledger.state("firm").spent == spent


def test_weights_that_break_while_a_run_waits_cost_nothing(dispatcher: Dispatcher) -> None:
    trained = carry_out(dispatcher, TRAINING)
    desk = dispatcher.desk
    run = submit(plan_of(EVALUATION, desk), desk, asker="ann").run
    (desk.settings.models / f"{trained.id}.safetensors").write_bytes(b"")
    spent = desk.ledger.state("firm").spent
    dispatcher.carry_out_next()
    found = desk.runs.get(run.id)
    assert found.refusal is not None
    assert found.refusal["code"] == "ModelFileInvalid"
    assert desk.ledger.state("firm").spent == spent


def test_a_model_of_another_catalogue_is_refused(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    plan = plan_of(EVALUATION, dispatcher.desk)
    values = plan.model_dump(mode="json")
    older = values["training"] | {"catalogue": "0" * 64}
    with pytest.raises(PlanInvalid, match="another catalogue: train it again"):
        plan_of({"kind": "evaluation", **_asked(values), "training": older}, dispatcher.desk)


def test_a_training_that_the_registry_does_not_have_is_refused(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    desk = dispatcher.desk
    values = plan_of(EVALUATION, desk).model_dump(mode="json")
    other = values["training"] | {"reason": "another training"}
    with pytest.raises(PlanInvalid, match="no released model"):
        check(plan_of({**_asked(values), "training": other}, desk), desk)


def test_only_departments_that_hold_target_and_group_take_part(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    plan = plan_of(EVALUATION | {"group": "income"}, dispatcher.desk)
    assert plan.cohort == ("research", "risk")


def _asked(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != "catalogue"}


def test_one_class_alone_is_said_to_be_too_few(dispatcher: Dispatcher) -> None:
    carry_out(dispatcher, TRAINING)
    plan, desk = plan_of(EVALUATION, dispatcher.desk), dispatcher.desk
    counts = np.zeros((2, 8))
    counts[0] = 50.0
    told = evaluation_result(plan, desk.catalogue, counts.ravel().tolist())["everyone"]  # type: ignore[arg-type]
    assert told["metrics"] == {"note": "too few clients to tell"}
