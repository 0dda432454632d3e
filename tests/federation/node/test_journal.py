"""The journal: once is once, for every process and after every restart."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from federation.database import open_database
from federation.errors import AlreadyAnswered, FederationError, PermitReplayed
from federation.node.journal import Departure, Journal
from federation.run_permit import RunPermit


def permit(**changes: Any) -> RunPermit:
    values: dict[str, Any] = {
        "plan": "ab" * 32,
        "leg": "round",
        "attempt": 0,
        "round": 0,
        "cohort": ["advisory", "risk"],
        "reservation": "r",
        "epoch": 1,
        "issued_at": 1,
        "expires_at": 2,
        "nonce": token_hex(16),
    }
    return RunPermit(**values | changes)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'node.db'}"


def opened(url: str) -> Journal:
    return Journal(open_database(url))


def test_a_nonce_is_taken_once_and_survives_a_restart(url: str) -> None:
    first = permit()
    opened(url).admit(first)
    for journal in (opened(url), opened(url)):
        with pytest.raises(PermitReplayed):
            journal.admit(permit(nonce=first.nonce, round=1))


def test_a_leg_is_taken_once_whatever_the_nonce(url: str) -> None:
    opened(url).admit(permit())
    with pytest.raises(AlreadyAnswered) as refusal:
        opened(url).admit(permit())
    assert (refusal.value.plan, refusal.value.attempt, refusal.value.round) == ("ab" * 32, 0, 0)


@pytest.mark.parametrize(
    "change", [{"plan": "cd" * 32}, {"attempt": 1}, {"leg": "sum"}, {"round": 1}]
)
def test_another_plan_attempt_leg_or_round_is_another_answer(
    url: str, change: dict[str, Any]
) -> None:
    journal = opened(url)
    journal.admit(permit())
    journal.admit(permit(**change))


def test_a_refused_leg_does_not_use_its_nonce_up(url: str) -> None:
    journal, again = opened(url), permit()
    journal.admit(permit())
    with pytest.raises(AlreadyAnswered):
        journal.admit(again)
    journal.admit(permit(nonce=again.nonce, attempt=1))


def test_of_many_processes_one_is_admitted(url: str) -> None:
    journals = [opened(url) for _ in range(8)]
    same = permit()

    def attempt(journal: Journal) -> bool:
        try:
            journal.admit(same)
        except FederationError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, journals)) == 1


def test_what_left_is_written_down_in_order(url: str) -> None:
    journal, first = opened(url), permit()
    journal.record(first, at=5, size=24, epoch=7)
    journal.record(permit(round=1), at=6, size=8, epoch=7)
    assert opened(url).departures() == [
        Departure(at=5, plan="ab" * 32, attempt=0, leg="round", round=0, size=24, epoch=7),
        Departure(at=6, plan="ab" * 32, attempt=0, leg="round", round=1, size=8, epoch=7),
    ]
