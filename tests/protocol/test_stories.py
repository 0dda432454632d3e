"""The whole path on real processes: SuperLink, ServerApp, three SuperNodes and their workers.

The demo's own folder, its own data. The tests share one federation and tell one story each; the
stories that break something come last and leave the federation whole again.
"""

import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from sqlalchemy import create_engine

from api.demo.folder import read_folder
from api.demo.prepare import Prepared, prepare
from consent.store import Register
from federation.coordinator.desk import Desk, budgets, open_desk, plan_of, submit
from federation.coordinator.runs import Run, RunState
from federation.coordinator.settings import load_coordinator_settings
from federation.coordinator.trainings import Trainings
from federation.deployment.sandbox import Sandbox
from federation.node.journal import Journal
from models.architectures import size
from models.files import load
from privacy.store import Ledger

pytestmark = [pytest.mark.protocol, pytest.mark.timeout(300)]

DEMO = Path(__file__).parents[2] / "demo"
BANDS = [0, 25, 35, 45, 55, 65, 200]
SIX_SIGMA = 6 / 1.96
A_RUN_S = 120
ENDED = (RunState.RELEASED, RunState.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """A running product federation and its coordinator's desk, as the API sees it."""

    sandbox: Sandbox
    prepared: Prepared
    desk: Desk

    def run(self, name: str, **changes: Any) -> Run:
        """Submit one of the demo's requests, changed, and wait for its end."""
        return self.ended(self.submit(name, **changes))

    def submit(self, name: str, **changes: Any) -> Run:
        """Submit one of the demo's requests, changed."""
        request = tomllib.loads((DEMO / f"{name}.toml").read_text()) | changes
        return submit(plan_of(request, self.desk), self.desk, asker="test").run

    def ended(self, run: Run) -> Run:
        """Wait for the end of a run."""
        ends = time.monotonic() + A_RUN_S
        while (run := self.desk.runs.get(run.id)).state not in ENDED:
            assert time.monotonic() < ends, f"still {run.step}"
            time.sleep(0.05)
        return run

    def run_until_released(self, name: str, **changes: Any) -> Run:
        """Ask again while departments are missing: a restarted node takes some seconds to return.

        A refusal names the missing and spends nothing, so asking again is what a person would do.
        """
        for _ in range(8):
            run = self.run(name, **changes)
            if run.state is RunState.RELEASED:
                return run
            assert run.refusal is not None
            assert run.refusal["code"] == "DepartmentMissing", run.refusal
        return run

    def left(self, department: str) -> list[Any]:
        """Read a node's own journal: everything that has left it."""
        path = self.prepared.nodes[department].parent / "state" / "node.db"
        return list(Journal(create_engine(f"sqlite:///{path}")).departures())

    def paid(self, department: str) -> float:
        """What a department's own pool has spent or reserved, by its own ledger."""
        path = self.prepared.nodes[department].parent / "state" / "node.db"
        pool = Ledger(create_engine(f"sqlite:///{path}")).state("department")
        return pool.spent.value + pool.reserved.value

    def spent(self) -> float:
        """What the firm's pool has spent or reserved."""
        firm = budgets(self.desk)[0]
        return firm.spent_rho + firm.reserved_rho


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    state = tmp_path_factory.mktemp("stories")
    folder = read_folder(DEMO)
    prepared = prepare(folder, state, now=datetime.now(UTC), progress=lambda _text, _part: None)
    sandbox = Sandbox.start(
        state / "federation", prepared.enrolment, prepared.nodes, coordinator=prepared.coordinator
    )
    try:
        desk = open_desk(load_coordinator_settings(prepared.coordinator))
        yield Federation(sandbox=sandbox, prepared=prepared, desk=desk)
    finally:
        sandbox.stop()


def _figures(run: Run) -> tuple[np.ndarray, float]:
    assert run.result is not None, run.refusal
    rows = run.result["rows"]
    return np.array([row["count"]["value"] for row in rows]), rows[0]["count"]["half_width"]


def test_a_question_is_answered_within_its_noise(federation: Federation) -> None:
    run = federation.run("question", statistics=[{"kind": "count"}])
    values, half_width = _figures(run)
    kept = {d: split.kept for d, split in federation.prepared.rows.items()}
    ages: dict[str, int] = {}
    for table in kept.values():
        known = table.filter(pc.is_valid(table["age"]))
        ages |= dict(zip(known["client_id"].to_pylist(), known["age"].to_pylist(), strict=True))
    levels = {c.client_id: c.level for c in federation.desk.register.changes(0)}
    permitted = [age for client, age in ages.items() if levels.get(client, 0) >= 1]
    expected, _ = np.histogram(permitted, BANDS)
    assert np.abs(values - expected).max() <= SIX_SIGMA * half_width
    assert len(permitted) < sum(len(table) for table in kept.values()), "each client counts once"


def test_the_same_question_is_the_same_answer_and_costs_nothing(federation: Federation) -> None:
    first = federation.run("question", statistics=[{"kind": "count"}])
    before = federation.spent()
    assert federation.run("question", statistics=[{"kind": "count"}]).id == first.id
    assert federation.spent() == before


def test_a_training_releases_a_model_and_costs_what_it_said(federation: Federation) -> None:
    before = federation.spent()
    run = federation.run("training", rounds=2, local_steps=3, epsilon=0.5)
    assert run.state is RunState.RELEASED, run.refusal
    assert run.result is not None
    assert run.label is not None
    architecture, weights = load(federation.desk.settings.models / run.result["model"])
    assert weights.size == size(architecture)
    assert federation.spent() - before == pytest.approx(run.label["rho"])
    assert run.label["epsilon"] <= 0.5


def test_nothing_but_tokens_and_masked_vectors_leaves(federation: Federation) -> None:
    federation.run("question", reason="what leaves")
    for department in federation.desk.catalogue.departments:
        legs = {departure.leg for departure in federation.left(department)}
        assert legs <= {"check", "tokens", "sum", "round"}
        sums = [d.size for d in federation.left(department) if d.leg == "sum"]
        assert set(sums) <= {6 * 8, 2 * 6 * 8}, "as long as the cells, however many clients"


def test_a_withdrawal_is_in_the_next_plans_epoch(federation: Federation) -> None:
    register = federation.desk.register
    someone = register.changes(0)[0].client_id
    epoch = Register(federation.desk.engine).set_level(someone, 0, datetime.now(UTC))
    run = federation.run("question", reason="after a withdrawal")
    assert run.label is not None
    assert run.label["consent_epoch"] == epoch
    for department in federation.desk.catalogue.departments:
        assert federation.left(department)[-1].epoch >= epoch


def test_a_killed_node_is_named_soon_and_nothing_is_spent(federation: Federation) -> None:
    before = federation.spent()
    federation.sandbox.kill_node("research")
    asked = time.monotonic()
    run = federation.run("question", rho=0.006)
    took = time.monotonic() - asked
    assert run.state is RunState.REFUSED
    assert run.refusal is not None
    assert "research" in run.refusal["text"]
    assert "risk" not in run.refusal["text"]
    assert took < 60, "an answer, not a hang; the benchmark measures how soon"
    assert federation.spent() == before
    federation.sandbox.restart_node("research")
    assert federation.run_until_released("question", rho=0.006).label is not None


def test_a_node_that_is_killed_in_a_training_comes_back_and_nothing_is_paid_twice(
    federation: Federation,
) -> None:
    departments = federation.desk.catalogue.departments
    before = {d: federation.paid(d) for d in departments}
    spent = federation.spent()
    run = federation.submit("training", rounds=6, local_steps=3, epsilon=0.4)
    trainings = Trainings(federation.desk.engine)
    while (underway := trainings.underway(run.id)) is None or not underway.done:
        assert federation.desk.runs.get(run.id).state not in ENDED
        time.sleep(0.02)
    federation.sandbox.kill_node("research")
    federation.sandbox.restart_node("research")
    ended = federation.ended(run)
    assert ended.result is not None, ended.refusal
    assert ended.label is not None
    rho = ended.label["rho"]
    interrupted = trainings.underway(run.id)
    assert interrupted is not None
    assert interrupted.interruptions >= 1
    assert federation.spent() - spent == pytest.approx(rho)
    assert 4 <= ended.result["rounds_done"] <= 6, "what was paid before the crash is in the model"
    for department in departments:
        left = federation.left(department)
        rounds = [d.round for d in left if d.plan == run.digest and d.leg == "round"]
        assert len(rounds) == len(set(rounds)), "no round is answered twice"
        assert federation.paid(department) - before[department] == pytest.approx(rho)


def test_a_killed_superlink_comes_back_and_the_run_goes_on(federation: Federation) -> None:
    federation.sandbox.restart_superlink()
    assert federation.run_until_released("question", rho=0.007).label is not None


def test_the_ledger_still_holds_after_all_of_it(federation: Federation) -> None:
    federation.desk.ledger.verify()
    assert budgets(federation.desk)[0].reserved_rho == 0
