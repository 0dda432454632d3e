"""A training step with shared noise, measured as an attacker would, with and without owners.

The attacker is the coordinator and one department, who know that department's noise. See
test_canary_audit for what is flagged and how often.
"""

import math
from typing import Any

import numpy as np
import pytest

from federation.training_plan import TrainingPlan
from privacy.lattice import IntVector
from privacy.units import ContributionBound
from tests.statistical.canary import (
    HONEST,
    SPOTS,
    Audit,
    Sabotage,
    audit,
    found,
    gradient_scores,
    renewed,
)

pytestmark = pytest.mark.statistical


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return found(tmp_path_factory.mktemp("canaries"))


@pytest.fixture
def firm(grounds: Any) -> Any:
    return renewed(grounds[0])


@pytest.fixture
def inside(grounds: Any) -> Any:
    return grounds[1]


def step(firm: Any, *, owned: bool) -> Any:
    return firm.plan(
        kind="training",
        target="answer",
        features=tuple(f"spot_{number}" for number in range(SPOTS)),
        rounds=1,
        local_steps=1,
        clip_norm=0.5,
        rho=20.0,
        noise="shared",
        owned=owned,
    )


def audited(firm: Any, inside: Any, plan: Any, sabotage: Sabotage = HONEST) -> Audit:
    """A canary has half its squared gradient on its own input, and is in the count besides."""
    scores = gradient_scores(firm, plan, attempt=0, sabotage=sabotage)
    part = plan.clip_norm / plan.joint_norm / math.sqrt(2)
    return audit(scores, inside, promised=math.sqrt(2 * plan.rho_of_step.value) * part)


@pytest.mark.parametrize("owned", [True, False])
def test_a_step_tells_what_its_rho_promises_and_no_less(
    firm: Any, inside: Any, *, owned: bool
) -> None:
    audited_step = audited(firm, inside, step(firm, owned=owned))
    assert not audited_step.leaks
    assert audited_step.measured > 0.85 * audited_step.promised


def no_noise(_sigma: int, size: int) -> IntVector:
    return np.zeros(size, np.int64)


@pytest.mark.parametrize("owned", [True, False])
def test_a_step_with_a_missing_share_is_caught(firm: Any, inside: Any, *, owned: bool) -> None:
    lazy = Sabotage(noise={"risk": no_noise})
    assert audited(firm, inside, step(firm, owned=owned), lazy).leaks


class Underdeclared(TrainingPlan):
    """Says that a client trains at one department, and lets it train at three."""

    @property
    def bound(self) -> ContributionBound:
        return ContributionBound(departments=1)


def test_a_step_that_declares_one_department_for_three_is_caught(firm: Any, inside: Any) -> None:
    sabotage = Sabotage(plan=lambda plan: Underdeclared(**dict(plan)))
    assert audited(firm, inside, step(firm, owned=False), sabotage).leaks
