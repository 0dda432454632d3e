"""The demo's folder is what it says: one spelling of an id, and values the catalogue knows."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consent.catalogue import Catalogue, Field, load_catalogue
from consent.clients import checked_client_id
from consent.decisions import check_fields
from consent.errors import PurposeNotOpen

DEMO = Path(__file__).parents[2] / "demo"
DEPARTMENTS = {"advisory": 21_787, "research": 24_030, "risk": 28_734}


def query(sql: Path, data: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.sql(sql.read_text(encoding="utf-8").replace("{data}", str(data)))


def view(department: str) -> duckdb.DuckDBPyRelation:
    return query(DEMO / "departments" / department / "view.sql", DEMO / "data" / department)


def ids(relation: duckdb.DuckDBPyRelation) -> list[str]:
    return [client_id for (client_id,) in relation.project("client_id").fetchall()]


def values(relation: duckdb.DuckDBPyRelation, field: str) -> list[Any]:
    return [value for (value,) in relation.project(f'"{field}"').fetchall()]


def plan_fields(request: dict[str, Any]) -> list[str]:
    means = [s["field"] for s in request.get("statistics", ()) if s["kind"] == "mean"]
    target = [request["target"]] if "target" in request else []
    return [*request.get("by", ()), *means, *target, *request.get("features", ())]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(DEMO / "catalogue.toml")


def test_the_catalogue_says_what_is_real_and_what_is_synthetic(catalogue: Catalogue) -> None:
    assert "real" in catalogue.name
    assert "SYNTHETIC" in catalogue.name
    assert catalogue.departments == tuple(DEPARTMENTS)


def test_every_title_is_in_both_languages(catalogue: Catalogue) -> None:
    assert all(item.title and item.title_zh for item in (*catalogue.fields, *catalogue.purposes))


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_a_view_has_one_row_per_client_under_the_normalized_id(department: str) -> None:
    found = ids(view(department))
    assert len(found) == len(set(found)) == DEPARTMENTS[department]
    assert all(len(checked_client_id(i)) == 8 and i[:2] == "TW" and i[2:].isdigit() for i in found)


def test_three_spellings_become_one_client() -> None:
    known = [set(ids(view(department))) for department in DEPARTMENTS]
    assert len(set.intersection(*known)) == 17_071
    raw = [
        set(ids(duckdb.read_parquet(str(DEMO / "data" / department / "clients.parquet"))))
        for department in DEPARTMENTS
    ]
    assert not set.intersection(*raw)


def test_a_client_is_the_same_person_in_every_department() -> None:
    people = [
        {row[0]: row[1:] for row in view(d).project("client_id, sex, age, education").fetchall()}
        for d in DEPARTMENTS
    ]
    for client in set.intersection(*(set(known) for known in people)):
        assert people[0][client] == people[1][client] == people[2][client]


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_a_view_has_the_fields_its_department_holds(catalogue: Catalogue, department: str) -> None:
    held = {field.name for field in catalogue.fields if department in field.departments}
    assert set(view(department).columns) == {"client_id", *held}


def fits(field: Field, value: object) -> bool:
    """Say whether a value that is there has its field's form; any finite number is legal."""
    if field.kind == "flag":
        return isinstance(value, bool)
    if field.kind == "category":
        return value in field.categories
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_every_value_fits_its_field(catalogue: Catalogue, department: str) -> None:
    rows = view(department)
    for field in catalogue.fields:
        if department in field.departments:
            counted = Counter(values(rows, field.name))
            assert all(fits(field, value) for value in counted if value is not None), field.name
            assert any(value is not None for value in counted), field.name


def test_what_is_unknown_stays_null() -> None:
    preference = values(view("risk"), "prefers_paying_in_full")
    assert {True, False, None} == set(preference)
    payments = values(view("advisory"), "payment_ntd_2005_04")
    assert None in payments
    assert 0 not in payments


def test_months_keep_their_values() -> None:
    raw = duckdb.read_parquet(str(DEMO / "data" / "research" / "monthly_statement.parquet"))
    may = Counter(values(raw.filter("month = '2005-05'"), "statement_ntd"))
    assert Counter(values(view("research"), "statement_ntd_2005_05")) == may


def test_the_register_has_one_valid_row_per_client() -> None:
    rows = query(DEMO / "register.sql", DEMO / "data").fetchall()
    levels = Counter(level for _, _, level in rows)
    assert levels == {0: 1186, 1: 3578, 2: 6501, 3: 7201, 4: 11447}
    assert len({checked_client_id(client) for client, _, _ in rows}) == len(rows)
    assert len({checked_client_id(household) for _, household, _ in rows}) == 26_512


@pytest.mark.parametrize("name", ["question", "training"])
def test_the_requests_are_open_to_their_purposes(catalogue: Catalogue, name: str) -> None:
    request = tomllib.loads((DEMO / f"{name}.toml").read_text(encoding="utf-8"))
    fields = plan_fields(request)
    assert [f.name for f in check_fields(catalogue, fields, request["purpose"])] == fields


def test_the_refused_request_is_refused_for_its_purpose(catalogue: Catalogue) -> None:
    request = tomllib.loads((DEMO / "refused.toml").read_text(encoding="utf-8"))
    with pytest.raises(PurposeNotOpen) as caught:
        check_fields(catalogue, plan_fields(request), request["purpose"])
    assert caught.value.level == 4


def test_every_purpose_has_a_budget_at_the_coordinator_and_in_every_department(
    catalogue: Catalogue,
) -> None:
    purposes = {purpose.name for purpose in catalogue.purposes}
    for file in (DEMO / "policy.toml", *DEMO.glob("departments/*/policy.toml")):
        assert set(tomllib.loads(file.read_text(encoding="utf-8"))["purposes"]) == purposes
