"""What a plan learns of its target: the shape of the model, and what it refuses to learn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Catalogue, Field, Purpose
from federation import plan_check
from federation.errors import PlanInvalid
from federation.node.columns import Column
from federation.node.features import labels
from federation.plans import read_plan
from federation.training_layout import architecture_in, architecture_of, objective_of
from federation.training_plan import LEAST_CLIP, TrainingPlan
from models.errors import ModelError
from models.objectives import Objective, check_labels
from privacy.lattice import REAL_SCALE
from privacy.loss import Rho
from privacy.noise_shares import MINIMUM_SHARE_SIGMA, share_sigma
from privacy.planning import MOST_RHO

FACTS: tuple[dict[str, Any], ...] = (
    {"name": "age", "kind": "number", "lower": 18, "upper": 98, "edges": (30, 50)},
    {"name": "income", "kind": "number", "lower": -1000, "upper": 9000},
    {"name": "visits", "kind": "number", "lower": 0, "upper": 50},
    {"name": "wealth", "kind": "number", "lower": 0, "upper": 1e12, "transform": "signed_log"},
    {"name": "city", "kind": "category", "categories": tuple(f"c{n}" for n in range(70))},
    {"name": "school", "kind": "category", "categories": ("low", "middle", "high")},
    {"name": "sex", "kind": "category", "categories": ("f", "m")},
    {"name": "defaulted", "kind": "flag"},
    {"name": "moved", "kind": "flag", "departments": ("risk",)},
)
CATALOGUE = Catalogue(
    name="test",
    departments=("advisory", "risk"),
    purposes=(Purpose(name="review", title="review"),),
    fields=tuple(
        Field.model_validate(
            {"title": "-", "departments": ("advisory", "risk"), "level": 1, "purposes": ("review",)}
            | facts,
            strict=False,
        )
        for facts in FACTS
    ),
)


def training(**changes: Any) -> TrainingPlan:
    values = {
        "kind": "training",
        "catalogue": CATALOGUE.digest(),
        "purpose": "review",
        "cohort": ("advisory", "risk"),
        "reason": "a test",
        "features": ("income",),
        "rho": 0.1,
        "rounds": 4,
        "local_steps": 1,
    }
    plan = read_plan(values | changes)
    assert isinstance(plan, TrainingPlan)
    return plan


@pytest.mark.parametrize(
    ("target", "objective", "found", "outputs"),
    [
        ("defaulted", None, Objective.BINARY, 1),
        ("sex", None, Objective.BINARY, 1),
        ("school", None, Objective.MULTICLASS, 3),
        ("sex", "multiclass", Objective.MULTICLASS, 2),
        ("school", "ordinal", Objective.ORDINAL, 2),
        ("age", "ordinal", Objective.ORDINAL, 2),
        ("age", None, Objective.AMOUNT, 1),
        ("wealth", "amount", Objective.AMOUNT, 1),
        ("visits", "count", Objective.COUNT, 1),
    ],
)
def test_a_target_gives_the_model_its_objective_and_outputs(
    target: str, objective: str | None, found: Objective, outputs: int
) -> None:
    plan = training(target=target, objective=objective)
    architecture = architecture_of(plan, CATALOGUE)
    assert (architecture.objective, architecture.outputs) == (found, outputs)
    plan_check.check(plan, CATALOGUE)


@pytest.mark.parametrize(
    ("target", "objective", "problem"),
    [
        ("school", "binary", "exactly two"),
        ("age", "binary", "exactly two"),
        ("age", "multiclass", "a category"),
        ("defaulted", "multiclass", "a category"),
        ("defaulted", "ordinal", "in their order"),
        ("visits", "ordinal", "edges"),
        ("income", "count", "bounds from 0"),
        ("wealth", "count", "bounds from 0"),
        ("school", "count", "a number"),
        ("sex", "amount", "a number"),
    ],
)
def test_a_target_that_cannot_be_learned_so_is_refused_with_what_it_needs(
    target: str, objective: str, problem: str
) -> None:
    plan = training(target=target, objective=objective, features=("city",))
    with pytest.raises(PlanInvalid, match=problem):
        plan_check.check(plan, CATALOGUE)


def test_a_department_without_labels_is_named_and_so_is_who_can_take_part() -> None:
    with pytest.raises(PlanInvalid, match=r"advisory holds no moved.*risk can take part"):
        plan_check.check(training(target="moved"), CATALOGUE)


def test_an_architecture_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ModelError, match="64"):
        plan_check.check(training(target="city"), CATALOGUE)
    with pytest.raises(PlanInvalid, match="hidden"):
        training(target="sex", hidden=(1024,))


def test_linear_rounds_train_the_linear_part_and_need_room_for_it() -> None:
    plan = training(target="school", hidden=(8, 6), linear_rounds=2)
    assert [architecture_in(plan, CATALOGUE, n).hidden for n in range(4)] == [
        (),
        (),
        (8, 6),
        (8, 6),
    ]
    assert [plan.keeps(n) for n in range(4)] == [False, True, False, True]
    with pytest.raises(ModelError, match="at least 6"):
        plan_check.check(training(target="school", hidden=(8, 5), linear_rounds=2), CATALOGUE)


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": "shared", "local_steps": 2},
        {"noise": "shared", "proximal": 0.1},
        {"noise": "shared", "hidden": (4,), "personal": True},
        {"personal": True},
        {"personal": True, "hidden": (4,), "linear_rounds": 1},
        {"linear_rounds": 1},
        {"linear_rounds": 5, "hidden": (4,)},
    ],
)
def test_ways_that_do_not_fit_together_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PlanInvalid):
        training(target="defaulted", **changes)


@given(st.data())
def test_every_present_value_becomes_a_label_that_its_objective_can_learn(data: Any) -> None:
    facts = data.draw(st.sampled_from([f for f in FACTS if f["name"] != "city"]))
    field = CATALOGUE.field(facts["name"])
    allowed = []
    for objective in Objective:
        try:
            allowed.append(
                objective_of(
                    training(target=field.name, objective=objective, features=("city",)), CATALOGUE
                )
            )
        except PlanInvalid:
            continue
    objective = data.draw(st.sampled_from(allowed))
    column: Column
    if field.kind == "number":
        values = st.floats(-1e15, 1e15)
        column = np.array(data.draw(st.lists(values, min_size=1)), dtype=np.float64)
    else:
        codes = st.integers(0, len(field.labels()) - 1)
        column = np.array(data.draw(st.lists(codes, min_size=1)), dtype=np.int64)
    plan = training(target=field.name, objective=objective, features=("city",))
    outputs = architecture_of(plan, CATALOGUE).outputs
    check_labels(labels(field, objective, column), objective=objective, outputs=outputs)


def test_the_least_clip_norm_leaves_every_noise_share_wide_enough() -> None:
    reach = LEAST_CLIP * REAL_SCALE
    rho = Rho(MOST_RHO)
    assert share_sigma(sensitivity=reach, rho=rho, cohort=16, tolerance=0) >= MINIMUM_SHARE_SIGMA
    with pytest.raises(PlanInvalid, match="clip_norm"):
        training(target="sex", clip_norm=LEAST_CLIP / 2)
