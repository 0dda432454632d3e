from typing import Any

import pytest

from consent.catalogue import Catalogue, load_catalogue
from federation.cube_layout import MOST_COLUMNS, cube_layout, sensitivity, standard_error
from federation.cube_plan import PART_ROWS, CubePlan
from federation.errors import PlanInvalid
from federation.plan_check import check
from federation.plans import canonical, read_plan
from privacy.bounds import TABLE_SCALE
from tests.federation.conftest import CATALOGUE, DEPARTMENTS
from tests.federation.cube_cases import SOURCES

TWO = {"age": "advisory", "defaulted": "risk"}


@pytest.fixture
def catalogue() -> Catalogue:
    return load_catalogue(CATALOGUE)


def plan(catalogue: Catalogue, held: dict[str, str] = SOURCES, **changes: Any) -> CubePlan:
    values = {
        "kind": "cube",
        "catalogue": catalogue.digest(),
        "purpose": "review",
        "unit": "household",
        "cohort": tuple(sorted(set(held.values()))),
        "sources": tuple({"field": f, "department": d} for f, d in sorted(held.items())),
        "clients": 1024,
        "rho": 0.5,
        "reason": "a test",
    }
    made = read_plan(values | changes)
    assert isinstance(made, CubePlan)
    return made


def widened(catalogue: Catalogue, labels: int) -> Catalogue:
    """The same firm with so many schools."""
    many = tuple(f"school {number}" for number in range(labels))
    fields = tuple(
        f.model_copy(update={"categories": many}) if f.name == "education" else f
        for f in catalogue.fields
    )
    return catalogue.model_copy(update={"fields": fields})


def test_every_cell_stands_in_one_table_and_every_two_fields_have_one(catalogue: Catalogue) -> None:
    layout = cube_layout(plan(catalogue), catalogue)
    places = [place for table in layout.tables for place in range(layout.cells)[table.places]]
    assert places == list(range(layout.cells))
    assert len(layout.tables) == layout.plan.tables == 10
    assert len({(t.first.field.name, t.second.field.name) for t in layout.tables}) == 10
    assert layout.widths == {"advisory": 3, "research": 4, "risk": 2}


def test_a_pair_is_dealt_by_somebody_else(catalogue: Catalogue) -> None:
    layout = cube_layout(plan(catalogue), catalogue)
    assert {(a, b): d for a, b, d in layout.pairs()} == {
        ("advisory", "research"): "risk",
        ("advisory", "risk"): "research",
        ("research", "risk"): "advisory",
    }
    two = cube_layout(plan(catalogue, TWO, dealer="research"), catalogue)
    assert list(two.pairs()) == [("advisory", "risk", "research")]
    assert two.plan.parties == DEPARTMENTS
    assert set(two.envelopes(0, "research")) == {"advisory", "risk"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tolerance": 2}, "one colluding department"),
        ({"dealer": "risk"}, "needs no dealer"),
        ({"clients": 10}, "clients"),
        ({"cohort": ("advisory", "research")}, "at least one field"),
        ({"sources": ({"field": "age", "department": "risk"},) * 2}, "once"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(
    catalogue: Catalogue, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(PlanInvalid, match=told):
        plan(catalogue, **changes)


@pytest.mark.parametrize("dealer", [None, "advisory"])
def test_two_departments_without_a_third_are_refused(
    catalogue: Catalogue, dealer: str | None
) -> None:
    with pytest.raises(PlanInvalid, match="third"):
        plan(catalogue, TWO, dealer=dealer)


def test_a_field_its_department_does_not_hold_is_refused(catalogue: Catalogue) -> None:
    wrong = plan(catalogue, SOURCES | {"income": "advisory"})
    with pytest.raises(PlanInvalid, match="does not hold income"):
        cube_layout(wrong, catalogue)


@pytest.mark.parametrize("labels", [MOST_COLUMNS + 1, 100_000])
def test_a_field_with_too_many_labels_is_refused_before_any_leg(
    catalogue: Catalogue, labels: int
) -> None:
    wide = widened(catalogue, labels)
    with pytest.raises(PlanInvalid, match="labels of one department"):
        check(plan(wide), wide)


def test_too_many_cells_are_refused(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("federation.cube_layout.MOST_CELLS", 20)
    with pytest.raises(PlanInvalid, match="at most 20 cells"):
        cube_layout(plan(catalogue), catalogue)


def test_units_that_reach_too_far_for_the_ring_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(PlanInvalid, match="leave the ring"):
        cube_layout(plan(catalogue, clients_per_household=100), catalogue)
    assert cube_layout(plan(catalogue, clients_per_household=8, rho=1e-9), catalogue)


def test_sensitivity_is_the_root_of_the_tables_and_grows_with_the_household(
    catalogue: Catalogue,
) -> None:
    one, many = plan(catalogue), plan(catalogue, clients_per_household=4)
    assert sensitivity(one) == pytest.approx(10**0.5 * TABLE_SCALE, rel=1e-9)
    assert sensitivity(many) == 4 * sensitivity(one)
    assert standard_error(one) == pytest.approx((10 / (2 * 0.5) * 3 / 2) ** 0.5, rel=0.02)


def test_sizes_follow_from_the_plan_alone(catalogue: Catalogue) -> None:
    wide = plan(catalogue, clients=2 * PART_ROWS + 1)
    assert [part.stop - part.start for part in wide.parts] == [PART_ROWS, PART_ROWS, 1]
    assert wide.legs == {"tokens": 1, "matrices": 3, "shares": 1}
    padded = plan(catalogue, padded=True)
    assert padded.listed == 1024 + 3 * 128
    assert padded.rows == 3 * padded.listed
    assert read_plan(canonical(padded)) == padded
