"""Differencing by withdrawal: who asks before and after, however often, learns what was charged.

The attacker knows every other client, works with one department (as many as the noise tolerates),
and toggles a client of his own to open a fresh consent epoch whenever he likes. He asks one count
again and again, before and after a client withdraws; everything is delivered together. He must say
whether that client was ever counted. His success, at even odds, against

    Phi(sqrt(2 rho) / 2),    rho: all that the ledger charged for what he was told

which is the best test of one Gaussian against another of mu = sqrt(2 rho) (Dong, Roth, Su 2022).
The schedule runs on the real desk and ledger; the answers are the mechanism's own, thousands of
firms side by side.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation.coordinator.desk import Desk, open_desk, plan_of, submit
from federation.coordinator.runs import Run
from federation.coordinator.settings import CoordinatorSettings
from federation.deployment.enrolment import enrol
from privacy.bounds import bounded_count
from privacy.errors import BudgetExceeded
from privacy.loss import Rho
from privacy.mechanisms import add_noise_share
from privacy.noise_shares import count_scale
from privacy.units import ContributionBound, PrivacyUnit
from tests.federation.conftest import CATALOGUE, DEPARTMENTS

TARGET, SYBIL = "target", "sybil"
RHO = 0.2
TRIALS = 4000
SLACK = math.sqrt(math.log(1e9) / (2 * 2 * TRIALS))
"""Hoeffding: a success rate over 2 TRIALS guesses is above its mean by this with chance 1e-9."""
COHORT, TOLERANCE = 3, 1
OWNED = ContributionBound(1)
POLICY = """
delta = 1e-6
automatic_epsilon = 20.0
[firm]
epsilon = 7.0
[purposes.review]
epsilon = 7.0
"""
QUESTION = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}],
    "by": ["age"],
    "rho": RHO,
    "reason": "before and after",
}
T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one attack was told: fresh answers before and after the withdrawal, and their price."""

    before: int
    after: int
    charged: float
    asked: int

    @property
    def bound(self) -> float:
        """The best success that was paid for."""
        return NormalDist().cdf(math.sqrt(2 * self.charged) / 2)


@dataclass(slots=True, kw_only=True)
class Attack:
    """One attacker at a real desk. Every ask is a minute after the last."""

    desk: Desk
    minutes: int = 0

    def now(self) -> datetime:
        self.minutes += 1
        return T0 + timedelta(minutes=self.minutes)

    def fresh_epoch(self) -> None:
        level = 0 if self.desk.register.level(SYBIL) else 4
        self.desk.register.set_level(SYBIL, level, self.now())

    def ask(self) -> Run:
        """Ask the one question, as another asker for another reason each time."""
        at = self.now()
        plan = plan_of(QUESTION | {"reason": f"ask {self.minutes}"}, self.desk)
        run = submit(plan, self.desk, asker=f"a{self.minutes}", now=at).run
        if (taken := self.desk.runs.take()) is not None:
            self.desk.ledger.commit(taken.id, at)
            label = {"consent_epoch": self.desk.register.head(), "rho": RHO}
            answer = {"answer": taken.id}
            self.desk.runs.end_released(taken.id, result=answer, label=label, now=self.minutes)
        return self.desk.runs.get(run.id)

    def ask_many(self, repeats: int, *, epochs: bool) -> set[str]:
        told = set()
        for _ in range(repeats):
            if epochs:
                self.fresh_epoch()
            try:
                told.add(str(self.ask().result))
            except BudgetExceeded:
                break
        return told

    def mount(self, repeats: int, *, epochs: bool) -> Told:
        """Ask, let the target withdraw, ask again; count what differs and what it cost."""
        before = self.ask_many(repeats, epochs=epochs)
        self.desk.register.set_level(TARGET, 0, self.now())
        after = self.ask_many(repeats, epochs=epochs) - before
        spent = self.desk.ledger.state("firm").spent.value
        return Told(before=len(before), after=len(after), charged=spent, asked=2 * repeats)


@pytest.fixture
def make_attack(tmp_path: Any) -> Iterator[Callable[..., Attack]]:
    (tmp_path / "policy.toml").write_text(POLICY)
    enrol("test firm", DEPARTMENTS, tmp_path / "keys", now=T0)
    opened: list[Desk] = []

    def make(**settings: Any) -> Attack:
        desk = open_desk(
            CoordinatorSettings(
                database=f"sqlite:///{tmp_path / f'desk{len(opened)}.db'}",
                catalogue=CATALOGUE,
                policy=tmp_path / "policy.toml",
                keys=tmp_path / "keys" / "coordinator",
                consent_keys=tmp_path / "keys" / "consent",
                models=tmp_path / f"models{len(opened)}",
                **settings,
            ),
            now=T0,
        )
        desk.register.load([(TARGET, "h1", 4), (SYBIL, "h2", 4)], T0)
        opened.append(desk)
        return Attack(desk=desk)

    yield make
    for desk in opened:
        desk.engine.dispose()


def answers(counted: int) -> npt.NDArray[np.float64]:
    """Return one fresh answer in each of TRIALS firms, in clients, as the attacker sees it.

    Each cell is a firm of its own, in which everybody but the target is known and taken away. One
    of the three shares of noise is the attacker's own and is taken away too.
    """
    rho = Rho(RHO)
    scale = count_scale(departments=1, rho=rho, cohort=COHORT, tolerance=TOLERANCE)
    cells = np.arange(TRIALS if counted else 0, dtype=np.int64)
    total = np.zeros(TRIALS)
    for department in range(COHORT - TOLERANCE):
        mine = cells if department == 0 else cells[:0]
        bounded = bounded_count(mine, TRIALS, scale=scale, unit=PrivacyUnit.CLIENT, bound=OWNED)
        share = add_noise_share(bounded, rho=rho, cohort=COHORT, tolerance=TOLERANCE)
        total += share.values / scale
    return total


def success(before: int, after: int) -> tuple[float, float]:
    """Return how often the attacker is right: knowing the others, and only by the difference."""
    right, right_by_difference = 0, 0
    for counted in (0, 1):
        first = sum((answers(counted) for _ in range(before)), np.zeros(TRIALS)) / before
        right += int(np.sum((first > 0.5) == counted))
        later = sum((answers(0) for _ in range(after)), np.zeros(TRIALS)) / max(after, 1)
        difference = first - later if after else np.zeros(TRIALS)
        right_by_difference += int(np.sum((difference > 0.5) == counted))
    return right / (2 * TRIALS), right_by_difference / (2 * TRIALS)


def within_what_was_charged(told: Told) -> bool:
    """Say whether neither attacker does better than the ledger says, at a false alarm of 1e-9."""
    return max(success(told.before, told.after)) <= told.bound + SLACK


def test_equal_questions_in_one_epoch_have_one_answer_however_often(
    make_attack: Callable[..., Attack],
) -> None:
    told = make_attack().mount(12, epochs=False)
    assert (told.before, told.after) == (1, 1)
    assert told.charged == pytest.approx(2 * RHO)


def test_every_fresh_epoch_is_charged_until_the_ledger_refuses(
    make_attack: Callable[..., Attack],
) -> None:
    attack = make_attack()
    told = attack.mount(12, epochs=True)
    budget = attack.desk.ledger.state("firm").budget.value
    assert told.charged == pytest.approx(RHO * (told.before + told.after))
    assert told.charged <= budget < RHO * told.asked
    assert told.charged + RHO > budget


def test_while_an_answer_stands_no_epoch_makes_another(
    make_attack: Callable[..., Attack],
) -> None:
    told = make_attack(answers_stand_s=24 * 3600).mount(12, epochs=True)
    assert (told.before, told.after) == (1, 0)
    assert told.charged == pytest.approx(RHO)


def test_a_span_ends_for_everyone_at_one_public_moment(
    make_attack: Callable[..., Attack],
) -> None:
    attack = make_attack(answers_stand_s=3600)
    first = attack.ask()
    attack.fresh_epoch()
    attack.minutes = 58
    assert attack.ask().id == first.id
    assert attack.ask().id != first.id  # 10:00: a new span and an epoch that is not the first's
    assert attack.desk.ledger.state("firm").spent.value == pytest.approx(2 * RHO)


def test_an_answer_outlives_its_span_while_nobody_changed_anything(
    make_attack: Callable[..., Attack],
) -> None:
    attack = make_attack(answers_stand_s=60)
    first = attack.ask()
    attack.minutes = 600
    assert attack.ask().id == first.id


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("epochs", "span"), [(False, 0), (True, 0), (True, 24 * 3600)], ids=["cache", "ledger", "span"]
)
def test_the_attacker_learns_no_more_than_was_charged(
    make_attack: Callable[..., Attack], *, epochs: bool, span: int
) -> None:
    told = make_attack(answers_stand_s=span).mount(12, epochs=epochs)
    assert within_what_was_charged(told), success(told.before, told.after)


@pytest.mark.statistical
def test_the_check_rejects_free_answers_that_differ(make_attack: Callable[..., Attack]) -> None:
    told = make_attack().mount(12, epochs=False)
    assert not within_what_was_charged(replace(told, before=12, after=12))


@pytest.mark.statistical
def test_the_check_rejects_fresh_epochs_that_cost_nothing(
    make_attack: Callable[..., Attack],
) -> None:
    told = make_attack().mount(6, epochs=True)
    assert not within_what_was_charged(replace(told, charged=RHO))


@pytest.mark.statistical
def test_the_check_rejects_a_ledger_that_never_refuses(
    make_attack: Callable[..., Attack],
) -> None:
    attack = make_attack()
    told = attack.mount(12, epochs=True)
    budget = attack.desk.ledger.state("firm").budget.value
    assert not within_what_was_charged(replace(told, before=12, after=12, charged=budget))
