"""What a risk team may run into, and what a training does then: it is refused, or it learns less.

What depends on rows never refuses: a refusal would tell of them. What is public does, for nothing.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import plan_check
from federation.errors import DepartmentRefused, PlanInvalid
from federation.messages import Answer
from federation.node.answer import answer
from federation.plans import read_plan
from federation.rounds import Leg, drive
from federation.training_journey import train_model
from federation.training_plan import TrainingPlan
from models.architectures import Architecture
from models.errors import ModelError, ModelFileInvalid
from models.files import load, save
from tests.federation.conftest import NOW

WAYS: tuple[dict[str, Any], ...] = (
    {"rounds": 3, "local_steps": 3},
    {"rounds": 9, "local_steps": 1, "noise": "shared"},
    {"rounds": 9, "local_steps": 1, "noise": "shared", "owned": True},
)


def trained(firm: Any, **changes: Any) -> Any:
    plan = firm.plan(kind="training", rho=8.0, **changes)
    return drive(train_model(firm.brief(plan)), firm.exchange).average()


def rewritten(firm: Any, change: Any) -> Any:
    """Change every row of every department."""
    for department, rows in firm.rows.items():
        firm.write(department, {client: row | change(row) for client, row in rows.items()})
    return firm


@pytest.mark.parametrize("way", WAYS)
def test_a_label_of_one_class_trains_without_a_word_about_it(
    make_firm: Any, way: dict[str, Any]
) -> None:
    firm = rewritten(make_firm(levels=lambda _n: 4), lambda _row: {"defaulted": True})
    weights = trained(firm, **way)
    assert np.isfinite(weights).all()
    assert weights[-1] > 0, "everybody defaulted"


@pytest.mark.parametrize("way", WAYS)
def test_a_field_that_is_constant_everywhere_is_one_more_bias(
    make_firm: Any, way: dict[str, Any]
) -> None:
    firm = rewritten(make_firm(levels=lambda _n: 4), lambda _row: {"age": 40})
    assert np.isfinite(trained(firm, **way)).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_department_with_three_clients_takes_part_and_weighs_little(
    make_firm: Any, way: dict[str, Any]
) -> None:
    firm = make_firm(900, levels=lambda _n: 4)
    few = dict(list(firm.rows["risk"].items())[:3])
    firm.write("risk", few)
    weights = trained(firm, **way)
    assert np.isfinite(weights).all()
    presence, age, bias = weights
    young, old = bias + presence - 0.8 * age, bias + presence + 0.8 * age
    assert young < old, "the other two are learned from: defaulted means older than 58"


def test_an_architecture_beyond_the_limit_is_refused_before_anything_is_asked(firm: Any) -> None:
    with pytest.raises(PlanInvalid, match="hidden"):
        firm.plan(kind="training", hidden=(257,))
    with pytest.raises(PlanInvalid, match="hidden"):
        firm.plan(kind="training", hidden=(8, 8, 8))
    with pytest.raises(ModelError):
        plan_check.check(
            firm.plan(kind="training", hidden=(1,), rounds=2, linear_rounds=1), firm.catalogue
        )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_from_the_coordinator_are_refused_for_nothing(
    firm: Any, way: dict[str, Any], value: float
) -> None:
    plan = firm.plan(kind="training", **way | {"owned": False})
    ask = firm.ask(plan, "round", "risk", payload=np.full(3, value).tobytes())
    said = answer(firm.nodes["risk"], ask, NOW)
    assert (said.code, "not all finite" in said.text) == ("protocol_error", True)
    assert firm.traces("risk")[2] == 0.0


@given(
    st.fixed_dictionaries(
        {
            "rho": st.floats(1e-6, 100),
            "rounds": st.integers(1, 100),
            "local_steps": st.integers(1, 1000),
            "owned": st.booleans(),
            "noise": st.sampled_from(["local", "shared"]),
        }
    ),
    st.integers(2, 16),
)
def test_steps_and_rounds_together_never_cost_more_than_the_reservation(
    asked: dict[str, Any], departments: int
) -> None:
    shared = asked["noise"] == "shared"
    plan = read_plan(
        {
            "kind": "training",
            "catalogue": "ab" * 32,
            "purpose": "review",
            "cohort": tuple(f"d{n:02d}" for n in range(departments)),
            "reason": "a test",
            "target": "prefers",
            "features": ("age",),
            **asked,
            "local_steps": 1 if shared else asked["local_steps"],
        }
    )
    assert isinstance(plan, TrainingPlan)
    k = 1 if shared else plan.bound.departments
    of_steps = plan.rounds * plan.local_steps * Fraction(plan.rho_of_step.value)
    total = k * (Fraction(plan.rho_of_count.value) + of_steps)
    assert total <= Fraction(plan.rho)
    assert float(total) == pytest.approx(plan.rho)


def test_a_plan_that_asks_for_more_than_the_reservation_is_refused_at_the_node(firm: Any) -> None:
    """The department's ledger has the plan's ρ; a round beyond R, or another plan, gets nothing."""
    plan = firm.plan(kind="training", rho=2.0)
    drive(train_model(firm.brief(plan)), firm.exchange)
    weights = np.zeros(3).tobytes()
    permit = firm.permit(plan, "round", round=plan.rounds)
    ask = firm.ask(plan, "round", "risk", permit=permit, payload=weights)
    assert answer(firm.nodes["risk"], ask, NOW).code == "permit_invalid"
    assert firm.traces("risk")[2] == 2.0


def test_a_department_that_refuses_its_first_round_is_named(firm: Any) -> None:
    plan = firm.plan(kind="training")

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        if "round" in leg.step:
            (firm.folder / "risk" / "view.sql").write_text("SELECT 1 AS nothing")
        found: Mapping[str, Answer] = firm.exchange(leg)
        return found

    with pytest.raises(DepartmentRefused, match="risk"):
        drive(train_model(firm.brief(plan)), exchange)


def test_a_model_file_with_a_flipped_byte_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "model.safetensors"
    shape = Architecture(inputs=3, hidden=(4,))
    save(path, shape, np.linspace(-1, 1, 21))
    whole = bytearray(path.read_bytes())
    for place in (10, len(whole) // 2, len(whole) - 3):
        broken = bytearray(whole)
        broken[place] ^= 1
        path.write_bytes(broken)
        with pytest.raises(ModelFileInvalid):
            load(path)


def test_a_level_that_closes_a_field_sets_its_presence_to_zero(make_firm: Any) -> None:
    from federation.node.admission import admit  # noqa: PLC0415 - of this test alone
    from federation.node.training_task import training_rows  # noqa: PLC0415 - of this test alone

    firm = make_firm(levels=lambda _n: 4)
    plan = firm.plan(kind="training", features=("age", "income"))
    weights = np.zeros(5).tobytes()

    def presence_of_income(attempt: int) -> Any:
        permit = firm.permit(plan, "round", attempt=attempt)
        leg = admit(firm.nodes["risk"], firm.ask(plan, "round", "risk", permit=permit), NOW)
        return training_rows(firm.nodes["risk"], leg, plan, weights).features.rows()[:, 2:]

    assert presence_of_income(0)[:, 0].any()
    firm.levels = dict.fromkeys(firm.levels, 3)  # income is of level 4
    firm.epoch += 1
    assert not presence_of_income(1).any()
