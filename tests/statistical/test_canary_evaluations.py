"""An evaluation's tables, measured as an attacker would: what nodes send is what the plan promises.

The attacker is the coordinator and one department, who know that department's noise. Each canary
stands in a cell of its own: of the group, of the label, and of the bin of a score that the public
weights give it. See test_canary_audit for what is flagged and how often.
"""

import math
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from federation.evaluation_journey import evaluate_model
from federation.evaluation_layout import evaluation_tables, logit_edges
from federation.evaluation_plan import EvaluationPlan
from federation.plans import read_plan
from federation.rounds import drive
from federation.training_layout import architecture_of
from models.files import save
from privacy.bounds import BoundedSum
from privacy.lattice import IntVector
from privacy.units import ContributionBound
from tests.statistical.canary import (
    CANARIES,
    COLLUDER,
    HONEST,
    SIDE,
    Audit,
    Plan,
    Recorded,
    Sabotage,
    audit,
    draw_noise,
    exchange_of,
    found,
    renewed,
)

pytestmark = pytest.mark.statistical

BINS = SIDE // 2
EXACT = 64**2 / (4 * 9**2) * (1 + 1e-9)
"""A loss at which a count's share is 9 of 64 points to a client: nothing is rounded up."""

LEFT, RIGHT = np.divmod(np.arange(CANARIES), SIDE)
PLACES = LEFT * SIDE + RIGHT % 2 * BINS + RIGHT // 2
"""The cell of each canary: its left place, whether the right one is odd, and a bin for two."""


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return found(tmp_path_factory.mktemp("canaries"))


@pytest.fixture
def firm(grounds: Any) -> Any:
    return renewed(grounds[0])


def evaluation(firm: Any, *, owned: bool) -> tuple[EvaluationPlan, bytes]:
    """A model that puts each two neighbors among the right places into a bin of their own."""
    training = firm.plan(kind="training", target="odd", features=("right",))
    values = {key: getattr(training, key) for key in ("catalogue", "purpose", "cohort", "reason")}
    values |= {"kind": "evaluation", "training": training.model_dump(mode="json"), "rho": EXACT}
    values |= {"run": "0" * 16, "group": "left", "bins": BINS, "owned": owned}
    draft = read_plan(values | {"sha256": "0" * 64})
    assert isinstance(draft, EvaluationPlan)
    edges = logit_edges(draft)
    logits = np.concatenate([[edges[0] - 1], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 1]])
    path = firm.folder / "canaries.safetensors"
    save(path, architecture_of(training, firm.catalogue), np.append(np.repeat(logits, 2), 0.0))
    file = path.read_bytes()
    return draft.model_copy(update={"sha256": sha256(file).hexdigest()}), file


def audited(firm: Any, inside: Any, *, owned: bool = True, sabotage: Sabotage = HONEST) -> Audit:
    plan, file = evaluation(firm, owned=owned)
    colluder = Recorded(sabotage.noise.get(COLLUDER, draw_noise))
    sabotage = replace(sabotage, noise={**sabotage.noise, COLLUDER: colluder})
    brief = firm.brief(plan)
    if sabotage.plan:
        brief = replace(brief, plan=sabotage.plan(plan))
    released = drive(evaluate_model(brief, model=file), exchange_of(firm, sabotage, []))
    points = np.rint(released.values * evaluation_tables(brief.plan, firm.catalogue).scale)
    scores = (points - colluder.drawn[0])[PLACES]
    return audit(scores, inside, promised=math.sqrt(2 * plan.rho))


@pytest.mark.parametrize("owned", [True, False])
def test_an_evaluation_tells_what_its_rho_promises_and_no_less(
    firm: Any, grounds: Any, *, owned: bool
) -> None:
    found = audited(firm, grounds[1], owned=owned)
    assert not found.leaks
    assert found.measured > 0.85 * found.promised


def no_noise(_sigma: int, size: int) -> IntVector:
    return np.zeros(size, np.int64)


def test_an_evaluation_with_a_missing_share_is_caught(firm: Any, grounds: Any) -> None:
    assert audited(firm, grounds[1], sabotage=Sabotage(noise={"risk": no_noise})).leaks


def counted_a_fifth_more(bounded: BoundedSum) -> BoundedSum:
    """Count a client as 1.2, with the noise that belongs to 1."""
    values = {name: getattr(bounded, name) for name in bounded.__slots__}
    return BoundedSum(**values | {"values": bounded.values * 6 // 5})


def test_an_evaluation_whose_sensitivity_is_understated_by_a_fifth_is_caught(
    firm: Any, grounds: Any
) -> None:
    assert audited(firm, grounds[1], sabotage=Sabotage(sums=counted_a_fifth_more)).leaks


class Underdeclared(EvaluationPlan):
    """Says that a client moves one department, and lets it move three."""

    @property
    def bound(self) -> ContributionBound:
        return ContributionBound(departments=1)


def underdeclared(plan: Plan) -> Plan:
    return Underdeclared(**dict(plan))


def test_an_evaluation_that_declares_one_department_for_three_is_caught(
    firm: Any, grounds: Any
) -> None:
    assert audited(firm, grounds[1], owned=False, sabotage=Sabotage(plan=underdeclared)).leaks
