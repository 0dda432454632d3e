import pytest

from federation.coordinator.policy import Policy, Pool
from federation.coordinator.policy_changes import Change, changes, tag_of

POOL = Pool(epsilon=4.0, year_epsilon=2.0)
POLICY = Policy(
    delta=1e-6,
    firm=Pool(epsilon=8.0),
    purposes={"insight": POOL},
    automatic_epsilon=1.0,
    minimum_cohort=3,
)


def after(**values: object) -> tuple[Change, ...]:
    return changes(POLICY, POLICY.model_copy(update=values))


def pool(**values: object) -> dict[str, object]:
    return {"purposes": {"insight": POOL.model_copy(update=values)}}


def test_the_same_policy_has_no_changes_and_one_name() -> None:
    assert after() == ()
    assert tag_of(POLICY) == tag_of(POLICY.model_copy())
    assert tag_of(POLICY) != tag_of(POLICY.model_copy(update={"reason": "other words"}))


@pytest.mark.parametrize(
    ("values", "raises"),
    [
        ({"automatic_epsilon": 2.0}, True),
        ({"automatic_epsilon": 0.5}, False),
        ({"minimum_cohort": 2}, True),
        ({"minimum_cohort": 4}, False),
        (pool(epsilon=5.0), True),
        (pool(epsilon=3.0), False),
        (pool(year_epsilon=None), True),
        (pool(month_epsilon=1.0), False),
        ({"purposes": {"insight": POOL, "model": Pool(epsilon=0.1)}}, True),
    ],
)
def test_more_than_before_is_a_raise(values: dict[str, object], raises: bool) -> None:  # noqa: FBT001 - a table
    found = after(**values)
    assert found
    assert any(change.raises for change in found) is raises


def test_a_change_of_words_is_no_change_of_figures() -> None:
    assert after(reason="other words") == ()
