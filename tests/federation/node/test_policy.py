"""A department's policy: each rule refuses by itself and names itself."""

from pathlib import Path
from typing import Any

import pytest

from federation.errors import PolicyRefusal, SettingsInvalid
from federation.node.policy import Policy, check, load_policy, pool_of
from federation.plans import read_plan
from privacy.loss import Delta
from privacy.mechanisms import epsilon_of

TEXT = """
kinds = ["question"]
minimum_cohort = 3
minimum_tolerance = 1
max_rho = 0.5
never = ["income"]
delta = 1e-6
lifetime_epsilon = 8.0

[purposes]
review = 6.0
marketing = 2.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(TEXT)
    return path


def plan(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "kind": "question",
        "catalogue": "0" * 64,
        "purpose": "review",
        "cohort": ("advisory", "research", "risk"),
        "rho": 0.5,
        "reason": "a test",
        "statistics": ({"kind": "count"},),
        "by": ("age",),
    }
    if changes.get("kind") == "training":
        del values["statistics"], values["by"]
        values |= {"target": "late", "features": ("age",), "rounds": 1, "local_steps": 1}
    return read_plan(values | changes)


def test_a_plan_inside_every_rule_passes(file: Path) -> None:
    check(plan(), load_policy(file), department="risk")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kind": "training"}, "kinds"),
        ({"cohort": ("advisory", "risk")}, "minimum_cohort"),
        ({"tolerance": 0}, "minimum_tolerance"),
        ({"rho": 0.51}, "max_rho"),
        ({"by": ("age", "income")}, "never"),
        ({"statistics": ({"kind": "mean", "field": "income"},)}, "never"),
        ({"purpose": "research"}, "purposes"),
    ],
)
def test_each_rule_refuses_by_itself(file: Path, changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(PolicyRefusal) as refusal:
        check(plan(**changes), load_policy(file), department="risk")
    assert (refusal.value.rule, refusal.value.department) == (rule, "risk")


def test_a_training_target_is_a_field_like_any_other(file: Path) -> None:
    file.write_text(TEXT.replace('"question"', '"training"').replace("income", "late"))
    with pytest.raises(PolicyRefusal, match="late"):
        check(plan(kind="training"), load_policy(file), department="risk")


def test_the_budgets_in_rho_never_imply_more_than_the_epsilon(file: Path) -> None:
    policy = load_policy(file)
    budgets = policy.budgets()
    assert list(budgets) == ["department", pool_of("review"), pool_of("marketing")]
    for pool, epsilon in zip(budgets, (8.0, 6.0, 2.0), strict=True):
        implied = epsilon_of(budgets[pool].lifetime, Delta(1e-6)).value
        assert 0.999 * epsilon < implied <= epsilon


def test_a_purpose_may_have_windows_of_its_own_and_so_may_all_together(file: Path) -> None:
    limits = "{ lifetime_epsilon = 2.0, year_epsilon = 1.0, month_epsilon = 0.2 }"
    text = TEXT.replace("marketing = 2.0", f"marketing = {limits}")
    file.write_text(text.replace("delta = 1e-6", "delta = 1e-6\nyear_epsilon = 3.0"))
    budgets = load_policy(file).budgets()
    marketing, department = budgets[pool_of("marketing")], budgets["department"]
    assert marketing.month is not None
    assert marketing.year is not None
    assert marketing.month < marketing.year < marketing.lifetime
    assert department.year is not None
    assert department.month is None
    assert budgets[pool_of("review")].year is None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("max_rho = 0.5", "max_roh = 0.5", "max_roh"),
        ("max_rho = 0.5", "max_rho = -1", "max_rho"),
        ("max_rho = 0.5", "max_rho = inf", "max_rho"),
        ("delta = 1e-6", "delta = 0.5", "delta"),
        ('["question"]', '["quiz"]', "kinds"),
        ('["question"]', "[]", "kinds"),
        ("minimum_cohort = 3", "minimum_cohort = 1", "minimum_cohort"),
        ("review = 6.0", "review = 0", "purposes.review"),
        ("review = 6.0", "review = { lifetime = 6.0 }", "purposes.review"),
        ("delta = 1e-6", "delta = 1e-6\nmonth_epsilon = 9.0", "month_epsilon is more than"),
        ("delta = 1e-6", 'delta = 1e-6\nreason = ""', "reason"),
        ("review = 6.0\nmarketing = 2.0", "", "purposes"),
        ("[purposes]", "[purposes", "line"),
    ],
)
def test_a_mistake_is_refused_with_its_file_and_key(
    file: Path, old: str, new: str, key: str
) -> None:
    assert old in TEXT
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(SettingsInvalid) as error:
        load_policy(file)
    assert str(file) in str(error.value)
    assert key in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"policy\.toml"):
        load_policy(tmp_path / "policy.toml")


def test_a_policy_cannot_be_changed_in_memory(file: Path) -> None:
    policy = load_policy(file)
    with pytest.raises(ValueError, match="frozen"):
        policy.max_rho = 100.0  # type: ignore[misc]
    assert isinstance(policy, Policy)
