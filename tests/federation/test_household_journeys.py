"""A household, taken out everywhere, moves a cube and an evaluation by at most their Δ."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation.cube_journey import build_cube
from federation.evaluation_journey import evaluate_model
from federation.evaluation_layout import evaluation_tables
from federation.evaluation_plan import EvaluationPlan
from federation.node.answer import answer
from federation.rounds import drive
from privacy.bounds import TABLE_SCALE, reach_of_counts
from privacy.units import PrivacyUnit
from tests.federation.cube_cases import SHUFFLE, cube_plan, silence
from tests.federation.node.evaluation_cases import NOW, model_of, planned
from tests.federation.node.test_households import SIZE, consent, household_of

Plan = Any
Counts = npt.NDArray[np.float64]
HOUSEHOLDS = (1, 4)


@pytest.fixture
def firm(make_firm: Any) -> Any:
    found = make_firm(60, levels=lambda _number: 4)
    silence(found)
    return found


@pytest.fixture
def file(firm: Any, tmp_path: Path) -> bytes:
    return model_of(firm, "amount", tmp_path)


def cube(firm: Any, _file: bytes, most: int) -> Plan:
    return cube_plan(firm, clients_per_household=most)


def evaluation(firm: Any, file: bytes, most: int) -> Plan:
    return planned(firm, file, "amount", clients_per_household=most)


def unowned(firm: Any, file: bytes, most: int) -> Plan:
    return planned(firm, file, "amount", clients_per_household=most, owned=False)


KINDS = (cube, evaluation, unowned)
Asked = Callable[[Any, bytes, int], Plan]


def sensitivity(firm: Any, plan: Plan) -> float:
    """In clients, L2, over all departments."""
    if isinstance(plan, EvaluationPlan):
        tables = evaluation_tables(plan, firm.catalogue)
        return tables.sensitivity / tables.scale
    return reach_of_counts(plan.tables, TABLE_SCALE) / TABLE_SCALE * plan.bound.contributions


def released(firm: Any, plan: Plan, file: bytes, attempt: int) -> Counts:
    """The whole journey, with noise off in the test's own nodes."""
    brief = replace(firm.brief(plan, attempt=attempt), consent=lambda d: consent(firm, d))
    journey = (
        evaluate_model(brief, model=file)
        if isinstance(plan, EvaluationPlan)
        else build_cube(brief, shuffle=SHUFFLE)
    )
    return drive(journey, firm.exchange).values


def moved(firm: Any, declared: Plan, counted: Plan, file: bytes) -> float:
    """How far, in the declared sensitivities, what is counted moves when a household leaves."""
    farthest = 0.0
    for number, household in enumerate(HOUSEHOLDS):
        firm.epoch += 1
        before = released(firm, counted, file, 10 + number)
        for department, rows in firm.rows.items():
            left = {c: row for c, row in rows.items() if household_of(c) != household}
            firm.write(department, left)
        after = released(firm, counted, file, 20 + number)
        for department, rows in firm.rows.items():
            firm.write(department, rows)
        apart = float(np.linalg.norm(before - after))
        farthest = max(farthest, apart / sensitivity(firm, declared))
    return farthest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, SIZE])
def test_removing_a_household_everywhere_moves_a_release_by_at_most_its_sensitivity(
    firm: Any, file: bytes, kind: Asked, most: int
) -> None:
    plan = kind(firm, file, most)
    assert 0 < moved(firm, plan, plan, file) <= 1 + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_rejects_nodes_that_count_everyone_of_a_household(
    firm: Any, file: bytes, kind: Asked
) -> None:
    assert moved(firm, kind(firm, file, 1), kind(firm, file, SIZE), file) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_sensitivity_grows_with_the_clients_of_a_household_that_count(
    firm: Any, file: bytes, kind: Asked
) -> None:
    one, three = (sensitivity(firm, kind(firm, file, most)) for most in (1, 3))
    assert three == pytest.approx(3 * one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_refuses_by_itself_to_leave_households_open(
    firm: Any, file: bytes, kind: Asked
) -> None:
    plan = kind(firm, file, 1).model_copy(update={"unit": PrivacyUnit.CLIENT})
    heard = firm.announcements(plan.parties)
    for leg in plan.legs:
        before = firm.traces("risk")
        refused = answer(firm.nodes["risk"], firm.ask(plan, leg, "risk", announcements=heard), NOW)
        assert refused.code == "household_unprotected"
        assert 'set unit = "household"' in refused.text
        assert firm.traces("risk") == before
