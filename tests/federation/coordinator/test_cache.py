"""Equal questions, however spelled, have one answer; it stands until data or policy change."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import load_catalogue
from consent.errors import PurposeNotOpen
from federation.coordinator.cache import standing_run
from federation.coordinator.desk import plan_of, submit
from federation.coordinator.errors import FilterTooNarrow
from federation.coordinator.filters import public_share
from federation.coordinator.spelling import spelled
from federation.errors import PlanInvalid
from federation.plans import read_plan

CATALOGUE = load_catalogue(Path(__file__).parents[1] / "node" / "catalogue.toml")
STATISTICS = (
    {"kind": "count"},
    {"kind": "mean", "field": "age"},
    {"kind": "proportion", "field": "education", "of": ["university", "other"]},
    {"kind": "correlation", "field": "income", "other": "age"},
)
WHERE = (
    {"field": "education", "one_of": ["other", "school"]},
    {"field": "age", "from": 30},
    {"field": "defaulted", "equal": "no"},
)
QUESTION: dict[str, Any] = {
    "kind": "question",
    "purpose": "review",
    "rho": 0.05,
    "reason": "a test",
}


@given(st.permutations(STATISTICS), st.permutations(WHERE), st.permutations(["age", "education"]))
def test_order_and_wording_do_not_change_what_is_asked(
    statistics: Any, where: Any, by: list[str]
) -> None:
    plain = QUESTION | {"statistics": STATISTICS, "where": WHERE, "by": ["education", "age"]}
    other = QUESTION | {"statistics": statistics, "where": where, "by": by}
    assert spelled(other, CATALOGUE) == spelled(plain, CATALOGUE)


def test_conditions_become_the_labels_they_mean() -> None:
    told = spelled(QUESTION | {"where": WHERE}, CATALOGUE)["where"]
    assert told == [
        {"field": "age", "one_of": ["30–49", "≥ 50"]},
        {"field": "defaulted", "one_of": ["no"]},
        {"field": "education", "one_of": ["school", "other"]},
    ]
    both = [{"field": "age", "from": 30}, {"field": "age", "to": 50}]
    assert spelled({"where": both}, CATALOGUE)["where"] == [{"field": "age", "one_of": ["30–49"]}]


REFUSED: dict[str, dict[str, Any]] = {
    "an edge that is none": {"field": "age", "from": 31},
    "ends the wrong way round": {"field": "age", "from": 50, "to": 30},
    "a label that is none": {"field": "education", "equal": "kindergarten"},
    "overlapping labels": {"field": "education", "one_of": ["school", "school"]},
    "two ways at once": {"field": "age", "equal": "< 30", "from": 30},
    "neither way": {"field": "age"},
    "a number without edges": {"field": "income", "from": 0},
    "code": {"field": "age", "equal": "'; DROP TABLE clients; --"},
    "no field": {"equal": "school"},
}


@pytest.mark.parametrize("condition", REFUSED.values(), ids=REFUSED)
def test_a_condition_that_is_on_no_public_label_is_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(PlanInvalid):
        spelled(QUESTION | {"where": [condition]}, CATALOGUE)


def test_conditions_that_nobody_meets_are_refused() -> None:
    where = [{"field": "age", "to": 30}, {"field": "age", "from": 50}]
    with pytest.raises(PlanInvalid, match="nothing meets"):
        spelled(QUESTION | {"where": where}, CATALOGUE)


def test_an_answer_stands_while_its_data_epochs_do(make_desk: Any, policy: str) -> None:
    desk = make_desk(policy)
    plan = plan_of(QUESTION | {"statistics": [{"kind": "count"}]}, desk)
    run = submit(plan, desk, asker="ann").run
    epochs = dict.fromkeys(plan.cohort, "one")
    named: dict[str, Any] = {"epochs": [run.epoch], "policy": run.policy}
    desk.runs.take()
    assert standing_run(plan, desk.runs, **named, data={}) is not None  # still being answered
    desk.runs.note_data(run.id, epochs)
    desk.runs.end_released(run.id, result={}, label={}, now=1)
    found = standing_run(plan, desk.runs, **named, data=epochs)
    assert found is not None
    assert found.id == run.id
    changed = epochs | {"risk": "two"}
    assert standing_run(plan, desk.runs, **named, data=changed) is None
    assert standing_run(plan, desk.runs, **named | {"policy": "other"}, data=epochs) is None


@pytest.fixture
def policy() -> str:
    return """
delta = 1e-6
automatic_epsilon = 20.0
[firm]
epsilon = 40.0
[purposes.review]
epsilon = 30.0
"""


def test_a_filter_narrower_than_the_policy_allows_is_refused_before_anything(
    make_desk: Any, policy: str
) -> None:
    desk = make_desk("least_share = 0.25\n" + policy)
    narrow = [{"field": "age", "from": 50}, {"field": "education", "equal": "other"}]
    asked = QUESTION | {"statistics": [{"kind": "count"}]}
    with pytest.raises(FilterTooNarrow, match=r"11\.111%"):
        submit(plan_of(asked | {"where": narrow}, desk), desk, asker="ann")
    assert desk.ledger.state("firm").reserved.value == 0
    submit(plan_of(asked | {"where": narrow[:1]}, desk), desk, asker="ann")


def test_declared_shares_decide_where_labels_are_not_equally_many() -> None:
    shared = {"age": (0.1, 0.3, 0.6)}
    fields = tuple(
        f.model_copy(update={"shares": shared.get(f.name, ())}) for f in CATALOGUE.fields
    )
    declared = CATALOGUE.model_copy(update={"fields": fields})
    asked = QUESTION | {"statistics": [{"kind": "count"}], "catalogue": CATALOGUE.digest()}
    asked |= {"kind": "question", "cohort": CATALOGUE.departments}
    old = spelled(asked | {"where": [{"field": "age", "from": 50}]}, CATALOGUE)
    plan: Any = read_plan(old)
    assert float(public_share(plan, CATALOGUE)) == pytest.approx(1 / 3)
    assert float(public_share(plan, declared)) == pytest.approx(0.6)


def test_a_filter_on_a_field_that_is_closed_to_the_purpose_is_refused(
    make_desk: Any, policy: str
) -> None:
    desk = make_desk(policy + "[purposes.marketing]\nepsilon = 1.0\n")
    asked = QUESTION | {"purpose": "marketing", "statistics": [{"kind": "count"}]}
    plan = plan_of(asked | {"where": [{"field": "defaulted", "equal": "yes"}]}, desk)
    with pytest.raises(PurposeNotOpen):
        submit(plan, desk, asker="ann")
