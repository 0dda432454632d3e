"""Plans: equal plans have one name, and every contradiction is refused with its place."""

import json
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import PlanInvalid
from federation.plan_base import Kind
from federation.plans import AnyPlan, canonical, digest, owners_save, read_plan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan

QUESTION = {
    "kind": "question",
    "catalogue": "ab" * 32,
    "purpose": "preference_insight",
    "cohort": ["advisory", "research", "risk"],
    "rho": 0.01,
    "reason": "a look at the age bands",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "credit_limit"}],
    "by": ["age"],
}
TRAINING = {
    "kind": "training",
    "catalogue": "ab" * 32,
    "purpose": "preference_model",
    "cohort": ["advisory", "risk"],
    "rho": 0.08,
    "reason": "who prefers paying in full",
    "target": "prefers",
    "features": ["age", "sex"],
    "rounds": 4,
    "local_steps": 10,
}


def test_every_kind_of_plan_is_a_kind_that_policies_and_the_wire_know() -> None:
    kinds = [plan.model_fields["kind"].default for plan in get_args(AnyPlan)]
    assert sorted(kinds) == sorted(get_args(Kind))


def test_a_plan_survives_its_own_bytes_and_keeps_its_name() -> None:
    for body in (QUESTION, TRAINING):
        plan = read_plan(body)
        assert read_plan(canonical(plan)) == plan
        assert digest(read_plan(canonical(plan))) == digest(plan)


def test_the_order_of_keys_does_not_change_the_name() -> None:
    turned = json.dumps(dict(reversed(QUESTION.items()))).encode()
    assert digest(read_plan(turned)) == digest(read_plan(QUESTION))


@given(st.sampled_from(["rho", "purpose", "catalogue", "reason"]), st.floats(0.001, 1))
def test_any_changed_fact_changes_the_name(key: str, rho: float) -> None:
    other = {"rho": rho, "purpose": "other", "catalogue": "cd" * 32, "reason": "another"}
    changed = read_plan(QUESTION | {key: other[key]})
    same = key == "rho" and rho == QUESTION["rho"]
    assert same or digest(changed) != digest(read_plan(QUESTION))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rho": 0}, "rho"),
        ({"rho": -1.0}, "rho"),
        ({"rho": 1e-13}, "rho"),
        ({"rho": float("nan")}, "rho"),
        ({"rho": float("inf")}, "rho"),
        ({"cohort": ["risk"]}, "cohort"),
        ({"cohort": ["risk", "advisory"]}, "alphabetical"),
        ({"cohort": ["risk", "risk"]}, "alphabetical"),
        ({"tolerance": 3}, "tolerance"),
        ({"statistics": []}, "statistics"),
        ({"statistics": [{"kind": "max"}]}, "statistics"),
        ({"statistics": [{"kind": "mean", "field": "credit_limit"}] * 2}, "each statistic once"),
        ({"statistics": [{"kind": "count"}] * 2}, "each statistic once"),
        ({"purpose": "Bobby'; DROP TABLE"}, "purpose"),
        ({"code": "import os"}, "code"),
        ({"kind": "code"}, "question"),
    ],
)
def test_a_bad_question_is_refused_with_its_place(change: dict[str, object], place: str) -> None:
    with pytest.raises(PlanInvalid, match=place):
        read_plan(QUESTION | change)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"features": ["prefers"]}, "target"),
        ({"features": ["sex", "age"]}, "alphabetical"),
        ({"hidden": [64, 32, 16]}, "hidden"),
        ({"hidden": [5000]}, "hidden"),
        ({"rounds": 0}, "rounds"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"momentum": 1.0}, "momentum"),
    ],
)
def test_a_bad_training_is_refused_with_its_place(change: dict[str, object], place: str) -> None:
    with pytest.raises(PlanInvalid, match=place):
        read_plan(TRAINING | change)


@given(st.floats(1e-6, 100), st.integers(1, 7))
def test_the_parts_of_a_question_cost_no_more_than_the_plan_says(rho: float, means: int) -> None:
    asked = [{"kind": "mean", "field": f"f{n}"} for n in range(means)]
    plan = read_plan(QUESTION | {"rho": rho, "statistics": asked})
    assert isinstance(plan, QuestionPlan)
    total = sum(Fraction(part.value) for part in plan.sums.values())
    assert total <= Fraction(rho)
    assert float(total) == pytest.approx(rho)


def test_divided_as_floats_the_parts_of_a_question_would_cost_more() -> None:
    rho = 2.1
    assert 3 * Fraction(rho / 3) > Fraction(rho)


@given(st.floats(1e-6, 100), st.integers(1, 100), st.integers(1, 1000), st.integers(2, 16))
def test_the_parts_of_a_training_cost_no_more_than_the_plan_says(
    rho: float, rounds: int, steps: int, departments: int
) -> None:
    cohort = [f"d{number:02d}" for number in range(departments)]
    changed = {"rho": rho, "rounds": rounds, "local_steps": steps, "cohort": cohort}
    plan = read_plan(TRAINING | changed)
    assert isinstance(plan, TrainingPlan)
    count, step = (Fraction(part.value) for part in (plan.rho_of_count, plan.rho_of_step))
    total = departments * (count + rounds * steps * step)
    assert total <= Fraction(rho)
    assert float(total) == pytest.approx(rho)


def test_only_an_owned_question_moves_one_department() -> None:
    owned, counted = read_plan(QUESTION), read_plan(QUESTION | {"owned": False})
    assert owned.bound.departments == 1
    assert counted.bound.departments == 3


@pytest.mark.parametrize(
    ("plan", "factor"),
    [
        (QUESTION, 3.0),
        (QUESTION | {"owned": False}, 1.0),
        (TRAINING, 1.0),
        (TRAINING | {"owned": True}, 2**0.5),
        (TRAINING | {"owned": True, "noise": "shared", "local_steps": 1}, 2.0),
    ],
)
def test_a_plan_says_what_owners_save(plan: dict[str, object], factor: float) -> None:
    """The factor is that of the noise itself, by the widths that the plans ask for."""
    assert owners_save(read_plan(plan)) == pytest.approx(factor)
    owned, alone = read_plan(plan), read_plan(plan | {"owned": False})
    if isinstance(owned, TrainingPlan) and isinstance(alone, TrainingPlan):
        width = [
            p.bound.departments ** (p.noise == "shared") / p.rho_of_step.value**0.5
            for p in (alone, owned)
        ]
        assert width[0] / width[1] == pytest.approx(factor)
