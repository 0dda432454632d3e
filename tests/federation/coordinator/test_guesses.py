"""Errors of every statistic are predicted from guesses: as the answer then shows them."""

import re
from typing import Any

import numpy as np
import pytest

from federation.coordinator.guesses import Guess, moved_of
from federation.coordinator.question_result import question_result
from federation.errors import PlanInvalid
from privacy import planning
from privacy.errors import InvalidBound
from tests.federation.statistics.conftest import CATALOGUE, clients, question, released, silence
from tests.federation.statistics.test_templates import EVERY, KINDS

WORLD = clients(4000)
THREE = planning.Sharing(cohort=3, tolerance=1, departments=1)


def answered(statistic: dict[str, Any], rho: float) -> tuple[Any, list[dict[str, Any]], float]:
    plan = question(statistics=(statistic,), rho=rho)
    releases = released(plan, WORLD.exact(plan), silence)
    row = question_result(plan, CATALOGUE, releases)["rows"][0]
    (entry,) = row[plan.statistics[0].group].values()
    return plan, entry if isinstance(entry, list) else [entry], row["count"]["value"]


def guess_of(statistic: dict[str, Any], counted: float) -> Guess:
    """Guess what is true of the world, so that the prediction should be what is shown."""
    asked = ("income", "spend", "wealth")
    rows = WORLD.records.complete(question(statistics=(statistic,)).fields)
    bounds = {"income": (-1000, 9000), "spend": (0, 8000), "wealth": (-50_000, 500_000)}
    if statistic.get("cap"):
        bounds["income"] = (-1000, statistic["cap"])
    held = {name: WORLD.columns[name][rows].clip(*bounds[name]) for name in asked}
    fields = {"income", "spend"} & set(re.findall(r"\w+", str(statistic)))
    return Guess(
        clients=counted,
        means={name: float(held[name].mean()) for name in fields},
        deviations={name: float(held[name].std()) for name in fields},
        part=float(WORLD.columns["late"].mean()),
        correlation=float(np.corrcoef(held["income"], held["spend"])[0, 1]) if fields else 0.0,
    )


@pytest.mark.parametrize("statistic", EVERY[1:], ids=KINDS[1:])
def test_a_prediction_from_a_true_guess_is_the_width_that_the_answer_shows(
    statistic: dict[str, Any],
) -> None:
    plan, figures, counted = answered(statistic, rho=2.0)
    moved = moved_of(plan.statistics[0], guess_of(statistic, counted), CATALOGUE).statistic
    of_count, *own = plan.sums.values()
    if statistic["kind"] in {"histogram", "top", "quantiles"}:
        total = planning.count_noise(own[0], THREE)
    else:
        total = planning.total_noise(own[0], THREE)
    predicted = planning.error(moved, count=planning.count_noise(of_count, THREE), total=total)
    shown = max(figure.get("rank", figure.get("half_width", 0.0)) for figure in figures)
    assert predicted == pytest.approx(shown, rel=0.05)


def test_a_wrong_guess_of_how_many_is_a_wrong_prediction() -> None:
    plan, _figures, _counted = answered(EVERY[4], rho=2.0)
    few, many = (
        moved_of(plan.statistics[0], Guess(clients=n), CATALOGUE).statistic for n in (100, 10_000)
    )
    assert few.of_total == pytest.approx(100 * many.of_total)
    assert few.told_within == 100


def test_what_no_field_can_be_is_no_guess() -> None:
    mean = question(statistics=(EVERY[1],)).statistics[0]
    with pytest.raises(InvalidBound):
        moved_of(mean, Guess(clients=100, means={"income": 9001}), CATALOGUE)
    relation = question(statistics=(EVERY[6],)).statistics[0]
    flat = Guess(clients=100, deviations={"income": 0.0, "spend": 0.0})
    with pytest.raises(PlanInvalid, match="nothing is told"):
        moved_of(relation, flat, CATALOGUE)
