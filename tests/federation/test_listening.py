"""While nobody asks, every department hears what is new in the consent register, for nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.epochs import Snapshot
from federation.coordinator.epochs import sealed_delta
from federation.coordinator.listening import REFRESH_S
from federation.messages import Ask
from federation.node.answer import answer
from tests.federation.coordinated import NOW, Coordinator, opened


@pytest.fixture
def coordinator(firm: Any) -> Iterator[Coordinator]:
    found = opened(firm)
    yield found
    found.dispatcher.desk.engine.dispose()


def idle(coordinator: Coordinator, *, after_s: float = 0) -> None:
    coordinator.dispatcher.now = lambda: NOW + after_s
    assert not coordinator.dispatcher.carry_out_next()


def held(coordinator: Coordinator, department: str = "risk") -> Snapshot:
    snapshot: Snapshot = coordinator.wire.firm.nodes[department].memory.snapshot
    return snapshot


def someone_withdraws(coordinator: Coordinator) -> int:
    firm, register = coordinator.wire.firm, coordinator.dispatcher.desk.register
    return register.set_level(next(iter(firm.levels)), 0, datetime.now(UTC))


def test_a_department_that_nobody_asks_has_the_register_of_minutes_ago(
    coordinator: Coordinator,
) -> None:
    idle(coordinator)
    epoch = someone_withdraws(coordinator)
    assert held(coordinator).epoch == epoch - 1
    idle(coordinator, after_s=REFRESH_S)
    for department in coordinator.wire.firm.nodes:
        assert held(coordinator, department).epoch == epoch
    assert set(coordinator.wire.legs) == {"hello"}
    assert coordinator.used() == 0


def test_consent_that_did_not_change_is_good_for_longer_and_kept_for_the_tools(
    coordinator: Coordinator,
) -> None:
    idle(coordinator)
    first = held(coordinator)
    idle(coordinator, after_s=REFRESH_S)
    assert held(coordinator).epoch == first.epoch
    assert held(coordinator).expires_at == first.expires_at + REFRESH_S
    node = coordinator.wire.firm.nodes["risk"]
    service = coordinator.dispatcher.consent_keys.signing.public_key()
    kept = node.consent.snapshot("risk", service)
    assert (kept.epoch, kept.expires_at) == (first.epoch, held(coordinator).expires_at)


def test_consent_is_not_sent_more_often_than_it_must(coordinator: Coordinator) -> None:
    brought: list[str] = []

    def note(department: str, ask: Ask) -> None:
        if ask.consent:
            brought.append(department)

    coordinator.wire.before = note
    for minute in range(10):
        idle(coordinator, after_s=60 * minute)
    assert sorted(brought) == sorted([*coordinator.wire.firm.nodes] * 2)


def test_a_worker_that_restarted_is_brought_up_to_date(coordinator: Coordinator) -> None:
    idle(coordinator)
    coordinator.wire.firm.open("risk")
    assert held(coordinator).epoch == 0
    idle(coordinator, after_s=60)
    assert held(coordinator).epoch == len(coordinator.wire.firm.levels)


def test_consent_that_the_service_did_not_sign_changes_nothing(coordinator: Coordinator) -> None:
    idle(coordinator)
    epoch, dispatcher = someone_withdraws(coordinator), coordinator.dispatcher
    forged = sealed_delta(
        dispatcher.desk.register,
        department="risk",
        after=epoch - 1,
        head=epoch,
        keys=replace(dispatcher.consent_keys, signing=Ed25519PrivateKey.generate()),
        roster=dispatcher.roster,
        now=NOW,
    )
    ask = Ask(leg="hello", consent=forged)
    assert answer(coordinator.wire.firm.nodes["risk"], ask, NOW).code == "epoch_invalid"
    assert held(coordinator).epoch == epoch - 1
