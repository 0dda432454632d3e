"""Carrying an accepted run out: permits, sessions, legs, releases; then ledger, label, end.

This is the ServerApp's half of the coordinator. It knows Flower only as an ``exchange`` function,
so a test drives it with nodes in its own process.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from consent.errors import ConsentError
from federation import layout
from federation.coordinator.desk import Desk, open_desk
from federation.coordinator.epochs import (
    ConsentKeys,
    load_consent_keys,
    load_signing_key,
    sealed_delta,
)
from federation.coordinator.labels import label
from federation.coordinator.results import question_result, training_result
from federation.coordinator.runs import Run
from federation.coordinator.settings import CoordinatorSettings
from federation.errors import (
    DepartmentMissing,
    DepartmentRefused,
    FederationError,
    RunInterrupted,
)
from federation.messages import Answer, Ask
from federation.plans import QuestionPlan, TrainingPlan, read_plan
from federation.roster import Roster, open_roster
from federation.rounds import Brief, Leg, ask_question, drive, legs_of, train_model
from federation.run_permit import Leg as LegName
from federation.run_permit import RunPermit, sign_permit
from models.errors import ModelError
from models.files import save
from privacy.errors import PrivacyError
from privacy.loss import Delta

SESSION_FRESH_S = 30
"""A department heard of within this time is asked at once; otherwise a hello comes first."""
TRIES = 2
_RETRY = frozenset({"session_unknown", "epoch_stale"})
_REFUSALS = (FederationError, ConsentError, PrivacyError, ModelError)

_log = structlog.get_logger(__name__)


class Exchange(Protocol):
    """Send one Ask to each department; return every answer, or raise DepartmentMissing."""

    def __call__(self, asks: Mapping[str, Ask], *, deadline_s: float) -> Mapping[str, Answer]:
        """Wait at most ``deadline_s`` seconds for all of them."""


@dataclass(slots=True, kw_only=True)
class Session:
    """What the coordinator last heard of one department's worker."""

    announcement: bytes
    epoch: int
    heard_at: float


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """The opened coordinator, with what it remembers of each department's session."""

    desk: Desk
    roster: Roster
    permit_key: Ed25519PrivateKey = field(repr=False)
    consent_keys: ConsentKeys = field(repr=False)
    exchange: Exchange
    now: Callable[[], float] = time.time
    sessions: dict[str, Session] = field(default_factory=dict)

    def carry_out_next(self) -> bool:
        """Take the oldest accepted run and bring it to its end; False if there is none."""
        run = self.desk.runs.take()
        if run is None:
            return False
        carry_out(run, self)
        return True


def open_dispatcher(settings: CoordinatorSettings, exchange: Exchange) -> Dispatcher:
    """Open the coordinator's keys and stores, and end the runs that an earlier process left."""
    desk = open_desk(settings)
    for run in desk.runs.orphans():
        _refuse(run, RunInterrupted(), desk, spent=True)
    roster = load_roster(settings.keys)
    return Dispatcher(
        desk=desk,
        roster=roster,
        permit_key=load_signing_key(settings.keys / "permit.key"),
        consent_keys=load_consent_keys(settings.consent_keys, roster.names),
        exchange=exchange,
    )


def load_roster(keys: Path) -> Roster:
    """Read the signed roster beside the pinned root key."""
    root: Any = load_pem_public_key((keys / "root.pub").read_bytes())
    return open_roster((keys / "roster.signed").read_bytes(), root)


def carry_out(run: Run, dispatcher: Dispatcher) -> None:
    """Bring one taken run to its end: released with a label, or refused with a reason.

    The reservation is committed when the release is made. It is given back only if no leg that
    spends was ever sent; whatever goes wrong later, it stays spent.
    """
    desk = dispatcher.desk
    plan = read_plan(run.plan)
    for attempt in range(TRIES):
        journey = _Attempt(run=run, plan=plan, number=TRIES * run.attempt + attempt)
        try:
            result, epoch = _release(journey, dispatcher)
        except DepartmentRefused as refusal:
            dispatcher.sessions.pop(refusal.department, None)
            if refusal.code in _RETRY and not journey.spent and attempt + 1 < TRIES:
                continue
            _refuse(run, refusal, desk, spent=journey.spent)
        except _REFUSALS as refusal:
            if isinstance(refusal, DepartmentMissing):
                for department in refusal.departments:
                    dispatcher.sessions.pop(department, None)
            _refuse(run, refusal, desk, spent=journey.spent)
        except Exception:
            _refuse(run, RunInterrupted(), desk, spent=True)
            raise
        else:
            at = datetime.now(UTC)
            desk.ledger.commit(run.id, at)
            delta = Delta(value=desk.policy.delta)
            tag = label(plan, run, delta=delta, epoch=epoch)
            desk.runs.end_released(run.id, result=result, label=tag, now=int(at.timestamp()))
            _log.info("released", run=run.id, plan=run.digest)
        return


@dataclass(slots=True, kw_only=True)
class _Attempt:
    run: Run
    plan: QuestionPlan | TrainingPlan
    number: int
    done: int = 0
    spent: bool = False


def _release(attempt: _Attempt, dispatcher: Dispatcher) -> tuple[dict[str, Any], int]:
    desk, plan = dispatcher.desk, attempt.plan
    deadline_s = desk.settings.deadline_s
    _greet(plan.cohort, dispatcher, deadline_s)
    if isinstance(plan, TrainingPlan):
        deadline_s = desk.settings.round_deadline_s
    head = desk.register.head()
    brief = Brief(
        plan=plan,
        attempt=attempt.number,
        catalogue=desk.catalogue,
        announcements={d: dispatcher.sessions[d].announcement for d in plan.cohort},
        permit=lambda leg, number: _permit(attempt, leg, number, head, dispatcher),
        consent=lambda department: _delta(department, head, dispatcher),
    )

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        fraction = attempt.done / legs_of(plan)
        desk.runs.report(attempt.run.id, progress=fraction, step=leg.step)
        attempt.spent = attempt.spent or leg.spends
        answers = dispatcher.exchange(leg.asks, deadline_s=deadline_s)
        attempt.done += 1
        _remember(answers, dispatcher)
        return answers

    if isinstance(plan, QuestionPlan):
        releases = drive(ask_question(brief), exchange)
        return question_result(plan, desk.catalogue, releases), head
    weights = drive(train_model(brief), exchange)
    architecture = layout.architecture_of(plan, desk.catalogue)
    path = desk.settings.models / f"{attempt.run.id}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, architecture, weights)
    return training_result(plan, architecture, path), head


def _greet(cohort: tuple[str, ...], dispatcher: Dispatcher, deadline_s: float) -> None:
    """Say hello to every department not heard of lately: spends nothing, and names who is down."""
    oldest = dispatcher.now() - SESSION_FRESH_S
    known = dispatcher.sessions
    asks = {d: Ask(leg="hello") for d in cohort if d not in known or known[d].heard_at < oldest}
    if not asks:
        return
    for department, answer in dispatcher.exchange(asks, deadline_s=deadline_s).items():
        if answer.code != "ok":
            raise DepartmentRefused(department, answer.code, answer.text)
        known[department] = Session(
            announcement=answer.announcement, epoch=answer.epoch, heard_at=dispatcher.now()
        )


def _remember(answers: Mapping[str, Answer], dispatcher: Dispatcher) -> None:
    for department, answer in answers.items():
        session = dispatcher.sessions[department]
        session.epoch, session.heard_at = answer.epoch, dispatcher.now()


def _permit(attempt: _Attempt, leg: LegName, number: int, head: int, dispatcher: Dispatcher) -> str:
    now = int(dispatcher.now())
    lifetime = max(dispatcher.desk.settings.deadline_s, dispatcher.desk.settings.round_deadline_s)
    permit = RunPermit(
        plan=attempt.run.digest,
        leg=leg,
        attempt=attempt.number,
        round=number,
        cohort=list(attempt.plan.cohort),
        reservation=attempt.run.id,
        epoch=head,
        issued_at=now,
        expires_at=now + int(lifetime),
        nonce=secrets.token_hex(16),
    )
    return sign_permit(permit, dispatcher.permit_key)


def _delta(department: str, head: int, dispatcher: Dispatcher) -> bytes:
    return sealed_delta(
        dispatcher.desk.register,
        department=department,
        after=dispatcher.sessions[department].epoch,
        head=head,
        keys=dispatcher.consent_keys,
        roster=dispatcher.roster,
        now=int(dispatcher.now()),
    )


def _refuse(run: Run, reason: Exception, desk: Desk, *, spent: bool) -> None:
    at = datetime.now(UTC)
    settle = desk.ledger.commit if spent else desk.ledger.abandon
    settle(run.id, at)
    code = getattr(reason, "code", None) or type(reason).__name__
    desk.runs.end_refused(run.id, code=code, text=str(reason), now=int(at.timestamp()))
    _log.info("refused", run=run.id, code=code, spent=spent)
