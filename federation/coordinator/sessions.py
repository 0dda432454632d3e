"""What the coordinator remembers of each department's worker, and how it greets them.

A greeting spends nothing. It names who is down, and carries the log's checkpoints to its witnesses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from federation.coordinator.evidence_log import Evidence
from federation.coordinator.witnessing import hello_with_offer, keep_answers, newest
from federation.errors import DepartmentMissing, DepartmentRefused, FederationError
from federation.messages import Answer, Ask

SESSION_FRESH_S = 30
"""A department heard of within this time is asked at once; otherwise a hello comes first."""
OFFER_DEADLINE_S = 2.0
"""How long an offer of a checkpoint waits for its answers."""


class Exchange(Protocol):
    """Send one Ask to each department; return every answer, or raise DepartmentMissing."""

    def __call__(self, asks: Mapping[str, Ask], *, deadline_s: float) -> Mapping[str, Answer]:
        """Wait at most ``deadline_s`` seconds for all of them."""


@dataclass(slots=True, kw_only=True)
class Session:
    """What the coordinator last heard of one department's worker.

    consented_at: when it last took what was new in the register; 0 if it did not yet.
    witnessed: the size of the log that the department has cosigned last. data: its data epoch.
    """

    announcement: bytes
    epoch: int
    heard_at: float
    consented_at: float = 0.0
    witnessed: int = 0
    data: str = ""


Sessions = dict[str, Session]


def greet(
    cohort: Iterable[str],
    sessions: Sessions,
    evidence: Evidence,
    exchange: Exchange,
    *,
    now: float,
    deadline_s: float,
) -> None:
    """Say hello to every department not heard of lately: spends nothing, and names who is down.

    Raises:
        DepartmentMissing, DepartmentRefused: by name.
    """
    oldest = now - SESSION_FRESH_S
    strange = [d for d in cohort if d not in sessions or sessions[d].heard_at < oldest]
    _hello(strange, sessions, evidence, exchange, now=now, deadline_s=deadline_s)


def gather_cosignatures(
    sessions: Sessions, evidence: Evidence, exchange: Exchange, *, now: float
) -> None:
    """Offer a new checkpoint to the departments that have a session; whoever fails loses it.

    For moments in which no run waits; one that comes in meanwhile waits for the offer.
    """
    found = newest(evidence)
    if found is None:
        return
    behind = [d for d, session in sessions.items() if session.witnessed != found[0]]
    heard = {h.department: h for h in evidence.witnesses.all()}
    waiting = [d for d in behind if d not in heard or not heard[d].refusal]
    try:
        _hello(waiting, sessions, evidence, exchange, now=now, deadline_s=OFFER_DEADLINE_S)
    except DepartmentMissing as missing:
        for department in missing.departments:
            sessions.pop(department, None)
    except FederationError:
        for department in waiting:
            sessions.pop(department, None)


def remember(answers: Mapping[str, Answer], sessions: Sessions, *, now: float) -> None:
    """Note the epoch each department holds after an ask that brought one, and when that was."""
    for department, answer in answers.items():
        session = sessions[department]
        session.epoch, session.heard_at, session.consented_at = answer.epoch, now, now


def forget(refusal: Exception, sessions: Sessions) -> None:
    """Let a department that refused or kept silent be greeted again."""
    one = getattr(refusal, "department", "")
    for department in getattr(refusal, "departments", None) or (one,):
        sessions.pop(department, None)


def _hello(
    departments: Iterable[str],
    sessions: Sessions,
    evidence: Evidence,
    exchange: Exchange,
    *,
    now: float,
    deadline_s: float,
) -> None:
    witnessed = {d: s.witnessed for d, s in sessions.items()}
    asks = {d: hello_with_offer(evidence, witnessed=witnessed.get(d)) for d in departments}
    if not asks:
        return
    answers = exchange(asks, deadline_s=deadline_s)
    for department, answer in answers.items():
        if answer.code != "ok":
            raise DepartmentRefused(department, answer.code, answer.text)
        before = sessions.get(department)
        same = before is not None and before.announcement == answer.announcement
        sessions[department] = Session(
            announcement=answer.announcement,
            epoch=answer.epoch,
            heard_at=now,
            consented_at=before.consented_at if before is not None and same else 0.0,
            witnessed=answer.witnessed,
            data=answer.data,
        )
    keep_answers(evidence, asks, answers, now=int(now))
