"""What an asker reads, against what is true: 200 figures of each statistic by the nodes' own path.

An answer promises a half width that its noise passes once in 20 answers. Each miss is divided by
the deviation that was promised; these pulls must be standard normal: their sum of squares by a
chi-squared test, the part within the interval by a binomial test, each false once in 10^9.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats

from federation.coordinator.evaluation_result import evaluation_result
from federation.coordinator.question_result import question_result
from federation.evaluation_journey import evaluate_model
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan, digest, read_plan
from federation.question_journey import ask_question
from federation.question_plan import QuestionPlan
from federation.rounds import Brief, drive
from federation.statistics.bounds import to_scale
from federation.training_journey import train_model
from federation.training_layout import architecture_of
from federation.training_plan import TrainingPlan
from models.files import save
from privacy.lattice import IntVector
from privacy.mechanisms import draw_noise
from privacy.noise_shares import Noise, share_sigma

pytestmark = pytest.mark.statistical

ALPHA = 1e-9
LEVEL = 0.95
COUNT_SCALE = 2**10
Z = float(scipy.stats.norm.ppf(0.5 + LEVEL / 2))


@dataclass(frozen=True, slots=True)
class Misses:
    """Distances from the truth, and the half widths that were promised with them."""

    errors: npt.NDArray[np.float64]
    promised: npt.NDArray[np.float64]

    @property
    def believable(self) -> bool:
        """Whether the errors are as large as promised, neither smaller nor larger."""
        pulls = Z * self.errors / self.promised
        law = scipy.stats.chi2(pulls.size)
        squares = float((pulls**2).sum())
        within = int((np.abs(self.errors) <= self.promised).sum())
        spread = min(law.cdf(squares), law.sf(squares)) >= ALPHA / 2
        return spread and scipy.stats.binomtest(within, pulls.size, LEVEL).pvalue >= ALPHA


@pytest.fixture
def firm(make_firm: Any) -> Any:
    return make_firm(900, levels=lambda _number: 4)


def answers(firm: Any, plan: QuestionPlan, releases: int) -> list[list[dict[str, Any]]]:
    """Ask again and again; return each answer's rows as the asker reads them."""
    found = []
    for attempt in range(releases):
        result = drive(ask_question(brief_of(firm, plan, attempt)), firm.exchange)
        found.append(question_result(plan, firm.catalogue, result)["rows"])
    return found


def brief_of(firm: Any, plan: AnyPlan, attempt: int) -> Brief:
    """Brief an attempt; the nodes keep the consent epoch that came with the first one."""
    brief = firm.brief(plan, attempt=attempt)
    return replace(brief, consent=lambda _department: b"") if attempt else brief


def misses(figures: list[dict[str, float]], truths: list[float]) -> Misses:
    values, widths = ([f[key] for f in figures] for key in ("value", "half_width"))
    return Misses(np.array(values) - truths, np.array(widths))


def count_and_mean(firm: Any, releases: int) -> dict[str, Misses]:
    """Ask about two cells, so that each release gives two figures of each statistic."""
    mean = {"kind": "mean", "field": "income"}
    plan = firm.plan(by=("defaulted",), statistics=(mean,), rho=0.1)
    rows = firm.join("income", "defaulted").values()
    cells = [[r["income"] for r in rows if bool(r["defaulted"]) == flag] for flag in (False, True)]
    means = [float(np.clip(cell, -1000.0, 9000.0).mean()) for cell in cells]
    found = [row for rows in answers(firm, plan, releases) for row in rows]
    return {
        "count": misses([row["count"] for row in found], [len(cell) for cell in cells] * releases),
        "mean": misses([row["means"]["income"] for row in found], means * releases),
    }


def group_by_counts(firm: Any, releases: int) -> dict[str, Misses]:
    plan = firm.plan(by=("age", "education"), rho=0.1)
    cells = np.zeros((3, 3))
    for row in firm.join("age", "education").values():
        place = np.searchsorted([30.0, 50.0], row["age"], side="right")
        cells[place, ("school", "university", "other").index(row["education"])] += 1
    found = [row["count"] for rows in answers(firm, plan, releases) for row in rows]
    return {"group-by counts": misses(found, list(cells.flat) * releases)}


def training_counts(firm: Any, releases: int) -> dict[str, Misses]:
    plan = firm.plan(kind="training", rounds=1, local_steps=1, rho=0.3)
    assert isinstance(plan, TrainingPlan)
    sigma = share_sigma(sensitivity=COUNT_SCALE, rho=plan.rho_of_count, cohort=1, tolerance=0)
    errors: list[float] = []
    for attempt in range(-(-releases // len(firm.nodes))):
        drive(train_model(brief_of(firm, plan, attempt)), firm.exchange)
        for department, node in firm.nodes.items():
            labeled = [r for r in firm.rows[department].values() if r["defaulted"] is not None]
            noisy = node.learned.count((digest(plan).hex(), attempt))
            assert noisy is not None
            errors.append(noisy - len(labeled))
    promised = np.full(len(errors), Z * sigma / COUNT_SCALE)
    return {"training's noisy count": Misses(np.array(errors), promised)}


def evaluation_counts(firm: Any, releases: int) -> dict[str, Misses]:
    """Evaluate a model that says one half of everybody: all stand in the bin above the middle."""
    training = firm.plan(kind="training")
    file = firm.folder / "m.safetensors"
    save(file, architecture_of(training, firm.catalogue), np.zeros(3))
    weights = file.read_bytes()
    plan = read_plan(
        {
            "kind": "evaluation",
            "training": training.model_dump(mode="json"),
            "run": "0" * 16,
            "sha256": sha256(weights).hexdigest(),
            "bins": 8,
            **{key: getattr(training, key) for key in ("catalogue", "purpose", "cohort", "reason")},
            "rho": 0.1,
        }
    )
    assert isinstance(plan, EvaluationPlan)
    truth = np.zeros((2, plan.bins))
    for row in firm.join("defaulted").values():
        truth[int(row["defaulted"]), plan.bins // 2] += 1
    errors, promised = [], []
    for attempt in range(releases):
        brief = brief_of(firm, plan, attempt)
        released = drive(evaluate_model(brief, model=weights), firm.exchange)
        told = evaluation_result(plan, firm.catalogue, released.values.tolist())
        errors.append(np.array(told["counts"]) - truth.ravel())
        promised.append(np.full(truth.size, told["count_half_width"]))
    return {"an evaluation's counts": Misses(np.concatenate(errors), np.concatenate(promised))}


def mean_influences(firm: Any, releases: int) -> dict[str, Misses]:
    """Explain a model that adds 1 for a known age and half of its scaled value, by education."""
    training = firm.plan(kind="training")
    file = firm.folder / "m.safetensors"
    save(file, architecture_of(training, firm.catalogue), np.array([1.0, 0.5, 0.0]))
    weights = file.read_bytes()
    plan = read_plan(
        {
            "kind": "evaluation",
            "training": training.model_dump(mode="json"),
            "run": "0" * 16,
            "sha256": sha256(weights).hexdigest(),
            "explain": True,
            "owned": False,
            "group": "education",
            **{key: getattr(training, key) for key in ("catalogue", "purpose", "cohort", "reason")},
            "rho": 0.1,
        }
    )
    assert isinstance(plan, EvaluationPlan)
    shares: dict[str, list[float]] = {label: [] for label in ("school", "university", "other")}
    for department in plan.cohort:
        for row in firm.rows[department].values():
            if row["education"] is not None and row["defaulted"] is not None:
                age = firm.catalogue.field("age")
                known = row["age"] is not None
                value = float(to_scale(age, np.array([row["age"]]))[0]) if known else 0.0
                shares[row["education"]].append(abs(known + 0.5 * value))
    truths = [float(np.mean(group)) for group in shares.values()]
    errors, promised = [], []
    for attempt in range(releases):
        brief = brief_of(firm, plan, attempt)
        released = drive(evaluate_model(brief, model=weights), firm.exchange)
        told = evaluation_result(plan, firm.catalogue, released.values.tolist())
        for group, truth in zip(told["groups"], truths, strict=True):
            (age_told,) = group["influences"]
            low, high = age_told["interval"]
            errors.append(age_told["value"] - truth)
            promised.append((high - low) / 2)
    return {"mean influences": Misses(np.array(errors), np.array(promised))}


Measured = Callable[[Any, int], Mapping[str, Misses]]


@pytest.mark.parametrize(
    ("measured", "releases"),
    [
        (count_and_mean, 100),
        (group_by_counts, 50),
        (training_counts, 200),
        (evaluation_counts, 13),
        (mean_influences, 67),
    ],
)
def test_200_figures_err_as_they_promise(firm: Any, measured: Measured, releases: int) -> None:
    found = measured(firm, releases)
    assert {name for name, missed in found.items() if not missed.believable} == set()


def scaled(factor: float) -> Noise:
    """Return a sampler that draws narrower or wider than it is asked to."""

    def noise(sigma: int, size: int) -> IntVector:
        return draw_noise(round(factor * sigma), size)

    return noise


@pytest.mark.parametrize(
    ("measured", "releases", "factor"),
    [
        (count_and_mean, 50, 0.5),
        (group_by_counts, 20, 0.5),
        (group_by_counts, 20, 2.0),
        (training_counts, 100, 0.5),
        (evaluation_counts, 8, 0.5),
        (mean_influences, 50, 0.5),
    ],
)
def test_noise_of_another_width_than_promised_is_noticed(
    firm: Any, measured: Measured, releases: int, factor: float
) -> None:
    for name, node in firm.nodes.items():
        firm.nodes[name] = replace(node, noise=scaled(factor))
    found = measured(firm, releases)
    assert not any(missed.believable for missed in found.values())
