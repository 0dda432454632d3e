"""The privacy of whole plans, measured as an attacker would: what nodes send is what they promise.

Each release is audited through the nodes' own path against the mu of its own rho. The attacker is
the worst of the threat model: for a question the coordinator and one department, who know that
department's noise; for a training anyone who reads the rounds, for its noise is local. At these rho
a canary moves its coordinate by mu = 3 to 5 deviations; with 4,000 canaries an honest release is
flagged once in 10^9, above 1.08 to 1.1 mu, and 1.2 mu is missed less than once in 10^9. (With 2,000
canaries at mu = 1, the size of an ordinary release, 1.2 mu would be flagged once in 40.)
"""

import math
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan
from privacy.bounds import BoundedSum
from privacy.lattice import IntVector
from privacy.mechanisms import draw_noise
from privacy.noise_shares import Noise
from privacy.units import ContributionBound
from tests.statistical.canary import (
    HONEST,
    SPOTS,
    Audit,
    Plan,
    Sabotage,
    all_withdraw,
    audit,
    found,
    question_scores,
    renewed,
    training_scores,
)

pytestmark = pytest.mark.statistical

EXACT = 64**2 / (4 * 9**2) * (1 + 1e-9)
"""A loss at which a count's share is 9 of 64 points to a client: nothing is rounded up."""


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return found(tmp_path_factory.mktemp("canaries"))


@pytest.fixture
def firm(grounds: Any) -> Any:
    return renewed(grounds[0])


@pytest.fixture
def inside(grounds: Any) -> Any:
    return grounds[1]


def counts(firm: Any, *, owned: bool = True, rho: float = EXACT) -> Plan:
    return firm.plan(by=("left", "right"), owned=owned, rho=rho)


def means(firm: Any) -> Plan:
    return firm.plan(
        by=("left", "right"), statistics=({"kind": "mean", "field": "amount"},), rho=2 * EXACT
    )


def training(firm: Any) -> Plan:
    return firm.plan(
        kind="training",
        target="answer",
        features=tuple(f"spot_{number}" for number in range(SPOTS)),
        rounds=1,
        local_steps=1,
        clip_norm=0.5,
        rho=20.0,
    )


def mu_of_question(plan: Plan) -> float:
    assert isinstance(plan, QuestionPlan)
    return math.sqrt(2 * min(plan.sums.values()).value)


def mu_of_training(plan: Plan) -> float:
    """Of the three departments together; half a canary's squared norm is on its own input."""
    assert isinstance(plan, TrainingPlan)
    return math.sqrt(2 * 3 * plan.rho_of_step.value / 2)


def audited_question(
    firm: Any, inside: Any, plan: Plan, *, block: int = 0, sabotage: Sabotage = HONEST
) -> Audit:
    scores = question_scores(firm, plan, attempt=0, sabotage=sabotage)[block]
    return audit(scores, inside, promised=mu_of_question(plan))


def audited_training(firm: Any, inside: Any, sabotage: Sabotage = HONEST) -> Audit:
    plan = training(firm)
    scores = training_scores(firm, plan, attempt=0, sabotage=sabotage)
    return audit(scores, inside, promised=mu_of_training(plan))


def is_tight(found: Audit) -> bool:
    """An honest release tells what it promises and no less: else the audit could catch nothing."""
    return not found.leaks and found.measured > 0.85 * found.promised


def test_a_count_tells_what_its_rho_promises(firm: Any, inside: Any) -> None:
    assert is_tight(audited_question(firm, inside, counts(firm)))


def test_a_count_without_owners_tells_what_its_rho_promises(firm: Any, inside: Any) -> None:
    assert is_tight(audited_question(firm, inside, counts(firm, owned=False)))


def test_a_mean_tells_what_its_rho_promises(firm: Any, inside: Any) -> None:
    assert is_tight(audited_question(firm, inside, means(firm), block=1))


def test_a_training_step_tells_what_its_rho_promises(firm: Any, inside: Any) -> None:
    assert is_tight(audited_training(firm, inside))


def no_noise(_sigma: int, size: int) -> IntVector:
    return np.zeros(size, np.int64)


LAZY = Sabotage(noise={"risk": no_noise})


def test_a_question_with_a_missing_share_is_caught(firm: Any, inside: Any) -> None:
    assert audited_question(firm, inside, counts(firm), sabotage=LAZY).leaks


def test_a_training_with_a_missing_share_is_caught(firm: Any, inside: Any) -> None:
    assert audited_training(firm, inside, LAZY).leaks


def clipped_too_late(bounded: BoundedSum) -> BoundedSum:
    """Return the sum of clients clipped at 1.2 times the bound that is declared."""
    values = {name: getattr(bounded, name) for name in bounded.__slots__}
    return BoundedSum(**values | {"values": bounded.values * 6 // 5})


def test_a_mean_whose_clip_is_a_fifth_too_large_is_caught(firm: Any, inside: Any) -> None:
    sabotage = Sabotage(sums=clipped_too_late)
    assert audited_question(firm, inside, means(firm), block=1, sabotage=sabotage).leaks


def clipping_too_late(plan: Plan) -> Plan:
    """Clip at 1.2 C, with the noise that belongs to C."""
    assert isinstance(plan, TrainingPlan)
    return plan.model_copy(update={"clip_norm": 1.2 * plan.clip_norm, "rho": 1.44 * plan.rho})


def test_a_training_whose_clip_is_a_fifth_too_large_is_caught(firm: Any, inside: Any) -> None:
    assert audited_training(firm, inside, Sabotage(plan=clipping_too_late)).leaks


class Underdeclared(QuestionPlan):
    """Says that a client moves one department, and lets it move three."""

    @property
    def bound(self) -> ContributionBound:
        return ContributionBound(departments=1)


def underdeclared(plan: Plan) -> Plan:
    return Underdeclared(**dict(plan))


def test_a_count_that_declares_one_department_for_three_is_caught(firm: Any, inside: Any) -> None:
    sabotage = Sabotage(plan=underdeclared)
    assert audited_question(firm, inside, counts(firm, owned=False), sabotage=sabotage).leaks


def as_if_alone(plan: Plan) -> Plan:
    """Let every department spend the whole loss on a client whom all three have."""
    return plan.model_copy(update={"rho": 3 * plan.rho})


def test_a_training_that_declares_one_department_for_three_is_caught(
    firm: Any, inside: Any
) -> None:
    assert audited_training(firm, inside, Sabotage(plan=as_if_alone)).leaks


def reused() -> Noise:
    """Return a source that draws once and hands the same noise out for ever."""
    kept: dict[tuple[int, int], IntVector] = {}

    def noise(sigma: int, size: int) -> IntVector:
        return kept.setdefault((sigma, size), draw_noise(sigma, size))

    return noise


def audited_withdrawal(
    firm: Any,
    inside: Any,
    sabotage: Sabotage = HONEST,
    meanwhile: Callable[[], None] = lambda: None,
) -> Audit:
    """Ask, let every canary withdraw, ask again: the difference bares them if the noise cancels."""
    plan = counts(firm)
    (before,) = question_scores(firm, plan, attempt=0, sabotage=sabotage)
    all_withdraw(firm)
    meanwhile()
    (after,) = question_scores(firm, plan, attempt=1, sabotage=sabotage)
    return audit(before - after, inside, promised=mu_of_question(plan) / math.sqrt(2))


def audited_retraining(firm: Any, inside: Any, sabotage: Sabotage = HONEST) -> Audit:
    """Train, let every canary withdraw, and train again."""
    plan = training(firm)
    before = training_scores(firm, plan, attempt=0, sabotage=sabotage)
    all_withdraw(firm)
    after = training_scores(firm, plan, attempt=1, sabotage=sabotage)
    return audit(before - after, inside, promised=mu_of_training(plan) / math.sqrt(2))


def from_pools(firm: Any) -> None:
    """Ask once, so that every pool knows what to stock, and fill them."""
    question_scores(firm, counts(firm), attempt=9)
    for node in firm.nodes.values():
        while node.refill.pool.refill():
            pass


def test_a_count_with_noise_from_the_pools_tells_what_its_rho_promises(
    firm: Any, inside: Any
) -> None:
    from_pools(firm)
    assert is_tight(audited_question(firm, inside, counts(firm)))
    used = {name: node.refill.pool.fill().used for name, node in firm.nodes.items()}
    assert used == {"advisory": 0, "research": 64**2, "risk": 64**2}


def test_a_pool_that_is_put_back_between_two_questions_is_caught(firm: Any, inside: Any) -> None:
    from_pools(firm)
    folder = firm.folder / "risk" / "state" / "noise"
    shutil.copytree(folder, folder.with_name("kept"))

    def put_back() -> None:
        shutil.rmtree(folder)
        folder.with_name("kept").rename(folder)
        firm.open("risk")

    assert audited_withdrawal(firm, inside, meanwhile=put_back).leaks


def test_asking_again_after_a_withdrawal_tells_no_more_than_two_questions(
    firm: Any, inside: Any
) -> None:
    assert is_tight(audited_withdrawal(firm, inside))


def test_training_again_after_a_withdrawal_tells_no_more_than_two_trainings(
    firm: Any, inside: Any
) -> None:
    assert is_tight(audited_retraining(firm, inside))


def test_a_question_with_one_departments_noise_used_twice_is_caught(firm: Any, inside: Any) -> None:
    assert audited_withdrawal(firm, inside, Sabotage(noise={"risk": reused()})).leaks


def test_a_training_with_one_departments_noise_used_twice_is_caught(firm: Any, inside: Any) -> None:
    assert audited_retraining(firm, inside, Sabotage(noise={"risk": reused()})).leaks


def test_noise_that_all_departments_use_twice_leaves_the_canaries_bare(
    firm: Any, inside: Any
) -> None:
    sabotage = Sabotage(noise={name: reused() for name in firm.nodes})
    found = audited_withdrawal(firm, inside, sabotage)
    assert found.leaks
    assert math.isinf(found.measured)
