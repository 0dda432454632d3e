"""One plan's journey as a sans-I/O machine: legs go out, answers come in, releases come out.

Each journey is a generator. It yields a :class:`Leg`, is sent the departments' answers, and returns
what was released; it never sees a socket, a clock or a row. Read a journey from top to bottom.
"""

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation import layout
from federation.alignment import TOKEN_BYTES, owners
from federation.errors import DepartmentRefused, ProtocolError
from federation.messages import Answer, Ask
from federation.plans import QuestionPlan, TrainingPlan, canonical, digest
from federation.run_permit import Leg as LegName
from federation.secure_aggregation.protocol import MaskedVector, combine
from federation.updates import decode_update, update_size
from privacy.lattice import IntVector
from privacy.mechanisms import Release, release
from privacy.units import NeighboringRelation

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
    announcements: the cohort's signed session keys by department, each as JSON.
    """

    plan: QuestionPlan | TrainingPlan
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
    ) -> Leg:
        """Write the same leg to every department of the cohort."""
        permit = self.permit(name, number)
        announced = join_announcements(self.announcements[d] for d in self.plan.cohort)
        asks = {
            department: Ask(
                leg=name,
                permit=permit,
                plan=canonical(self.plan),
                announcements=announced,
                consent=self.consent(department),
                payload=(payloads or {}).get(department, b""),
            )
            for department in self.plan.cohort
        }
        return Leg(step=step, asks=asks, spends=name in {"sum", "round"})


Journey = Generator[Leg, Answers, Result]


def legs_of(plan: QuestionPlan | TrainingPlan) -> int:
    """Return how many legs a plan takes, the one that spends nothing included."""
    return 1 + (plan.rounds if isinstance(plan, TrainingPlan) else 1)


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


def ask_question(brief: Brief) -> Journey[tuple[Release, ...]]:
    """Ask one question: find each client's owner if the plan wants it, then add the masked sums.

    Returns one Release per block of the plan's layout: the count, then each mean's total.
    """
    plan = brief.plan
    if not isinstance(plan, QuestionPlan):
        raise ProtocolError("this journey is a question's")
    owned: dict[str, bytes] = {}
    if not plan.owned:
        yield from _checked(brief)
    else:
        leg = brief.leg("tokens", step="finding each client's owner")
        answers = accepted(leg, (yield leg))
        lists = {d: _tokens(answer.payload) for d, answer in answers.items()}
        owned = {d: np.packbits(bits).tobytes() for d, bits in owners(lists).items()}
    leg = brief.leg("sum", step="adding the departments' noised sums", payloads=owned)
    answers = accepted(leg, (yield leg))
    blocks = layout.question_blocks(plan, brief.catalogue)
    noised = noised_sum(brief, 0, answers, size=sum(block.size for block in blocks))
    return tuple(
        release(
            block.name,
            noised[block.places],
            sensitivity=block.sensitivity,
            scale=block.scale,
            rho=plan.rho_per_statistic,
            unit=plan.unit,
            relation=NeighboringRelation.ADD_OR_REMOVE,
            bound=plan.bound,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
        )
        for block in blocks
    )


def train_model(brief: Brief) -> Journey[npt.NDArray[np.float64]]:
    """Train one shared model: every round sends the weights out and averages what comes back.

    The weights of the last half of the rounds are averaged (DESIGN section 9). Each department's
    update is private by itself before it is masked, so the weights may be published as they are.

    Returns float64 [d], in the order of :mod:`models.parameters`.
    """
    plan = brief.plan
    if not isinstance(plan, TrainingPlan):
        raise ProtocolError("this journey is a training's")
    from models.parameters import initial_vector  # noqa: PLC0415 - torch, and only trainings need it

    architecture = layout.architecture_of(plan, brief.catalogue)
    weights = initial_vector(architecture)
    yield from _checked(brief)
    kept: list[npt.NDArray[np.float64]] = []
    for number in range(plan.rounds):
        sent = dict.fromkeys(plan.cohort, weights.astype("<f8").tobytes())
        step = f"round {number + 1} of {plan.rounds}"
        leg = brief.leg("round", number=number, step=step, payloads=sent)
        answers = accepted(leg, (yield leg))
        total = noised_sum(brief, number, answers, size=update_size(architecture))
        weights = decode_update(architecture, total)
        if number >= plan.rounds // 2:
            kept.append(weights)
    average: npt.NDArray[np.float64] = np.mean(kept, axis=0)
    return average


def _checked(brief: Brief) -> Journey[None]:
    leg = brief.leg("check", step="asking every department whether it agrees")
    accepted(leg, (yield leg))


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


def _tokens(payload: bytes) -> npt.NDArray[np.uint8]:
    if len(payload) % TOKEN_BYTES:
        raise ProtocolError("a list of alignment tokens has a broken length")
    return np.frombuffer(payload, dtype=np.uint8).reshape(-1, TOKEN_BYTES)
