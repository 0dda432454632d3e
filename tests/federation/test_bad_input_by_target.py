"""What a risk team may run into, for every kind of target, from the training to the evaluation.

What depends on rows never refuses: a refusal would tell of them. What is public does, for nothing.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation import plan_check
from federation.coordinator.evaluation_result import evaluation_result
from federation.errors import PlanInvalid
from federation.evaluation_journey import evaluate_model
from federation.evaluation_layout import evaluation_tables, join_payload
from federation.evaluation_plan import EvaluationPlan
from federation.node.answer import answer
from federation.plans import digest, read_plan
from federation.rounds import drive
from federation.training_journey import train_model
from federation.training_layout import architecture_of
from models.architectures import size
from models.errors import ModelError
from models.files import save
from tests.federation.cube_cases import silence
from tests.federation.node.evaluation_cases import (
    KINDS,
    NOW,
    admitted,
    model_of,
    planned,
    training_of,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
ONE_LABEL = {"education": "university", "age": 40, "income": 100.0, "defaulted": True}
TOO_FEW = {"note": "too few clients to tell"}


def rewritten(firm: Any, **values: Any) -> Any:
    """Give every client of every department these values."""
    for department, rows in firm.rows.items():
        firm.write(department, {client: row | values for client, row in rows.items()})
    return firm


def told(firm: Any, kind: str, folder: Path) -> tuple[Any, Any]:
    """Train with noise and evaluate without any; return the weights and what the asker reads."""
    training = training_of(firm, kind, rounds=1, local_steps=2)
    weights = drive(train_model(firm.brief(training, attempt=5)), firm.exchange).average()
    path = folder / "model.safetensors"
    save(path, architecture_of(training, firm.catalogue), weights)
    file = path.read_bytes()
    values = planned(firm, file, kind, group=None).model_dump(mode="json")
    plan = read_plan(values | {"training": training.model_dump(mode="json")})
    assert isinstance(plan, EvaluationPlan)
    silence(firm)
    released = drive(evaluate_model(firm.brief(plan), model=file), firm.exchange)
    return weights, evaluation_result(plan, firm.catalogue, released.values.tolist())


@every_kind
def test_a_label_of_one_class_is_learned_and_what_it_leaves_open_is_not_told(
    make_firm: Any, tmp_path: Path, kind: str
) -> None:
    target = KINDS[kind][0].get("target", "defaulted")
    firm = rewritten(make_firm(levels=lambda _n: 4), **{target: ONE_LABEL[target]})
    weights, result = told(firm, kind, tmp_path)
    assert np.isfinite(weights).all()
    metrics = result["everyone"]["metrics"]
    if kind in {"binary", "personal"}:
        assert metrics == TOO_FEW  # nobody is ranked below anybody
    elif kind in {"multiclass", "ordinal"}:
        found = [one["recall"] for one in metrics["classes"]]
        assert [one == TOO_FEW for one in found] == [True, False, True]
        assert metrics.get("macro_auc", TOO_FEW) == TOO_FEW
    else:
        assert metrics["mean_absolute_error"]["value"] >= 0


@every_kind
def test_a_field_that_is_constant_everywhere_does_no_harm(
    make_firm: Any, tmp_path: Path, kind: str
) -> None:
    field = KINDS[kind][0]["features"][0]
    firm = rewritten(make_firm(levels=lambda _n: 4), **{field: ONE_LABEL[field]})
    weights, result = told(firm, kind, tmp_path)
    assert np.isfinite(weights).all()
    assert set(result["everyone"]["metrics"]) >= set(result["figures"])


@every_kind
def test_a_department_with_three_clients_takes_part(
    make_firm: Any, tmp_path: Path, kind: str
) -> None:
    firm = make_firm(240, levels=lambda _n: 4)
    firm.write("risk", dict(list(firm.rows["risk"].items())[:3]))
    weights, result = told(firm, kind, tmp_path)
    assert np.isfinite(weights).all()
    assert result["everyone"]["clients"]["value"] > 3


@every_kind
def test_weights_that_are_not_finite_from_the_coordinator_are_refused_for_nothing(
    firm: Any, tmp_path: Path, kind: str
) -> None:
    training, file = training_of(firm, kind), model_of(firm, kind, tmp_path)
    heard = firm.announcements(training.cohort)
    for attempt, value in enumerate((np.nan, -np.inf)):
        weights = np.full(size(architecture_of(training, firm.catalogue)), value).tobytes()
        permit = firm.permit(training, "round", attempt=attempt)
        ask = firm.ask(
            training, "round", "risk", permit=permit, payload=weights, announcements=heard
        )
        said = answer(firm.nodes["risk"], ask, NOW)
        assert (said.code, "not all finite" in said.text) == ("protocol_error", True)
        last = file[:-8] + np.float64(value).astype("<f8").tobytes()
        plan = planned(firm, last, kind, owned=False)
        assert refusal_of(firm, plan, last) == "model_file_invalid"
    assert firm.traces("risk")[2] == 0.0


def refusal_of(firm: Any, plan: EvaluationPlan, file: bytes, attempt: int = 0) -> str:
    heard, payload = firm.announcements(plan.cohort), join_payload(file, b"")
    permit = firm.permit(plan, "sum", attempt=attempt)
    ask = firm.ask(plan, "sum", "risk", payload=payload, announcements=heard, permit=permit)
    return str(answer(firm.nodes["risk"], ask, NOW).code)


@every_kind
def test_a_model_file_with_a_flipped_byte_is_refused_for_nothing(
    firm: Any, tmp_path: Path, kind: str
) -> None:
    file = model_of(firm, kind, tmp_path)
    plan = planned(firm, file, kind, owned=False)
    for attempt, place in enumerate((0, 10, len(file) // 2, len(file) - 1)):
        flipped = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        assert refusal_of(firm, plan, flipped, attempt) == "model_file_invalid"
        named = plan.model_copy(update={"sha256": sha256(flipped[:-1]).hexdigest()})
        assert refusal_of(firm, named, flipped[:-1], attempt) == "model_file_invalid"
    assert firm.traces("risk")[2] == 0.0
    assert refusal_of(firm, plan, file, 9) == "ok"


@every_kind
def test_a_round_beyond_the_reservation_gets_nothing(firm: Any, kind: str) -> None:
    plan = training_of(firm, kind, rounds=2, local_steps=1, rho=2.0)
    weights = np.zeros(size(architecture_of(plan, firm.catalogue))).tobytes()
    heard = firm.announcements(plan.cohort)
    codes = []
    for number in (0, 1, 2):
        permit = firm.permit(plan, "round", round=number)
        ask = firm.ask(plan, "round", "risk", permit=permit, payload=weights, announcements=heard)
        codes.append(answer(firm.nodes["risk"], ask, NOW).code)
    assert codes == ["ok", "ok", "permit_invalid"]
    assert firm.traces("risk")[2] == 2.0


def test_a_plan_above_what_a_department_gives_is_refused_for_nothing(
    make_firm: Any, policy: str
) -> None:
    firm = make_firm(policy=policy.replace("max_rho = 50.0", "max_rho = 1.0"))
    for kind in KINDS:
        plan = training_of(firm, kind, rho=2.0)
        ask = firm.ask(plan, "check", "risk", announcements=firm.announcements(plan.cohort))
        assert answer(firm.nodes["risk"], ask, NOW).code == "policy_refusal"
    assert firm.traces("risk")[2] == 0.0


def test_an_architecture_beyond_the_limit_is_refused_before_anything_is_asked(firm: Any) -> None:
    for kind in KINDS:
        for hidden in ((257,), (8, 8, 8)):
            with pytest.raises(PlanInvalid, match="hidden"):
                training_of(firm, kind, hidden=hidden)


@pytest.mark.parametrize(("kind", "name"), [("multiclass", "education"), ("ordinal", "age")])
def test_more_classes_than_a_model_may_have_are_refused(firm: Any, kind: str, name: str) -> None:
    many: dict[str, Any] = (
        {"categories": tuple(f"c{n}" for n in range(70))}
        if kind == "multiclass"
        else {"edges": tuple(20.0 + n for n in range(70))}
    )
    fields = tuple(
        f.model_copy(update=many) if f.name == name else f for f in firm.catalogue.fields
    )
    catalogue = firm.catalogue.model_copy(update={"fields": fields})
    values = training_of(firm, kind).model_dump(mode="json") | {"catalogue": catalogue.digest()}
    training = read_plan(values)
    with pytest.raises(ModelError, match="outputs is"):
        plan_check.check(training, catalogue)
    asked = planned(firm, b"", kind).model_dump(mode="json")
    asked |= {"catalogue": catalogue.digest(), "training": values}
    with pytest.raises(ModelError, match="outputs is"):
        plan_check.check(read_plan(asked), catalogue)


def test_tables_beyond_the_limit_are_refused_and_say_what_to_do(firm: Any) -> None:
    plan = planned(firm, b"", "count", bins=64)
    fields = tuple(
        f.model_copy(update={"categories": tuple(f"c{n}" for n in range(20))})
        if f.name == "education"
        else f
        for f in firm.catalogue.fields
    )
    catalogue = firm.catalogue.model_copy(update={"fields": fields})
    with pytest.raises(PlanInvalid, match="take a coarser field or fewer bins"):
        evaluation_tables(plan, catalogue)


def test_what_is_open_for_a_training_is_open_for_no_other(firm: Any, tmp_path: Path) -> None:
    """A last layer that a department keeps belongs to one training and is taken for no other."""
    file = model_of(firm, "personal", tmp_path)
    plan = planned(firm, file, "personal", holdout=0.3, owned=False)
    assert firm.nodes["risk"].learned.personal((digest(plan.training).hex(), 5)) is None
    assert refusal_of(firm, plan, file) == "plan_invalid"
    assert admitted(firm, plan, "check", "risk", 1).plan == plan
