"""A program that kills a process at every boundary of every statement of a ledger's acts.

Arguments: URL of an empty database, file for the head, whose ledger. It prints one JSON object: how
often each act was killed, how often after it had told that it was done, and what was wrong. Each
act is done by a fork, so that hundreds of deaths take seconds.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from federation.database import open_database
from privacy.entries import Opinion, sealed
from privacy.errors import LedgerBroken, PrivacyError
from privacy.heads import head_of, head_text
from privacy.ledger import follow
from privacy.ledger_tables import ENTRIES, HEAD, append, exclusive
from privacy.loss import Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
RHO = Rho(2.0**-10)
WHY = "a page of the disk was lost"


class InTwoSteps(Ledger):
    """The saboteur: what belongs into one transaction is written in two."""

    def _append(self, rule):  # noqa: ANN001, ANN202 - as the parent
        with exclusive(self._engine) as connection:
            state = self._newest(connection)
            event = rule(state)
            if event is None:
                return
            entry = sealed(state.length, state.head, event)
            kept = connection.scalar(sa.select(HEAD.c.head))
            append(connection, entry, kept or head_text(head_of(state)))
        state = follow(state, [entry])
        with exclusive(self._engine) as connection:
            connection.execute(HEAD.update().values(head=head_text(head_of(state))))
        self._keep(state)


class TellsFirst(Ledger):
    """The saboteur: it says "reserved" and keeps the entry in mind until the next call."""

    def reserve(self, pool: str, rho: Rho, request: str, at: datetime) -> str:
        self._later = lambda: super(TellsFirst, self).reserve(pool, rho, request, at)
        return request


LEDGERS = {"honest": Ledger, "in two steps": InTwoSteps, "tells first": TellsFirst}


Check = Callable[[Ledger, str, bool, Rho], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done by a process that dies, and found afterwards.

    `holds` gets the ledger, the request, whether the dying process had told that it was done, and
    what weighed on the firm before: with the request's promise if it is `promised` first. The
    `opening` of the ledger is under fire for one act only; it is the same for all.
    """

    do: Callable[[Ledger, str], object]
    holds: Check
    opening: bool = False
    promised: bool = False
    cut: bool = False


def charged(ledger: Ledger) -> Rho:
    state = ledger.state("firm", AT)
    return state.spent + state.reserved


def status(ledger: Ledger, request: str) -> str:
    found = ledger._read().reservations.get(request)
    return "unknown" if found is None else found.status.value


def reserve(ledger: Ledger, request: str) -> None:
    ledger.reserve("firm/risk", RHO, request, AT)


def decide(ledger: Ledger, request: str) -> None:
    ledger.decide(request, "ann", Opinion.APPROVE, "because", AT)


def change(ledger: Ledger, request: str) -> None:
    budget = Rho(50.0 + int(request.split()[1]))
    ledger.change("firm/risk", budget, DELTA, AT, reason=request, who="ann")


def cut(ledger: Ledger, request: str) -> None:
    """Promise something, and lose the row of it."""
    reserve(ledger, request)
    with ledger._engine.begin() as connection:
        last = connection.scalar(sa.select(sa.func.max(ENTRIES.c["index"])))
        connection.execute(ENTRIES.delete().where(ENTRIES.c["index"] == last))


def spent_if_in_flight(ledger: Ledger, request: str, told: bool, before: Rho) -> bool:  # noqa: FBT001
    """It is there and weighs, or it never was; asked again, it is charged once."""
    found = status(ledger, request)
    there = charged(ledger) == (before + RHO if found == "reserved" else before)
    reserve(ledger, request)
    known = {"reserved"} if told else {"reserved", "unknown"}
    return there and found in known and charged(ledger) == before + RHO


def never_free(ledger: Ledger, request: str, told: bool, before: Rho) -> bool:  # noqa: FBT001
    """It weighs all the time, promised or spent."""
    found, weighs = status(ledger, request), charged(ledger) == before
    ledger.commit(request, AT)
    known = {"committed"} if told else {"committed", "reserved"}
    return weighs and found in known and charged(ledger) == before


def given_back_once(ledger: Ledger, request: str, told: bool, before: Rho) -> bool:  # noqa: FBT001
    """It weighs until it is given back, and is given back once."""
    found, weighs = status(ledger, request), charged(ledger)
    ledger.abandon(request, AT)
    known = {"abandoned"} if told else {"abandoned", "reserved"}
    right = weighs == before if found == "reserved" else weighs + RHO == before
    return found in known and right and charged(ledger) + RHO == before


def written_once(ledger: Ledger, request: str, told: bool, _before: Rho) -> bool:  # noqa: FBT001
    """There is an entry of it, or there is none and nobody was told."""
    events = [entry.event for entry in ledger.entries()]
    names = [getattr(event, name, None) for event in events for name in ("request", "reason")]
    return names.count(request) in ({1} if told else {0, 1})


def repaired_or_broken(ledger: Ledger, _request: str, told: bool, before: Rho) -> bool:  # noqa: FBT001
    """It is as broken as before or wholly repaired, and no loss is forgotten."""
    try:
        ledger.verify()
    except LedgerBroken:
        if told:
            return False
        ledger.repair(WHY, "ann", AT)
    return charged(ledger) >= before + RHO


ACTS = {
    "reserve": Act(do=reserve, holds=spent_if_in_flight, opening=True),
    "commit": Act(do=lambda lg, name: lg.commit(name, AT), holds=never_free, promised=True),
    "abandon": Act(do=lambda lg, name: lg.abandon(name, AT), holds=given_back_once, promised=True),
    "change": Act(do=change, holds=written_once),
    "decide": Act(do=decide, holds=written_once),
    "repair": Act(do=lambda lg, _: lg.repair(WHY, "ann", AT), holds=repaired_or_broken, cut=True),
}


def die_at(engine: sa.Engine, boundary: int) -> None:
    """Kill this process between two statements, or before a commit: at the n-th such place."""
    passed = 0

    def pass_one(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    for event in ("after_cursor_execute", "commit"):
        sa.event.listen(engine, event, pass_one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A database, a file for its head, and whose ledger is tried."""

    url: str
    head: Path
    kind: str
    engine: sa.Engine

    def opened(self) -> Ledger:
        """Open the honest ledger."""
        return Ledger(self.engine, head=self.head)

    def dies(self, act: Act, request: str, boundary: int) -> tuple[bool, bool]:
        """Let a fork act, tell, look and die; return whether it was killed and whether it told."""
        self.engine.dispose()  # a fork must not share connections
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            engine = open_database(self.url)
            if act.opening:
                die_at(engine, boundary)
            ledger = LEDGERS[self.kind](engine, head=self.head)
            if not act.opening:
                die_at(engine, boundary)
            act.do(ledger, request)
            os.write(writing, b"told")
            ledger.state("firm", AT)
            os._exit(0)
        os.close(writing)
        told = os.read(reading, 4) == b"told"
        os.close(reading)
        ended = os.waitpid(child, 0)[1]
        assert ended in (0, signal.SIGKILL)
        return ended == signal.SIGKILL, told

    def tried(self, name: str) -> tuple[dict[str, int], str]:
        """Kill one act at every boundary until it lives; return the counts and what was wrong."""
        act, killed, boundary = ACTS[name], True, 0
        counts, ledger = {"killed": 0, "killed after it told": 0}, self.opened()
        while killed:
            boundary += 1
            request = f"{name} {boundary}"
            if act.promised:
                reserve(ledger, request)
            before = charged(ledger)
            if act.cut:
                cut(ledger, request)
            killed, told = self.dies(act, request, boundary)
            counts["killed"] += killed
            counts["killed after it told"] += killed and told
            try:
                ledger = self.opened()
                if not act.holds(ledger, request, told, before):
                    return counts, f"{request}: does not hold"
                ledger.verify()
            except PrivacyError as error:
                return counts, f"{request}: {error}"
        return counts, ""


def main() -> None:
    """Try every act, or stop at the first wrong one."""
    url, head, kind = sys.argv[1:]
    fire = Fire(url=url, head=Path(head), kind=kind, engine=open_database(url))
    ledger = fire.opened()
    for pool in ("firm", "firm/risk"):
        ledger.open_pool(pool, Rho(50.0), DELTA, AT)
    counts, wrong = {}, ""
    for name in ACTS:
        counts[name], wrong = fire.tried(name)
        if wrong:
            break
    print(json.dumps({"counts": counts, "wrong": wrong}))  # noqa: T201 - the program's answer


if __name__ == "__main__":
    main()
