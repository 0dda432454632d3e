"""Shared commits: threads that write at the same time wait for one sync of the disk, not for many.

Whoever gets the turn writes for all who wait. Nobody is answered before the disk has it.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Ask = TypeVar("Ask")
Got = TypeVar("Got")

_MOST = 500
"""Most that one commit carries, so that nobody waits for an endless queue."""


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket(Generic[Ask, Got]):
    """What one thread asks (hidden: it may be sensitive), until it is answered or refused.

    settled: the write is over, so that ``got`` or ``refused`` holds.
    """

    ask: Ask = field(repr=False)
    got: Got | None = None
    refused: BaseException | None = None
    settled: bool = False


class Turns(Generic[Ask, Got]):
    """Collects what threads ask and hands it, in the order it came, to one writer at a time."""

    def __init__(self, write: Callable[[Sequence[Ticket[Ask, Got]]], None]) -> None:
        """Take the writer: it answers or refuses every ticket; an error of its own refuses all."""
        self._write = write
        self._waiting: deque[Ticket[Ask, Got]] = deque()
        self._turn = threading.Lock()

    def take(self, ask: Ask) -> Got:
        """Return the writer's answer once it is written, or raise its refusal."""
        ticket: Ticket[Ask, Got] = Ticket(ask=ask)
        self._waiting.append(ticket)
        while not ticket.settled:
            with self._turn:
                if not ticket.settled:
                    self._write_next()
        if ticket.got is None:
            raise ticket.refused or RuntimeError("the writer left a ticket open")
        return ticket.got

    def _write_next(self) -> None:
        tickets = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        try:
            self._write(tickets)
        except BaseException as error:
            for ticket in tickets:
                ticket.got, ticket.refused = None, error
            if not isinstance(error, Exception):
                raise
        finally:
            for ticket in tickets:
                ticket.settled = True
