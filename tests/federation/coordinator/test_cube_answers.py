from typing import Any

import numpy as np
import pytest

from consent.catalogue import Catalogue, load_catalogue
from federation.coordinator.cube_answers import counted, has_order, linear_model, relations
from federation.coordinator.cube_file import Cube, open_cube
from federation.coordinator.cube_request import filled_in
from federation.coordinator.cube_result import cube_result
from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.runs import Run
from federation.cube_layout import cube_layout, standard_error
from federation.cube_plan import CubePlan
from federation.errors import CubeUnavailable, PlanInvalid
from models.errors import TablesTooNoisy
from privacy.bounds import TABLE_SCALE
from privacy.loss import Rho
from privacy.mechanisms import release
from privacy.units import NeighboringRelation
from tests.federation.conftest import CATALOGUE, DEPARTMENTS, OPENED
from tests.federation.cube_cases import SOURCES

POLICY = """
delta = 1e-6
automatic_epsilon = 40.0
minimum_cohort = 2
[firm]
epsilon = 60.0
[purposes.review]
epsilon = 50.0
"""
REQUEST = {
    "kind": "cube",
    "purpose": "review",
    "unit": "household",
    "fields": ["education", "age", "income", "defaulted"],
    "taken_from": {"age": "advisory", "defaulted": "risk", "education": "research"},
    "clients": 1024,
    "epsilon": 20.0,
    "reason": "a test",
}
LABELS = 3, 2, 3, 1
"""Of age, defaulted, education and income."""


@pytest.fixture
def catalogue() -> Catalogue:
    return load_catalogue(CATALOGUE)


@pytest.fixture
def desk(tmp_path: Any, desk_at: Any) -> Desk:
    return desk_at(tmp_path, POLICY)  # type: ignore[no-any-return]


def counts_of(plan: CubePlan, catalogue: Catalogue) -> np.ndarray:
    """Tables of made-up clients, in which older ones have studied more and default more often."""
    layout = cube_layout(plan, catalogue)
    number = np.arange(5000)
    age = number % 3
    school = np.clip(age + number // 3 % 3 - 1, 0, 2)
    defaulted = (number * 7919 % 1009 / 1009 < 0.1 + 0.3 * age).astype(int)
    eyes = [np.eye(n)[c] for n, c in zip(LABELS, (age, defaulted, school, age * 0), strict=True)]
    cells = []
    for table in layout.tables:
        first, second = (eyes[layout.columns.index(c)] for c in (table.first, table.second))
        both = first.T @ second
        cells.append(np.diag(both) if table.first is table.second else both.ravel())
    return np.concatenate(cells)


@pytest.fixture
def released_run(desk: Desk, catalogue: Catalogue) -> Run:
    """Release made-up tables as the dispatcher does."""
    plan = plan_of(REQUEST, desk)
    assert isinstance(plan, CubePlan)
    run = submit(plan, desk, asker="analyst", now=OPENED).run
    assert desk.runs.take() is not None
    noised = release(
        "cube",
        (counts_of(plan, catalogue) * TABLE_SCALE).astype(np.int64),
        sensitivity=1.0 * TABLE_SCALE,
        scale=TABLE_SCALE,
        rho=Rho(plan.rho),
        unit=plan.unit,
        relation=NeighboringRelation.ADD_OR_REMOVE,
        bound=plan.bound,
        cohort=3,
        tolerance=1,
    )
    desk.settings.models.mkdir(exist_ok=True)
    result = cube_result(plan, catalogue, noised, desk.settings.models / f"{run.id}.npz")
    desk.runs.end_released(run.id, result=result, label={"consent_epoch": 3}, now=100)
    return desk.runs.get(run.id)


@pytest.fixture
def cube(released_run: Run, desk: Desk) -> Cube:
    return open_cube(released_run, desk, now=160)


def test_a_request_names_fields_and_the_desk_says_where_they_come_from(desk: Desk) -> None:
    plan = plan_of(REQUEST, desk)
    assert isinstance(plan, CubePlan)
    assert {s.field: s.department for s in plan.sources} == SOURCES
    assert plan.cohort == DEPARTMENTS
    assert plan.clients_per_household == 1


def test_two_departments_get_the_third_as_their_dealer(catalogue: Catalogue) -> None:
    given = {"fields": ("age",), "cohort": ["advisory", "risk"]}
    assert filled_in(given, catalogue)["dealer"] == "research"
    with pytest.raises(PlanInvalid, match="no department"):
        filled_in({"fields": ("income",), "cohort": ["advisory"]}, catalogue)
    with pytest.raises(PlanInvalid, match="not among the fields"):
        filled_in(given | {"taken_from": {"income": "risk"}}, catalogue)


def test_a_cube_knows_its_age_its_epoch_and_its_noise(cube: Cube) -> None:
    assert (cube.age_s, cube.epoch) == (60, 3)
    assert cube.sigma == standard_error(cube.layout.plan)


def test_a_table_is_its_cells_in_either_order(cube: Cube) -> None:
    one = counted(cube, ["age", "education"])["rows"]
    other = counted(cube, ["education", "age"])["rows"]
    cells = {tuple(sorted(r["cell"].items())): r["count"]["value"] for r in one}
    assert cells == {tuple(sorted(r["cell"].items())): r["count"]["value"] for r in other}
    assert sum(cells.values()) == 5000
    alone = counted(cube, ["defaulted"])["rows"]
    assert [row["cell"]["defaulted"] for row in alone] == ["no", "yes"]
    assert alone[0]["count"]["half_width"] == pytest.approx(1.96 * cube.sigma, rel=1e-3)


def test_what_goes_together_comes_first(cube: Cube) -> None:
    pairs = relations(cube)["pairs"]
    assert len(pairs) == 6
    assert pairs[0]["fields"] == ["age", "education"]
    assert pairs[0]["correlation"] == {"note": "a field has no order"}
    by_fields = {tuple(pair["fields"]): pair for pair in pairs}
    assert by_fields["age", "defaulted"]["correlation"]["value"] > 0.3
    assert (
        "note" in by_fields["age", "income"]["mutual_information"]
        or by_fields["age", "income"]["mutual_information"]["value"] < 0.05
    )


def test_a_model_says_who_defaults_more_often(cube: Cube) -> None:
    found = linear_model(cube, "defaulted", features=["age", "education"])
    weights = [w["value"] for w in found["weights"]["age"].values()]
    assert found["label"] == "yes"
    assert weights == sorted(weights)
    assert weights[-1] - weights[0] > 0.3
    other = linear_model(cube, "defaulted", label="no", features=["age", "education"])
    assert other["base"] + found["base"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("salary", {}),
        ("age", {"label": "old"}),
        ("age", {"features": ["age"]}),
        ("age", {"features": ["education", "education"]}),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(
    cube: Cube, target: str, given: dict[str, Any]
) -> None:
    with pytest.raises(PlanInvalid):
        linear_model(cube, target, **given)


@pytest.mark.parametrize("names", [[], ["age", "age"], ["age", "education", "income"], ["salary"]])
def test_a_table_of_anything_but_one_or_two_fields_is_refused(cube: Cube, names: Any) -> None:
    with pytest.raises(PlanInvalid):
        counted(cube, names)


def test_a_cube_drowned_in_noise_tells_no_model(cube: Cube) -> None:
    object.__setattr__(cube, "sigma", 1e6)
    with pytest.raises(TablesTooNoisy):
        linear_model(cube, "defaulted")
    assert all("note" in pair["correlation"] for pair in relations(cube)["pairs"])


def test_a_file_that_was_altered_or_lost_is_not_asked(released_run: Run, desk: Desk) -> None:
    path = desk.settings.models / f"{released_run.id}.npz"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CubeUnavailable, match="altered"):
        open_cube(released_run, desk, now=0)
    path.unlink()
    with pytest.raises(CubeUnavailable, match="gone"):
        open_cube(released_run, desk, now=0)


def test_a_run_that_released_no_cube_is_not_asked(desk: Desk) -> None:
    run = submit(plan_of(REQUEST, desk), desk, asker="analyst", now=OPENED).run
    with pytest.raises(CubeUnavailable, match="no cube"):
        open_cube(run, desk, now=0)


def test_labels_in_the_order_of_numbers_have_an_order(catalogue: Catalogue) -> None:
    assert has_order(catalogue.field("age"))
    assert has_order(catalogue.field("defaulted"))
    assert not has_order(catalogue.field("education"))
    months = catalogue.field("education").model_copy(update={"categories": ("-2", "0", "10")})
    assert has_order(months)
