"""A client's history in a running federation: what counted it, and what the log says of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.epochs import levels_of, pseudonym
from consent.events import Kind, ObjectForFamily, ObjectTo, SetLevel, WithdrawFamilyObjection
from consent.log_entries import ConsentChanged, read_entry
from consent.receipts import verify_logged, verify_receipt
from federation.coordinator.approvals import give_opinion
from federation.coordinator.consent_desk import change, erase, receipts_of
from federation.coordinator.desk import plan_of, submit
from federation.coordinator.lineage import uses_of
from federation.coordinator.notice import NOT_STATED, Notice, load_notice
from federation.coordinator.runs import RunState
from federation.errors import SettingsInvalid
from federation.witness import log_key
from privacy.entries import Opinion
from tests.federation.test_dispatch import QUESTION, TRAINING, Coordinator, coordinator

__all__ = ["coordinator"]


def now() -> datetime:
    return datetime.now(UTC)


def someone(coordinator: Coordinator, level: int) -> str:
    return next(c for c, given in coordinator.wire.firm.levels.items() if given == level)


def test_a_withdrawn_client_is_in_what_was_and_in_nothing_later(coordinator: Coordinator) -> None:
    desk, client = coordinator.dispatcher.desk, someone(coordinator, 4)
    question, training = coordinator.ask(QUESTION), coordinator.ask(TRAINING)
    change(SetLevel(client=client, level=0), desk, now=now())
    later = coordinator.ask(QUESTION | {"rho": 0.3})
    assert later.state is RunState.RELEASED
    uses = uses_of(client, desk)
    assert [use.run for use in uses] == [training.id, question.id]
    assert [use.kind for use in uses] == ["training", "question"]
    assert training.result is not None
    assert uses[0].model == training.result["model"]
    assert question.label is not None
    assert uses[1].log_index == question.label["log_index"]
    assert uses[1].epoch == question.label["consent_epoch"]
    assert client not in repr(uses)


def test_a_client_is_not_told_of_plans_that_needed_more(coordinator: Coordinator) -> None:
    coordinator.ask(QUESTION)
    needed = max(
        int(f.level) for f in coordinator.dispatcher.desk.catalogue.fields if f.name == "education"
    )
    assert uses_of(someone(coordinator, needed - 1), coordinator.dispatcher.desk) == []
    assert uses_of(someone(coordinator, needed), coordinator.dispatcher.desk)


def test_an_objection_to_the_purpose_ends_the_uses(coordinator: Coordinator) -> None:
    desk, client = coordinator.dispatcher.desk, someone(coordinator, 4)
    purpose = desk.catalogue.purpose("review")
    desk.register.record([ObjectTo(client=client, purpose=purpose)], now())
    coordinator.ask(QUESTION)
    assert uses_of(client, desk) == []


def test_every_kind_of_change_has_a_receipt_that_opens_the_log(coordinator: Coordinator) -> None:
    desk, client = coordinator.dispatcher.desk, someone(coordinator, 4)
    purpose, at = desk.catalogue.purpose("review"), now()
    for number, request in enumerate(
        (
            ObjectTo(client=client, purpose=purpose),
            ObjectForFamily(client=client),
            WithdrawFamilyObjection(client=client),
        )
    ):
        desk.register.record([request], at + timedelta(seconds=number))
    change(SetLevel(client=client, level=1), desk, now=at + timedelta(seconds=9))
    key = desk.evidence.keys.signing.public_key()
    receipts = [verify_receipt(token, key) for token in receipts_of(client, desk, now=now())]
    events = [receipt.record.event for receipt in receipts]
    assert [(e.change, e.level, e.purpose) for e in events] == [
        ("entered", 4, ""),
        ("objected", 4, "review"),
        ("family_objected", 4, ""),
        ("family_objection_withdrawn", 4, ""),
        ("lowered", 1, ""),
    ]
    for receipt in receipts:
        verify_logged(receipt, log_key(desk.evidence.roster))
    opened = [
        {
            kind.pii_type
            for each in receipt.record.pii_processing.purposes
            for kind in each.pii_information
        }
        for receipt in receipts
    ]
    assert opened[1] < opened[0]
    assert opened[2] <= opened[1] == opened[3]


def test_what_has_no_effect_is_logged_with_the_level_in_force(coordinator: Coordinator) -> None:
    desk, client, at = coordinator.dispatcher.desk, someone(coordinator, 4), now()
    change(SetLevel(client=client, level=0), desk, now=at)
    tied = change(
        SetLevel(client=client, level=3), desk, now=at
    )  # at the very instant of the withdrawal
    assert tied.level == desk.register.level(client) == 0
    receipt = verify_receipt(tied.receipt, desk.evidence.keys.signing.public_key())
    assert receipt.record.event.level == 0
    assert receipt.record.event.event_state == "dpv:ConsentUnknown"


def test_the_log_counts_what_the_register_counts(coordinator: Coordinator) -> None:
    desk = coordinator.dispatcher.desk
    change(SetLevel(client=someone(coordinator, 2), level=3), desk, now=now())
    entries = desk.evidence.log.entries(0, desk.evidence.log.head().size)
    epochs = [e.epoch for e in map(read_entry, entries) if isinstance(e, ConsentChanged)]
    assert epochs == list(range(1, desk.register.head() + 1))
    text = b"".join(entries)
    assert not any(client.encode() in text for client in coordinator.wire.firm.levels)


def test_a_notice_says_what_the_file_says_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "notice.toml").write_text(
        'contact = "privacy@firm.example"\nlanguage = "zh-Hant"\n'
    )
    notice = load_notice(tmp_path / "notice.toml")
    assert (notice.contact, notice.language) == ("privacy@firm.example", "zh-Hant")
    assert notice.address == load_notice(None).jurisdiction == NOT_STATED
    assert load_notice(None) == Notice()


@pytest.mark.parametrize("text", ["contact = 3", "unknown = 'x'", "= =", "language = 'English'"])
def test_a_notice_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "notice.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=r"notice\.toml"):
        load_notice(tmp_path / "notice.toml")
    with pytest.raises(SettingsInvalid, match="nowhere"):
        load_notice(tmp_path / "nowhere.toml")


def test_two_opinions_are_logged_when_both_are_in_and_name_nobody(
    desk_at: Any, tmp_path: Path
) -> None:
    policy = (
        "delta = 1e-6\nautomatic_epsilon = 0.1\n[firm]\nepsilon = 40.0\n"
        "[purposes.review]\nepsilon = 30.0\n"
    )
    desk = desk_at(tmp_path, policy)
    opened = datetime.now(UTC)
    run = submit(plan_of(QUESTION, desk), desk, asker="ann", now=opened).run
    assert run.state is RunState.WAITING
    size = desk.evidence.log.head().size
    say = {"opinion": Opinion.APPROVE, "reason": "it is needed", "now": opened}
    give_opinion(run.id, desk, officer="bob", **say)
    assert desk.evidence.log.head().size == size
    give_opinion(run.id, desk, officer="cid", **say)
    entries = desk.evidence.log.entries(size, desk.evidence.log.head().size)
    kinds = [read_entry(entry).kind for entry in entries]
    assert kinds == ["approval", "approval", "plan"]
    assert not any(name in b"".join(entries) for name in (b"ann", b"bob", b"cid"))


def test_after_an_erasure_every_node_drops_the_client_with_the_next_plan(
    coordinator: Coordinator,
) -> None:
    desk, client = coordinator.dispatcher.desk, someone(coordinator, 4)
    nodes = coordinator.wire.firm.nodes.values()
    coordinator.ask(QUESTION)
    known = {node.department: pseudonym(node.pseudonym_key, client) for node in nodes}
    for node in nodes:
        assert levels_of(node.memory.snapshot, [known[node.department]]).tolist() == [4]
    size = node.memory.snapshot.pseudonyms.shape[1]
    done = erase(client, desk, now=now())
    later = coordinator.ask(QUESTION | {"rho": 0.3})
    assert later.label is not None
    assert later.label["consent_epoch"] == done.epoch
    for node in nodes:
        assert node.memory.snapshot.pseudonyms.shape[1] == size - 1
        assert levels_of(node.memory.snapshot, [known[node.department]]).tolist() == [0]


def test_the_coordinator_writes_ends_down_on_its_timer(coordinator: Coordinator) -> None:
    desk, client = coordinator.dispatcher.desk, "CL-ended"
    begun = now() - timedelta(hours=1)
    desk.register.load([(client, client, 0)], begun)
    ends = int(begun.timestamp()) + 120
    request = SetLevel(client=client, level=2, expires_at=ends)
    desk.register.record([request], begun + timedelta(minutes=1))
    assert desk.register.level(client, now()) == 0  # closed already, by the clock
    assert not coordinator.dispatcher.carry_out_next()
    assert desk.register.history(client)[-1].kind is Kind.EXPIRED
    epoch = desk.register.head()
    coordinator.dispatcher.tended_at = 0
    assert not coordinator.dispatcher.carry_out_next()
    assert desk.register.head() == epoch
