"""Labels: recomputable, complete, and readable in the words of others."""

import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from consent.catalogue import load_catalogue
from federation import layout
from federation.coordinator.intervals import NOT_STATED, intervals_of
from federation.coordinator.label_forms import CLAIMS, claims_of, registry_record, to_yaml
from federation.coordinator.labels import AUTOMATIC, Facts, label
from federation.coordinator.question_result import question_result
from federation.plans import AnyPlan, digest, read_plan
from federation.question_plan import QuestionPlan
from privacy.entries import Decided, Opinion
from privacy.loss import Delta, Rho
from privacy.mechanisms import LIBRARY, Release, epsilon_of, release
from privacy.units import NeighboringRelation

CATALOGUE = load_catalogue(Path(__file__).parent / "node" / "catalogue.toml")
DELTA = Delta(1e-6)
COMMON = {
    "catalogue": CATALOGUE.digest(),
    "purpose": "review",
    "cohort": ("advisory", "research", "risk"),
    "rho": 0.5,
    "reason": "a test of labels: 标签",
}
QUESTION: Any = read_plan(
    COMMON
    | {
        "kind": "question",
        "statistics": ({"kind": "count"}, {"kind": "mean", "field": "age"}),
        "by": ("education",),
    }
)
TRAINING: Any = read_plan(
    COMMON
    | {"kind": "training", "target": "defaulted", "features": ("age",)}
    | {"rounds": 2, "local_steps": 3}
)


def releases(plan: QuestionPlan, clients: int, mean: float) -> list[Release]:
    """Release cells of so many clients with this mean, whose noise happens to be zero."""
    found = []
    for block in layout.question_blocks(plan, CATALOGUE):
        place = 1.0 if block.field is None else (mean - block.center) / block.half_width
        sums = np.full(block.size, round(clients * block.scale * place), np.int64)
        found.append(
            release(
                block.name,
                sums,
                sensitivity=block.sensitivity,
                scale=block.scale,
                rho=block.rho,
                unit=plan.unit,
                relation=NeighboringRelation.ADD_OR_REMOVE,
                bound=plan.bound,
                cohort=len(plan.cohort),
                tolerance=plan.tolerance,
            )
        )
    return found


def answer(clients: int = 400, mean: float = 70.0) -> dict[str, Any]:
    return question_result(QUESTION, CATALOGUE, releases(QUESTION, clients, mean))


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "run": "0123456789abcdef",
        "delta": DELTA,
        "epoch": 7,
        "released_at": 1_795_000_000,
        "library": LIBRARY,
        "opinions": (),
        "result": answer(),
    }
    return Facts(**given | changes)


def written(plan: AnyPlan = QUESTION, **changes: Any) -> dict[str, Any]:
    return label(plan, CATALOGUE, facts(**changes))


def test_a_label_states_what_was_asked_and_what_it_cost() -> None:
    told = written()
    assert told["plan"] == digest(QUESTION).hex()
    assert told["rho"] == QUESTION.rho
    assert told["epsilon"] == epsilon_of(Rho(QUESTION.rho), DELTA).value
    assert told["contribution_bound"] == {"departments": 1, "clients": 1, "rows_per_department": 1}
    assert told["pool"] == "firm/review"
    assert told["released_at"] == "2026-11-18T11:06:40+00:00"
    assert told["approver"] == AUTOMATIC


def test_the_same_facts_write_the_same_label() -> None:
    assert written() == written()
    assert written(epoch=8) != written()


def test_the_officers_reasons_stand_in_the_label() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    opinions = [
        Decided(request="r", officer=o, opinion=Opinion.APPROVE, reason=f"{o} agrees", at=at)
        for o in ("olga", "otto")
    ]
    told = written(opinions=opinions)["approver"]
    assert [(one["officer"], one["reason"]) for one in told] == [
        ("olga", "olga agrees"),
        ("otto", "otto agrees"),
    ]


def test_what_nobody_stated_is_printed_as_not_stated() -> None:
    told = written()
    blanks = {key for key, value in told.items() if value == NOT_STATED}
    assert blanks == {"review_date", "retention", "tuning_on_real_data", "log_index"}
    assert None not in told.values()


def test_a_label_s_intervals_are_those_of_the_answer() -> None:
    result = answer()
    found = intervals_of(QUESTION, CATALOGUE, result)
    for row, width in zip(result["rows"], found.noise["mean age"], strict=True):
        assert row["count"]["half_width"] == pytest.approx(found.noise["count"], rel=1e-12)
        assert row["means"]["age"]["half_width"] == pytest.approx(width, rel=1e-12)


def test_sampling_widens_a_mean_by_the_largest_deviation_its_bounds_and_its_value_allow() -> None:
    found = intervals_of(QUESTION, CATALOGUE, answer(clients=400))
    narrow, wide = found.noise["mean age"], found.noise_and_sampling["mean age"]
    assert isinstance(narrow, list)
    assert isinstance(wide, list)
    for inner, outer in zip(narrow, wide, strict=True):
        sampling = math.sqrt(float(outer) ** 2 - float(inner) ** 2)
        assert sampling == pytest.approx(
            1.959964 * math.sqrt((70 - 18) * (98 - 70) / 400), rel=1e-3
        )


def test_sampling_widens_a_count_by_its_root() -> None:
    found = intervals_of(QUESTION, CATALOGUE, answer(clients=400))
    for width in found.noise_and_sampling["count"]:
        sampling = math.sqrt(width**2 - float(found.noise["count"]) ** 2)
        assert sampling == pytest.approx(1.959964 * 20, rel=1e-3)


def test_a_mean_that_is_not_told_has_no_interval() -> None:
    found = intervals_of(QUESTION, CATALOGUE, answer(clients=1))
    assert found.noise["mean age"] == [NOT_STATED] * 3
    assert found.noise_and_sampling["mean age"] == [NOT_STATED] * 3


def test_a_training_s_intervals_are_not_stated() -> None:
    told = written(TRAINING, result={"model": "m"})
    assert told["interval"] == told["interval_with_sampling"] == NOT_STATED
    assert set(told) == set(written())


def test_every_key_has_one_place_in_the_pyramid() -> None:
    placed = [key for parts in CLAIMS.values() for keys in parts.values() for key in keys]
    assert sorted(placed) == sorted(written())
    claims = claims_of(written())
    assert claims["privacy guarantee"]["privacy parameters"]["rho"] == QUESTION.rho


RECORD = {
    "basic": {
        "name",
        "data_curators",
        "intended_use",
        "data_product_type",
        "data_product_region",
        "description",
        "publication_date",
        "data_product_sector",
    },
    "dp_variant": {"variant_name", "data_domain", "unprotected_quantities"},
    "privacy_loss": {
        "privacy_unit",
        "privacy_unit_details",
        "privacy_parameters",
        "privacy_parameters_details",
    },
    "deployment_model": {
        "model_name",
        "model_name_details",
        "actors",
        "release_type",
        "release_type_details",
        "data_source_type",
        "data_source_type_details",
        "access_type",
        "access_type_details",
    },
    "accounting": {"post_processing", "composition"},
    "implementation": {
        "preprocessing_and_hyperparameter_tuning",
        "mechanisms",
        "justification",
    },
    "administrative": {"sources", "notes", "registry_authors"},
}
"""The registry's sections and keys (deployments-registry-data, schema of July 2026)."""

WORDS = {
    ("basic", "data_product_type"): {"Summary statistics", "Machine learning model"},
    ("basic", "data_product_sector"): {"Finance"},
    ("dp_variant", "variant_name"): {"Zero-concentrated DP"},
    ("deployment_model", "model_name"): {"Federated"},
    ("deployment_model", "release_type"): {"Many releases"},
    ("deployment_model", "data_source_type"): {"Dynamic"},
    ("deployment_model", "access_type"): {"Interactive"},
}
"""What the registry's schema lets the values be that are enumerated there, of those we use."""


@pytest.mark.parametrize("plan", [QUESTION, TRAINING], ids=["question", "training"])
def test_a_record_fits_the_registry_s_schema(plan: AnyPlan) -> None:
    record = registry_record(written(plan))
    assert set(record) == {"url_slug", "status", "tier", "deployment"}
    assert (record["status"], record["tier"]) == ("Draft", 3)
    sections = record["deployment"]
    assert {name: set(section) for name, section in sections.items()} == RECORD
    for (section, key), words in WORDS.items():
        assert sections[section][key] in words
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", sections["basic"]["publication_date"])
    assert sections["privacy_loss"]["privacy_parameters"]["rho"] == plan.rho
    texts = [v for s in sections.values() for v in s.values() if isinstance(v, str)]
    assert all(texts)


@pytest.mark.parametrize("form", [written, lambda: registry_record(written())])
def test_yaml_says_what_json_says(form: Any) -> None:
    told = form()
    text = to_yaml(told)
    assert yaml.safe_load(text) == told
    assert "标签" in text
    assert list(yaml.safe_load(text)) == list(told)
