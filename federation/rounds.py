"""One plan's journey as a sans-I/O machine: legs go out, answers come in, releases come out.

Each kind of plan has a journey in a file of its own (question_journey, training_journey). It is a
generator: it yields a :class:`Leg`, is sent the departments' answers and returns what was released.
It never sees a socket, a clock or a row. Read a journey from top to bottom.
"""

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from consent.catalogue import Catalogue
from federation.alignment import owners, read_tokens
from federation.errors import DepartmentRefused, ProtocolError
from federation.messages import Answer, Ask
from federation.plans import AnyPlan, canonical, digest
from federation.run_permit import FREE
from federation.run_permit import Leg as LegName
from federation.secure_aggregation.protocol import MaskedVector, combine
from privacy.lattice import IntVector

Answers = Mapping[str, Answer]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One Message to each department and its reply. ``step`` says it in words for the asker."""

    step: str
    asks: Mapping[str, Ask]
    spends: bool
    """Whether an answer carries noised data: from then on the reservation is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What every leg of one run carries beside its own payload. All public but the sealed deltas.

    permit: signs one leg and round of this run. consent: the sealed epoch delta of a department.
    announcements: the parties' signed session keys by department, each as JSON.
    """

    plan: AnyPlan
    attempt: int
    catalogue: Catalogue
    announcements: Mapping[str, bytes]
    permit: Callable[[LegName, int], str]
    consent: Callable[[str], bytes]

    def leg(
        self,
        name: LegName,
        *,
        step: str,
        number: int = 0,
        payloads: Mapping[str, bytes] | None = None,
        helped: bool = False,
    ) -> Leg:
        """Write the same leg to every department of the cohort, and if helped to its helper."""
        permit = self.permit(name, number)
        announced = join_announcements(self.announcements[d] for d in self.plan.parties)
        asks = {
            department: Ask(
                leg=name,
                permit=permit,
                plan=canonical(self.plan),
                announcements=announced,
                consent=self.consent(department),
                payload=(payloads or {}).get(department, b""),
            )
            for department in (self.plan.parties if helped else self.plan.cohort)
        }
        return Leg(step=step, asks=asks, spends=name not in FREE)


Journey = Generator[Leg, Answers, Result]


def legs_of(plan: AnyPlan) -> int:
    """Return how many legs a plan takes, the one that spends nothing included."""
    return sum(plan.legs.values())


def drive(journey: Journey[Result], exchange: Callable[[Leg], Answers]) -> Result:
    """Carry a journey's legs out with ``exchange`` until it returns its result.

    Args:
        journey: one of this module's.
        exchange: sends a leg and returns one answer from every department asked, or raises
            DepartmentMissing.

    Raises:
        DepartmentMissing, DepartmentRefused, ProtocolError: the attempt is over.
    """
    try:
        leg = next(journey)
        while True:
            leg = journey.send(exchange(leg))
    except StopIteration as done:
        result: Result = done.value
        return result


def agreed(brief: Brief, *, owned: bool, number: int = 0) -> Journey[dict[str, bytes]]:
    """Ask every department whether it would carry the plan out; a refusal costs nothing.

    Args:
        brief: of the run.
        owned: whether every client is to have one owner among the departments that know them.
        number: how often this attempt was asked before.

    Returns:
        in an owned plan for each department np.packbits of one flag per token it sent; else empty.
    """
    if not owned:
        leg = brief.leg("check", step="asking every department whether it agrees", number=number)
        accepted(leg, (yield leg))
        return {}
    leg = brief.leg("tokens", step="finding each client's owner", number=number)
    answers = accepted(leg, (yield leg))
    lists = {department: read_tokens(answer.payload) for department, answer in answers.items()}
    return {d: np.packbits(bits).tobytes() for d, bits in owners(lists).items()}


def accepted(leg: Leg, answers: Answers) -> Answers:
    """Return the answers if every department asked has answered this leg, and none has refused.

    Raises:
        DepartmentRefused: names who refused, and why.
        ProtocolError: an answer is missing, to another leg or in another department's name.
    """
    if set(leg.asks) != set(answers):
        raise ProtocolError("there is not one answer from each department asked")
    for department, answer in answers.items():
        if answer.department != department or answer.leg != leg.asks[department].leg:
            raise ProtocolError(f"{department} answered in another name or to another leg")
        if answer.code != "ok":
            raise DepartmentRefused(department, answer.code, answer.text)
    return answers


def noised_sum(brief: Brief, number: int, answers: Answers, *, size: int) -> IntVector:
    """Add the cohort's masked vectors: masks cancel, the noised integer sum of ``size`` remains."""
    if any(len(answer.payload) != 8 * size for answer in answers.values()):
        raise ProtocolError("a department answered with a vector of another length")
    vectors = [
        MaskedVector(
            plan=digest(brief.plan),
            attempt=brief.attempt,
            round=number,
            cohort=brief.plan.cohort,
            department=department,
            agreement=answer.agreement,
            values=np.frombuffer(answer.payload, dtype="<u8"),
        )
        for department, answer in answers.items()
    ]
    return combine(vectors, brief.plan.cohort)


def join_announcements(announcements: Iterable[bytes]) -> bytes:
    """Put the cohort's announcements into one JSON list."""
    return json.dumps([json.loads(a) for a in announcements], separators=(",", ":")).encode()
