"""What a run leaves in the transparency log, and what the departments say of it as witnesses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from consent.checkpoints import Checkpoint, sign_checkpoint
from consent.log_entries import (
    Approved,
    ConsentChanged,
    PlanAccepted,
    Refused,
    Released,
    Used,
    read_entry,
)
from consent.log_store import TreeHead
from consent.transparency import verify_export
from federation.coordinator.dispatch import GATHER_LATEST_S, GATHER_S
from federation.coordinator.evidence_log import json_digest, named, publish, published_log
from federation.coordinator.runs import RunState
from federation.messages import Ask
from federation.witness import log_key, origin_of, witness_keys
from tests.federation.coordinated import NOW
from tests.federation.test_dispatch import QUESTION, TRAINING, Coordinator, coordinator

__all__ = ["coordinator"]
SIGNS = {Released, Refused, PlanAccepted, Used, Approved}


def entries(coordinator: Coordinator) -> list[Any]:
    log = coordinator.dispatcher.desk.evidence.log
    found = [read_entry(entry) for entry in log.entries(0, log.head().size)]
    return [entry for entry in found if type(entry) in SIGNS]


def idle(coordinator: Coordinator) -> None:
    """Let a second pass in which no run waits."""
    coordinator.dispatcher.gathered_at = 0.0
    assert not coordinator.dispatcher.carry_out_next()


def test_an_offer_waits_until_nobody_has_asked_for_a_second(coordinator: Coordinator) -> None:
    """A hello takes as long as a leg, and the next question would wait for it."""
    dispatcher, wire = coordinator.dispatcher, coordinator.wire
    coordinator.ask(QUESTION)
    dispatcher.gathered_at = NOW - GATHER_S
    asked = len(wire.legs)
    assert not dispatcher.carry_out_next()
    assert wire.legs[asked:] == []
    dispatcher.now = lambda: NOW + GATHER_S
    assert not dispatcher.carry_out_next()
    assert wire.legs[asked:] == ["hello"]


def test_an_offer_comes_between_two_runs_in_the_end(coordinator: Coordinator) -> None:
    dispatcher, wire = coordinator.dispatcher, coordinator.wire
    dispatcher.gathered_at = NOW - GATHER_LATEST_S
    coordinator.ask(QUESTION)
    asked = len(wire.legs)
    assert not dispatcher.carry_out_next()
    assert wire.legs[asked:] == ["hello"]


def test_a_run_is_accepted_used_and_released_in_the_log(coordinator: Coordinator) -> None:
    run = coordinator.ask(QUESTION)
    plan, use, release = entries(coordinator)
    evidence = coordinator.dispatcher.desk.evidence
    assert (plan.run, plan.plan, plan.rho) == (run.id, run.digest, 0.5)
    assert plan.asker == named(evidence, run.id, "asker", "ann")
    assert plan.asker != named(evidence, run.id, "asker", "bob")
    assert (use.run, use.epoch) == (run.id, coordinator.dispatcher.desk.register.head())
    assert run.label is not None
    assert run.result is not None
    assert (release.run, release.epoch) == (run.id, run.label["consent_epoch"])
    assert release.result == json_digest(run.result)
    label = {key: value for key, value in run.label.items() if key != "log_index"}
    assert release.label == json_digest(label)
    index = run.label["log_index"]
    assert read_entry(evidence.log.entries(index, index + 1)[0]) == release


def test_use_is_logged_before_any_row_is_read(coordinator: Coordinator) -> None:
    kinds: list[list[str]] = []

    def look(_department: str, ask: Ask) -> None:
        if ask.leg != "hello":
            kinds.append([entry.kind for entry in entries(coordinator)])

    coordinator.wire.before = look
    coordinator.ask(QUESTION)
    assert kinds[0] == ["plan", "use"]


@pytest.mark.parametrize(("leg", "spent"), [("tokens", False), ("sum", True)])
def test_a_refusal_says_whether_its_cost_stays_spent(
    coordinator: Coordinator, *, leg: str, spent: bool
) -> None:
    def hush(_department: str, ask: Ask) -> None:
        if ask.leg == leg:
            coordinator.wire.silent = {"risk"}

    coordinator.wire.before = hush
    coordinator.ask(QUESTION)
    *_, last = entries(coordinator)
    assert (last.kind, last.code, last.spent) == ("refusal", "DepartmentMissing", spent)


def test_an_answer_that_was_given_before_adds_nothing(coordinator: Coordinator) -> None:
    coordinator.ask(QUESTION)
    before = coordinator.dispatcher.desk.evidence.log.head()
    coordinator.submit(QUESTION | {"reason": "quite another reason"})
    assert coordinator.dispatcher.desk.evidence.log.head() == before


def test_a_consent_change_and_its_entry_are_one_transaction(coordinator: Coordinator) -> None:
    desk = coordinator.dispatcher.desk
    client = next(iter(coordinator.wire.firm.levels))
    epoch = desk.register.set_level(client, 0, datetime.now(UTC))
    size = desk.evidence.log.head().size
    (entry,) = desk.evidence.log.entries(size - 1, size)
    logged = read_entry(entry)
    assert isinstance(logged, ConsentChanged)
    assert logged.epoch == epoch
    assert client.encode() not in entry


def test_every_department_cosigns_what_a_run_left_without_a_leg_in_its_way(
    coordinator: Coordinator,
) -> None:
    coordinator.ask(QUESTION)
    assert coordinator.wire.legs == ["hello", "tokens", "sum"]
    idle(coordinator)
    assert coordinator.wire.legs[3:] == ["hello"]
    evidence = coordinator.dispatcher.desk.evidence
    names = list(witness_keys(evidence.roster).values())
    report = verify_export(
        b"".join(published_log(evidence)), log=log_key(evidence.roster), witnesses=names, quorum=3
    )
    assert report.ok, report.findings
    assert report.kinds["release"] == 1
    assert [h.refusal for h in evidence.witnesses.all()] == ["", "", ""]
    idle(coordinator)
    assert coordinator.wire.legs[3:] == ["hello"]


def test_a_rewritten_history_is_refused_and_shown_and_plans_go_on(
    coordinator: Coordinator,
) -> None:
    coordinator.ask(QUESTION)
    idle(coordinator)
    dispatcher = coordinator.dispatcher
    evidence, origin = dispatcher.desk.evidence, origin_of(dispatcher.roster)
    register = dispatcher.desk.register
    register.set_level(next(iter(coordinator.wire.firm.levels)), 0, datetime.now(UTC))

    def forge(head: TreeHead) -> str:
        tree = Checkpoint(origin=origin, size=head.size, root=b"f" * 32)
        return sign_checkpoint(tree, evidence.keys.signing)

    evidence.log.publish(forge)
    idle(coordinator)
    assert evidence.witnesses.refusing() == ["advisory", "research", "risk"]
    assert {h.refusal for h in evidence.witnesses.all()} == {"proof_invalid"}
    for node in coordinator.wire.firm.nodes.values():
        assert node.witness.seen.evidence()[1]
    assert coordinator.ask(QUESTION | {"rho": 0.3}).state is RunState.RELEASED


def test_a_witness_that_forgot_is_offered_the_whole_log(coordinator: Coordinator) -> None:
    coordinator.ask(QUESTION)
    for session in coordinator.dispatcher.sessions.values():
        session.witnessed = 3
    idle(coordinator)
    assert coordinator.dispatcher.desk.evidence.witnesses.all() == []
    idle(coordinator)
    size = coordinator.dispatcher.desk.evidence.log.head().size
    assert [h.size for h in coordinator.dispatcher.desk.evidence.witnesses.all()] == [size] * 3


def test_a_witness_that_is_gone_holds_nothing_up(coordinator: Coordinator) -> None:
    coordinator.ask(QUESTION)
    coordinator.wire.silent = {"risk"}
    idle(coordinator)
    idle(coordinator)
    heard = coordinator.dispatcher.desk.evidence.witnesses.all()
    assert [h.department for h in heard] == ["advisory", "research"]


def test_who_is_down_is_named_within_15_s_even_while_the_log_is_offered(
    coordinator: Coordinator,
) -> None:
    coordinator.ask(QUESTION)
    idle(coordinator)
    assert coordinator.wire.legs == ["hello", "tokens", "sum", "hello"]
    *_, question, offer = coordinator.wire.deadlines
    assert offer + question < 15


def test_a_log_that_was_cut_is_found_out(coordinator: Coordinator) -> None:
    coordinator.ask(QUESTION)
    evidence = coordinator.dispatcher.desk.evidence
    lines = b"".join(published_log(evidence)).splitlines(keepends=True)
    cut = b"".join(lines[:-1])
    report = verify_export(cut, log=log_key(evidence.roster))
    assert [f.wrong.value for f in report.findings] == ["dropped"]


def test_a_training_names_its_model_in_the_log(coordinator: Coordinator) -> None:
    run = coordinator.ask(TRAINING)
    *_, release = entries(coordinator)
    assert run.result is not None
    assert release.result == json_digest(json.loads(json.dumps(run.result)))
    publish(coordinator.dispatcher.desk.evidence)
