"""Several processes and threads on one register: nothing is lost, nothing comes out of order."""

import multiprocessing
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.deltas import delta_of
from consent.epochs import Snapshot, apply, levels_of, pseudonym
from consent.errors import ConsentError, UnknownClient
from consent.register import fold
from consent.store import Register
from federation.database import open_database

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY = b"k" * 32


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'consent.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def register(engine: sa.Engine) -> Register:
    register = Register(engine)
    register.load([("ann", "h1", 4), ("bob", "h1", 1), ("eve", "h2", 0)], T0)
    return register


def numbers_of_events(register: Register) -> list[int]:
    return sorted(e.seq for client in ("ann", "bob", "eve") for e in register.history(client))


def brought_up_to_date(snapshot: Snapshot, register: Register) -> Snapshot:
    """Pull one delta, as a node does."""
    head = register.head()
    delta = delta_of(
        register.changes(snapshot.epoch),
        purposes=register.purposes(),
        key=KEY,
        department="risk",
        base=snapshot.epoch,
        epoch=head,
        issued_at=0,
        expires_at=head + 1,
    )
    return apply(snapshot, delta)


def write_often(url: str, client: str, times: int) -> None:
    register = Register(open_database(url))
    for number in range(times):
        register.set_level(client, number % 5, T0 + timedelta(seconds=number + 1))


def follow(url: str, last: int, answers: "multiprocessing.Queue[dict[str, int]]") -> None:
    """Read deltas as a node would until the last epoch, and hand back what it ended with."""
    register = Register(open_database(url))
    snapshot = Snapshot.empty("risk")
    while snapshot.epoch < last:
        snapshot = brought_up_to_date(snapshot, register)
    clients = ["ann", "bob", "eve"]
    levels = levels_of(snapshot, [pseudonym(KEY, client) for client in clients])
    answers.put(dict(zip(clients, levels.tolist(), strict=True)))


def test_writers_and_readers_in_several_processes_lose_nothing(
    register: Register, engine: sa.Engine
) -> None:
    spawn = multiprocessing.get_context("spawn")
    url = engine.url.render_as_string()
    answers = spawn.Queue()
    workers = [
        *(
            spawn.Process(target=write_often, args=(url, c, n))
            for c, n in (("ann", 32), ("bob", 43))
        ),
        spawn.Process(target=follow, args=(url, 3 + 32 + 43, answers)),
    ]
    for worker in workers:
        worker.start()
    seen = answers.get(timeout=60)
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert seen == {"ann": 31 % 5, "bob": 42 % 5, "eve": 0}
    assert register.head() == 78
    assert numbers_of_events(register) == list(range(1, 79))


def open_register(url: str) -> None:
    Register(open_database(url))


def test_two_processes_may_create_the_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=open_register, args=(url,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert Register(open_database(url)).head() == 0


# Threads


def test_threads_that_write_at_once_each_get_their_own_epoch(register: Register) -> None:
    clients = ["ann", "bob", "eve", "nobody"] * 3
    answers: dict[int, list[object]] = {number: [] for number in range(len(clients))}

    def change(number: int) -> None:
        for turn in range(10):
            try:
                at = T0 + timedelta(seconds=turn + 1, microseconds=number)
                answers[number].append(register.set_level(clients[number], turn % 5, at))
            except ConsentError as refusal:
                answers[number].append(refusal)

    threads = [threading.Thread(target=change, args=(number,)) for number in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    epochs = [epoch for got in answers.values() for epoch in got if isinstance(epoch, int)]
    assert sorted(epochs) == list(range(4, 4 + 90))
    assert all(got == sorted(got) for n, got in answers.items() if clients[n] != "nobody")
    refused = [got for n, got in answers.items() if clients[n] == "nobody"]
    assert all(isinstance(one, UnknownClient) for got in refused for one in got)
    assert numbers_of_events(register) == list(range(1, 94))
    for client in ("ann", "bob", "eve"):
        assert fold(register.history(client))[client] == register.standing(client)
