"""How many have withdrawn since: the bucket of an exact count, against counting one by one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.events import SetLevel
from federation.coordinator.consent_desk import change, erase
from federation.coordinator.withdrawals import bucket, withdrawn_since
from tests.federation.test_dispatch import QUESTION, TRAINING, Coordinator, coordinator

__all__ = ["coordinator"]


def now() -> datetime:
    return datetime.now(UTC)


def clients(coordinator: Coordinator, level: int) -> list[str]:
    return [c for c, given in coordinator.wire.firm.levels.items() if given == level]


def buckets(coordinator: Coordinator) -> dict[str, str]:
    return {one.run: one.clients for one in withdrawn_since(coordinator.dispatcher.desk)}


def withdraw(coordinator: Coordinator, client: str) -> None:
    change(SetLevel(client=client, level=0), coordinator.dispatcher.desk, now=now())


def test_a_release_tells_roughly_how_many_of_its_clients_have_left(
    coordinator: Coordinator,
) -> None:
    first = coordinator.ask(QUESTION)  # education: level 2
    leaving = clients(coordinator, 4)
    withdraw(coordinator, leaving[0])
    second = coordinator.ask(TRAINING)
    assert buckets(coordinator) == {first.id: "1–9", second.id: "0"}
    for client in leaving[1:12]:
        withdraw(coordinator, client)
    assert buckets(coordinator) == {first.id: "10–99", second.id: "10–99"}
    models = {one.run: one.model for one in withdrawn_since(coordinator.dispatcher.desk)}
    assert models == {first.id: "", second.id: f"{second.id}.safetensors"}


def test_who_could_not_be_counted_did_not_leave_a_release(coordinator: Coordinator) -> None:
    run = coordinator.ask(QUESTION)
    for client in clients(coordinator, 1)[:5]:  # below the level of education
        withdraw(coordinator, client)
    assert buckets(coordinator) == {run.id: "0"}


def test_who_came_back_has_not_left_and_who_came_later_never_was_in(
    coordinator: Coordinator,
) -> None:
    run, desk = coordinator.ask(QUESTION), coordinator.dispatcher.desk
    back, later = clients(coordinator, 4)[0], clients(coordinator, 0)[0]
    withdraw(coordinator, back)
    at = now() + timedelta(seconds=1)
    change(SetLevel(client=back, level=2), desk, now=at)
    change(SetLevel(client=later, level=4), desk, now=at)
    change(SetLevel(client=later, level=0), desk, now=at + timedelta(seconds=1))
    assert buckets(coordinator) == {run.id: "0"}


def test_an_erased_client_is_counted_among_those_who_left(coordinator: Coordinator) -> None:
    run = coordinator.ask(QUESTION)
    erase(clients(coordinator, 3)[0], coordinator.dispatcher.desk, now=now())
    assert buckets(coordinator) == {run.id: "1–9"}


def test_nothing_of_a_bucket_names_anybody(coordinator: Coordinator) -> None:
    coordinator.ask(QUESTION)
    leaving = clients(coordinator, 4)[0]
    withdraw(coordinator, leaving)
    found: Any = withdrawn_since(coordinator.dispatcher.desk)
    assert leaving not in repr(found)


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0"), (1, "1–9"), (9, "1–9"), (10, "10–99"), (999, "100–999"), (1000, "1,000–9,999")],
)
def test_a_bucket_is_a_power_of_ten(count: int, told: str) -> None:
    assert bucket(count) == told


@given(st.integers(1, 10**9))
def test_a_count_lies_in_its_bucket(count: int) -> None:
    least, most = (int(end.replace(",", "")) for end in bucket(count).split("–"))
    assert least <= count <= most < 10 * least
