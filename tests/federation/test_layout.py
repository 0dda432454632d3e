"""The vectors' layout: blocks follow one another, and every name, scale and bound is public."""

from math import prod
from typing import Any

import numpy as np
import pytest

from consent.catalogue import Catalogue, Field
from consent.errors import UnknownField
from consent.purposes import Purpose
from federation import layout, plan_check, training_layout
from federation.errors import PlanInvalid
from federation.plans import AnyPlan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan
from privacy.bounds import BoundedSum, bounded_count, bounded_gradient, bounded_total
from privacy.errors import InvalidBound
from privacy.lattice import IntVector
from privacy.loss import Rho
from privacy.mechanisms import add_noise_share, release_locally
from privacy.noise_shares import MINIMUM_SHARE_SIGMA, share_sigma
from privacy.planning import LEAST_RHO
from privacy.units import ContributionBound

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
        for facts in (
            {"name": "age", "kind": "number", "lower": 18, "upper": 98, "edges": (30, 50)},
            {"name": "income", "kind": "number", "lower": -1000, "upper": 9000},
            {"name": "wealth", "kind": "number", "lower": 0, "upper": 1e12},
            {"name": "city", "kind": "category", "categories": tuple(f"c{n}" for n in range(70))},
            {"name": "shop", "kind": "category", "categories": tuple(f"s{n}" for n in range(70))},
            {"name": "sex", "kind": "category", "categories": ("f", "m")},
            {"name": "defaulted", "kind": "flag"},
        )
    ),
)
SHARED: dict[str, Any] = {
    "catalogue": CATALOGUE.digest(),
    "purpose": "review",
    "cohort": ("advisory", "risk"),
    "reason": "a test",
}


def question(**changes: Any) -> QuestionPlan:
    values = {"statistics": ({"kind": "count"},), "by": ("age",), "rho": 0.1}
    return QuestionPlan.model_validate(SHARED | values | changes)


def training(**changes: Any) -> TrainingPlan:
    values = {"target": "defaulted", "features": ("age", "city", "sex"), "rho": 0.1}
    return TrainingPlan.model_validate(SHARED | values | {"rounds": 1, "local_steps": 1} | changes)


def test_the_count_comes_first_and_each_total_after_it() -> None:
    statistics = ({"kind": "mean", "field": "income"}, {"kind": "mean", "field": "age"})
    blocks = layout.question_blocks(question(statistics=statistics), CATALOGUE)
    assert [(b.name, b.field, b.start, b.size) for b in blocks] == [
        ("count", None, 0, 3),
        ("total income", "income", 3, 3),
        ("total age", "age", 6, 3),
    ]
    assert blocks[1].places == slice(3, 6)
    assert (blocks[1].center, blocks[1].half_width) == (4000.0, 5000.0)


@pytest.mark.parametrize(("owned", "departments"), [(True, 1), (False, 2)])
def test_a_client_moves_as_many_departments_as_the_plan_says(
    *, owned: bool, departments: int
) -> None:
    statistics = ({"kind": "mean", "field": "wealth"},)
    for block in layout.question_blocks(question(owned=owned, statistics=statistics), CATALOGUE):
        assert block.sensitivity == block.scale * departments


@pytest.mark.parametrize("rho", [1e-4, 0.1, 5.0, 100.0])
def test_every_blocks_noise_share_is_wide_enough(rho: float) -> None:
    plan = question(rho=rho, statistics=({"kind": "mean", "field": "income"},))
    for block in layout.question_blocks(plan, CATALOGUE):
        sigma = share_sigma(sensitivity=block.sensitivity, rho=block.rho, cohort=2, tolerance=1)
        assert sigma >= MINIMUM_SHARE_SIGMA


def test_cells_are_named_in_the_vectors_order() -> None:
    assert layout.cell_labels(question(by=("sex", "age")), CATALOGUE) == (
        ("f", "< 30"),
        ("f", "30–49"),
        ("f", "≥ 50"),
        ("m", "< 30"),
        ("m", "30–49"),
        ("m", "≥ 50"),
    )
    assert layout.cell_labels(question(by=()), CATALOGUE) == ((),)


@pytest.mark.parametrize(
    "plan",
    [
        question(by=("age", "age")),
        question(by=("city", "shop")),
        question(statistics=({"kind": "mean", "field": "city"},)),
        question(statistics=({"kind": "mean", "field": "defaulted"},)),
        question(unit="household", clients_per_household=9),
        training(target="income", objective="multiclass"),
        training(unit="household", clients_per_household=9),
    ],
)
def test_a_plan_without_a_vector_is_refused(plan: AnyPlan) -> None:
    with pytest.raises(PlanInvalid):
        plan_check.check(plan, CATALOGUE)


def test_the_refused_product_of_cells_is_above_the_limit() -> None:
    sizes = [len(CATALOGUE.field(name).labels()) for name in ("city", "shop")]
    assert prod(sizes) > layout.MAX_CELLS >= max(sizes)
    plan_check.check(question(by=("city",)), CATALOGUE)


def test_an_unknown_field_is_named() -> None:
    for plan in (question(by=("shoe_size",)), training(features=("shoe_size",))):
        with pytest.raises(UnknownField, match="shoe_size"):
            plan_check.check(plan, CATALOGUE)


def test_a_models_inputs_are_the_widths_of_its_features() -> None:
    assert [training_layout.width(CATALOGUE.field(n)) for n in ("age", "city", "defaulted")] == [
        2,
        70,
        2,
    ]
    architecture = training_layout.architecture_of(training(hidden=(4,)), CATALOGUE)
    assert (architecture.inputs, architecture.hidden) == (2 + 70 + 2, (4,))
    plan_check.check(training(target="sex", features=("age",)), CATALOGUE)


LARGEST = {
    "cohort": tuple(f"d{number:02}" for number in range(16)),
    "tolerance": 15,
    "unit": "household",
    "clients_per_household": 100,
    "rho": LEAST_RHO,
}


def flat(sigma: int, size: int) -> IntVector:
    return np.full(size, sigma, dtype=np.int64)


def nobodys_total(plan: QuestionPlan) -> BoundedSum:
    nobody = np.zeros(0, dtype=np.int64)
    return bounded_total(
        "total", nobody, nobody, 1, lower=-1.0, upper=1.0, unit=plan.unit, bound=plan.bound
    )


def test_the_largest_question_has_room_for_the_noise_of_the_least_loss() -> None:
    means = tuple({"kind": "mean", "field": f"f{number}"} for number in range(8))
    plan = question(**LARGEST, statistics=means, owned=False)
    scale = layout.question_blocks(question(**LARGEST, owned=False), CATALOGUE)[0].scale
    nobody = np.zeros(0, dtype=np.int64)
    count = bounded_count(nobody, 1, scale=scale, unit=plan.unit, bound=plan.bound)
    for bounded in (count, nobodys_total(plan)):
        rho = min(plan.sums.values())
        add_noise_share(bounded, rho=rho, cohort=16, tolerance=15, noise=flat)


def test_the_noise_of_a_millionth_of_the_least_loss_has_no_room() -> None:
    total, rho = nobodys_total(question(**LARGEST, owned=False)), Rho(LEAST_RHO / 1e6)
    with pytest.raises(InvalidBound, match="full cohort"):
        add_noise_share(total, rho=rho, cohort=16, tolerance=15, noise=flat)


def test_the_longest_training_has_room_for_the_noise_of_the_least_loss() -> None:
    plan = training(**LARGEST, rounds=100, local_steps=1000, clip_norm=100.0)
    gradient = bounded_gradient(
        np.zeros(3), clip_norm=plan.clip_norm, unit=plan.unit, bound=ContributionBound(1)
    )
    release_locally(gradient, rho=plan.rho_of_step, noise=flat)
