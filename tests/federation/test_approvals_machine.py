"""Approvals as a state machine: two processes, any order, death after any word."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consent.catalogue import load_catalogue
from consent.store import Register
from federation.coordinator.approvals import (
    approval_of,
    approved,
    counted,
    give_opinion,
    settle_all,
)
from federation.coordinator.data_epochs import DataEpochs
from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.errors import NotWaiting, OpinionGiven, OwnPlan
from federation.coordinator.evidence_log import open_evidence
from federation.coordinator.policy import Policy, Pool
from federation.coordinator.registry import Registry
from federation.coordinator.runs import Runs, RunState
from federation.coordinator.settings import CoordinatorSettings
from federation.deployment.enrolment import enrol
from federation.plans import read_plan
from privacy.entries import Decided, Opinion, Reserved
from privacy.loss import Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
CATALOGUE = load_catalogue(Path(__file__).parent / "node" / "catalogue.toml")
APPROVE, DECLINE = Opinion.APPROVE, Opinion.DECLINE
OFFICERS = ("olga", "otto", "oskar")
DEAR = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}],
    "reason": "a test of two people",
}


def opened(engine: sa.Engine, consent_keys: Path) -> Desk:
    policy = Policy(
        delta=1e-6,
        firm=Pool(epsilon=9.0),
        purposes={"review": Pool(epsilon=8.0)},
        automatic_epsilon=1.0,
    )
    places = dict.fromkeys(("catalogue", "policy", "keys", "models"), Path())
    places |= {"consent_keys": consent_keys}
    settings = CoordinatorSettings(database="", **places)
    desk = Desk(
        settings=settings,
        catalogue=CATALOGUE,
        policy=policy,
        engine=engine,
        runs=Runs(engine),
        ledger=Ledger(engine),
        register=Register(engine),
        evidence=open_evidence(settings, engine),
        data_epochs=DataEpochs(engine),
        registry=Registry(engine),
    )
    for pool in ("firm", "firm/review"):
        desk.ledger.open_pool(pool, Rho(1.5), Delta(policy.delta), AT)
    return desk


class Office(RuleBasedStateMachine):
    """Two processes, three officers and an asker who is one too; anyone may die after a word."""

    consent_keys: Path
    hasty = False

    def __init__(self) -> None:
        super().__init__()
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        self.desks = [opened(engine, self.consent_keys) for _ in range(2)]
        self.now = AT
        self.runs: dict[str, str] = {}

    @rule(who=st.integers(0, 1), asker=st.sampled_from(["ann", "olga"]), size=st.integers(1, 4))
    def ask(self, who: int, asker: str, size: int) -> None:
        plan = plan_of(DEAR | {"rho": size / 3}, self.desks[who])
        got = submit(plan, self.desks[who], asker=asker, now=self.now)
        if got.new:
            self.runs[got.run.id] = asker

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), who=st.integers(0, 1), dies=st.booleans())
    def opine(self, data: st.DataObject, who: int, dies: bool) -> None:  # noqa: FBT001 - drawn
        run = data.draw(st.sampled_from(sorted(self.runs)))
        officer = data.draw(st.sampled_from(OFFICERS))
        opinion = data.draw(st.sampled_from([APPROVE, APPROVE, DECLINE]))
        desk = self.desks[who]
        if dies:
            desk.ledger.decide(run, officer, opinion, "written, then dead", self.now)
        else:
            with contextlib.suppress(NotWaiting, OwnPlan, OpinionGiven):
                give_opinion(
                    run, desk, officer=officer, opinion=opinion, reason="why not", now=self.now
                )
        if self.hasty and opinion is APPROVE:
            desk.runs.accept(run)

    @rule(who=st.integers(0, 1))
    def look(self, who: int) -> None:
        settle_all(self.desks[who], self.now)

    @rule(days=st.integers(1, 4))
    def wait(self, days: int) -> None:
        self.now += days * DAY

    @rule(who=st.integers(0, 1))
    def carry_out(self, who: int) -> None:
        desk = self.desks[who]
        if (run := desk.runs.take()) is not None:
            desk.ledger.commit(run.id, self.now)
            desk.runs.end_released(run.id, result={}, label={}, now=0)

    @invariant()
    def a_run_moved_on_only_by_two_others(self) -> None:
        desk = self.desks[0]
        charged = 0.0
        for name, asker in self.runs.items():
            run = desk.runs.get(name)
            if run.state in (RunState.WAITING, RunState.REFUSED):
                continue
            charged += read_plan(run.plan).rho
            told = [
                e.event for e in desk.ledger.entries() if getattr(e.event, "request", "") == name
            ]
            kinds = [type(event) for event in told]
            assert Reserved in kinds
            before = [e for e in told[: kinds.index(Reserved)] if isinstance(e, Decided)]
            assert approved(counted(before, asker=asker))
        firm = desk.ledger.state("firm")
        assert firm.spent.value + firm.reserved.value == pytest.approx(charged)

    @invariant()
    def nobody_sees_the_first_opinion(self) -> None:
        for name in self.runs:
            for viewer in OFFICERS:
                run = self.desks[1].runs.get(name)
                seen = approval_of(run, self.desks[1], viewer=viewer)
                assert seen.given > 1 or all(o.officer == viewer for o in seen.opinions)

    def teardown(self) -> None:
        settle_all(self.desks[1], self.now + 8 * DAY)
        assert self.desks[0].runs.waiting() == []


FEW = settings(max_examples=30, stateful_step_count=25)


@pytest.fixture(autouse=True)
def _keys(tmp_path: Path) -> None:
    enrol("test firm", CATALOGUE.departments, tmp_path / "keys", now=AT)
    Office.consent_keys = tmp_path / "keys" / "consent"


def test_nothing_is_carried_out_that_two_others_have_not_approved() -> None:
    run_state_machine_as_test(Office, settings=FEW)


class HastyOffice(Office):
    """Saboteur: one approval moves a run on."""

    hasty = True


def test_a_desk_that_one_approval_moves_is_caught() -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(HastyOffice, settings=settings(FEW, phases=[Phase.generate]))
