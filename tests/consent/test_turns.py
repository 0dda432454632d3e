import threading
from collections.abc import Sequence

import pytest

from consent.turns import Ticket, Turns


class Disk:
    """A writer that waits, once, until all the others queue behind it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.turns: Turns[int, str] = Turns(self.write)
        self.gate = threading.Event()
        self.begun = threading.Event()

    def write(self, tickets: Sequence[Ticket[int, str]]) -> None:
        self.batches.append([ticket.ask for ticket in tickets])
        for ticket in tickets:
            if ticket.ask < 0:
                ticket.refused = ValueError(ticket.ask)
            else:
                ticket.got = f"wrote {ticket.ask}"
        self.begun.set()
        assert self.gate.wait(10)


def ask_at_once(disk: Disk, asks: Sequence[int]) -> dict[int, object]:
    """Let the first thread begin to write, queue the others, then let go; return what each got."""
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        try:
            answers[number] = disk.turns.take(number)
        except (ValueError, OSError) as error:
            answers[number] = error

    threads = [threading.Thread(target=ask, args=(number,)) for number in asks]
    threads[0].start()
    assert disk.begun.wait(10)
    assert answers == {}
    for thread in threads[1:]:
        thread.start()
    while len(disk.turns._waiting) < len(asks) - 1:
        threading.Event().wait(0.001)
    disk.gate.set()
    for thread in threads:
        thread.join(10)
    return answers


def test_those_who_wait_share_one_write() -> None:
    disk = Disk()
    answers = ask_at_once(disk, range(1, 9))
    assert answers == {number: f"wrote {number}" for number in range(1, 9)}
    assert disk.batches[0] == [1]
    assert sorted(disk.batches[1]) == list(range(2, 9))
    assert len(disk.batches) == 2


def test_one_refusal_is_nobody_elses() -> None:
    answers = ask_at_once(Disk(), [1, -2, 3])
    assert isinstance(answers[-2], ValueError)
    assert (answers[1], answers[3]) == ("wrote 1", "wrote 3")


def test_nobody_is_answered_by_a_write_that_failed() -> None:
    disk = Disk()
    whole = disk.write

    def fail(tickets: Sequence[Ticket[int, str]]) -> None:
        whole(tickets)
        raise OSError(28, "the disk is full")

    disk.turns = Turns(fail)
    answers = ask_at_once(disk, [1, 2, -3])
    assert all(isinstance(answer, OSError) for answer in answers.values())
    assert len(answers) == 3


def test_after_a_failure_the_next_write_is_made() -> None:
    disk = Disk()
    disk.gate.set()
    with pytest.raises(ValueError, match="-1"):
        disk.turns.take(-1)
    assert disk.turns.take(5) == "wrote 5"


def test_an_interrupted_write_leaves_nobody_waiting() -> None:
    def interrupt(_tickets: Sequence[Ticket[int, str]]) -> None:
        raise KeyboardInterrupt

    turns: Turns[int, str] = Turns(interrupt)
    with pytest.raises(KeyboardInterrupt):
        turns.take(1)
    with pytest.raises(KeyboardInterrupt):
        turns.take(2)


def test_a_ticket_that_the_writer_forgot_is_not_waited_for() -> None:
    written: list[int] = []

    def forget(tickets: Sequence[Ticket[int, str]]) -> None:
        written.extend(ticket.ask for ticket in tickets)

    turns: Turns[int, str] = Turns(forget)
    with pytest.raises(RuntimeError, match="left a ticket open"):
        turns.take(1)
    assert written == [1]


def test_a_ticket_shows_nothing_of_what_is_asked() -> None:
    assert "canary" not in repr(Ticket(ask="canary"))
