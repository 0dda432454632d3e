"""What the desk and every node ask of a plan before it costs anything."""

from pathlib import Path
from typing import Any

import pytest

from consent.catalogue import Catalogue, load_catalogue
from consent.errors import FieldsNotNeeded, HouseholdUnprotected
from federation.coordinator.protection import protected
from federation.plan_check import check
from federation.plans import read_plan

DEMO = load_catalogue(Path(__file__).parents[2] / "demo" / "catalogue.toml")


def plan_values(**changes: Any) -> dict[str, object]:
    return {
        "kind": "question",
        "catalogue": DEMO.digest(),
        "purpose": "preference_insight",
        "cohort": ("advisory", "research", "risk"),
        "statistics": ({"kind": "mean", "field": "credit_limit_ntd"},),
        "by": ("age",),
        "rho": 0.01,
        "reason": "a test of the check",
    } | changes


def test_a_field_that_no_department_of_the_cohort_holds_is_refused_as_not_needed() -> None:
    check(read_plan(plan_values()), DEMO)
    with pytest.raises(FieldsNotNeeded, match='"credit_limit_ntd"'):
        check(read_plan(plan_values(cohort=("advisory", "research"))), DEMO)


FAMILY: tuple[dict[str, Any], ...] = (
    {"by": ("marital",)},
    {"where": ({"field": "marital", "one_of": ("married",)},)},
    {"statistics": ({"kind": "histogram", "field": "marital"},)},
    {"statistics": ({"kind": "short", "field": "marital"},), "by": (), "owned": False},
)


TRAINING: dict[str, Any] = {
    "kind": "training",
    "target": "prefers_paying_in_full",
    "features": ("age", "marital"),
    "rounds": 1,
    "local_steps": 1,
}


def other_kind(**values: Any) -> dict[str, Any]:
    """The values of a plan that is no question."""
    asked = plan_values()
    del asked["statistics"], asked["by"]
    return asked | values


def evaluation_of(training: dict[str, Any], **values: Any) -> dict[str, Any]:
    """An evaluation of a training that protects the household, as it has to."""
    trained = other_kind(**TRAINING | training, unit="household")
    named = {"kind": "evaluation", "training": trained, "run": "0" * 16, "sha256": "0" * 64}
    return other_kind(**named, **values)


SOURCES = (
    {"field": "age", "department": "risk"},
    {"field": "education", "department": "research"},
    {"field": "marital", "department": "advisory"},
)
OTHERS: tuple[dict[str, Any], ...] = (
    other_kind(**TRAINING),
    other_kind(kind="cube", sources=SOURCES, clients=1024),
    evaluation_of({}),
    evaluation_of({"features": ("age",)}, group="marital"),
)


@pytest.mark.parametrize("values", OTHERS)
def test_every_kind_of_plan_protects_the_household(values: dict[str, Any]) -> None:
    with pytest.raises(HouseholdUnprotected, match='"marital"'):
        check(read_plan(values), DEMO)
    desk = protected(values, DEMO)
    assert (desk["unit"], desk["clients_per_household"]) == ("household", 2)
    check(read_plan(desk), DEMO)


@pytest.mark.parametrize("changes", FAMILY)
def test_whatever_opens_a_family_field_protects_the_household(changes: dict[str, Any]) -> None:
    with pytest.raises(HouseholdUnprotected, match='"marital"'):
        check(read_plan(plan_values(**changes)), DEMO)
    check(read_plan(plan_values(**changes, unit="household")), DEMO)


@pytest.mark.parametrize("changes", FAMILY)
def test_the_desk_sets_what_the_check_asks_for(changes: dict[str, Any]) -> None:
    values = protected(plan_values(**changes), DEMO)
    assert (values["unit"], values["clients_per_household"]) == ("household", 2)
    check(read_plan(values), DEMO)


def test_a_unit_that_is_named_stays_and_so_does_a_number() -> None:
    named = protected(plan_values(unit="client", **FAMILY[0]), DEMO)
    assert named == plan_values(unit="client", **FAMILY[0])
    fewer = protected(plan_values(clients_per_household=1, **FAMILY[0]), DEMO)
    assert (fewer["unit"], fewer["clients_per_household"]) == ("household", 1)


def test_a_plan_of_low_levels_protects_one_client() -> None:
    values = protected(plan_values(), DEMO)
    assert values["unit"] == "client"
    assert "clients_per_household" not in values


def test_the_rule_follows_the_catalogues_levels() -> None:
    marital = next(f for f in DEMO.fields if f.name == "marital")
    lowered = marital.model_copy(update={"level": 2, "family": False})
    fields = tuple(lowered if f.name == "marital" else f for f in DEMO.fields)
    other: Catalogue = DEMO.model_copy(update={"fields": fields})
    check(read_plan(plan_values(**FAMILY[0])), other)
