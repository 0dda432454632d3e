"""Carrying an accepted run out: permits, sessions, legs, releases; then ledger, label, end.

This is the ServerApp's half of the coordinator. It knows Flower only as an ``exchange`` function,
so a test drives it with nodes in its own process.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import ConsentError
from federation.coordinator.desk import Desk, open_desk
from federation.coordinator.endings import end_refused, end_released
from federation.coordinator.epochs import (
    ConsentKeys,
    load_consent_keys,
    load_signing_key,
    sealed_delta,
)
from federation.coordinator.evidence_log import (
    log_use,
    pinned_roster,
    publish,
    publish_if_grown,
)
from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.listening import LISTEN_S, listen
from federation.coordinator.policy import pool_of
from federation.coordinator.released import released
from federation.coordinator.runs import Run, RunState
from federation.coordinator.sessions import (
    Exchange,
    Sessions,
    forget,
    gather_cosignatures,
    greet,
    remember,
)
from federation.coordinator.settings import CoordinatorSettings
from federation.coordinator.tending import after_a_run, tend
from federation.coordinator.trainings import Trainings
from federation.cube_plan import CubePlan
from federation.errors import DepartmentMissing, FederationError, RunInterrupted
from federation.messages import Answer
from federation.plans import AnyPlan, read_plan
from federation.roster import Roster
from federation.rounds import Brief, Leg, legs_of
from federation.run_permit import RESUMPTIONS, RunPermit, sign_permit
from federation.run_permit import Leg as LegName
from federation.training_plan import TrainingPlan
from models.errors import ModelError
from privacy.errors import PrivacyError
from privacy.loss import Rho

TEND_S = 10
"""While no run is there to take, the desk is tended this often."""
GATHER_S, GATHER_LATEST_S = 1, 30
"""A new checkpoint of the log is offered once no run was there to take for so long; and where runs
follow each other faster than that, between two of them, this long after the last offer."""
ALIVE_S = 60
"""A sign of life is good for this long, and for the leg that is being waited for."""
TRIES = 2
_RETRY = frozenset({"session_unknown", "epoch_stale"})
_REFUSALS = (FederationError, ConsentError, PrivacyError, ModelError)

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """The opened coordinator, with what it remembers of each department's session."""

    desk: Desk
    roster: Roster
    permit_key: Ed25519PrivateKey = field(repr=False)
    consent_keys: ConsentKeys = field(repr=False)
    exchange: Exchange
    heartbeat: Heartbeat
    now: Callable[[], float] = time.time
    sessions: Sessions = field(default_factory=dict)
    tended_at: float = 0.0
    ended_at: float = 0.0
    gathered_at: float = 0.0
    listened_at: float = 0.0

    def carry_out_next(self) -> bool:
        """Take the oldest accepted run and bring it to its end; False if there is none."""
        self._tend()
        run = self.desk.runs.take()
        if run is None:
            self._gather()
            return False
        carry_out(run, self)
        after_a_run(self.desk, datetime.now(UTC))
        publish(self.desk.evidence)
        self.ended_at = self.now()
        return True

    def alive(self, *, for_s: float = 0.0) -> None:
        """Leave a sign of life, good for so many seconds more than usual."""
        self.heartbeat.beat(until=int(self.now() + for_s) + ALIVE_S)

    def _gather(self) -> None:
        """While nobody waits, let the departments cosign what the log has published."""
        now = self.now()
        paused = min(self.ended_at + GATHER_S, self.gathered_at + GATHER_LATEST_S)
        if now >= max(paused, self.gathered_at + GATHER_S):
            gather_cosignatures(self.sessions, self.desk.evidence, self.exchange, now=now)
            self.gathered_at = self.now()
        if now >= self.listened_at + LISTEN_S:
            self.listened_at = now
            listen(
                self.desk,
                self.roster.names,
                self.sessions,
                self.exchange,
                consent=lambda department: _delta(department, self.desk.register.head(), self),
                now=now,
            )

    def _tend(self) -> None:
        """Now and then: a sign of life, a checkpoint, and what the desk itself has to do."""
        if self.now() >= self.tended_at + TEND_S:
            self.alive()
            publish_if_grown(self.desk.evidence)
            self.tended_at = self.now()
            tend(self.desk, datetime.now(UTC))


def open_dispatcher(settings: CoordinatorSettings, exchange: Exchange) -> Dispatcher:
    """Open the coordinator's keys and stores, and end the runs that an earlier process left."""
    desk = open_desk(settings)
    trainings = Trainings(desk.engine)
    for run in desk.runs.orphans():
        if trainings.underway(run.id) is None:
            end_refused(run, RunInterrupted(), desk, spent=True)
        else:
            trainings.interrupted(run.id)
            desk.runs.accept(run.id, since=RunState.RUNNING)
    roster = pinned_roster(settings.keys)
    return Dispatcher(
        desk=desk,
        roster=roster,
        permit_key=load_signing_key(settings.keys / "permit.key"),
        consent_keys=load_consent_keys(settings.consent_keys, roster.names),
        exchange=exchange,
        heartbeat=Heartbeat(desk.engine),
    )


def carry_out(run: Run, dispatcher: Dispatcher) -> None:
    """Bring one taken run to its end: released with a label, or refused with a reason.

    The reservation is committed when the release is made. It is given back only if no leg that
    spends was ever sent; whatever goes wrong later, it stays spent.
    """
    desk, plan = dispatcher.desk, read_plan(run.plan)
    for number in count():
        attempt = _attempt(run, plan, desk, number)
        try:
            result, epoch = _release(attempt, dispatcher)
        except _REFUSALS as refusal:
            forget(refusal, dispatcher.sessions)
            if _goes_on(refusal, attempt, desk, number):
                continue
            end_refused(run, refusal, desk, spent=attempt.spent)
        except Exception:
            end_refused(run, RunInterrupted(), desk, spent=True)
            raise
        else:
            end_released(run, plan, desk, result=result, epoch=epoch)
        return


@dataclass(slots=True, kw_only=True)
class _Attempt:
    run: Run
    plan: AnyPlan
    number: int
    done: int = 0
    spent: bool = False


def _attempt(run: Run, plan: AnyPlan, desk: Desk, number: int) -> _Attempt:
    """Begin an attempt; a training that is under way goes on under the one that nodes know."""
    found = Trainings(desk.engine).underway(run.id)
    if found is None:
        return _Attempt(run=run, plan=plan, number=TRIES * run.attempt + number)
    return _Attempt(run=run, plan=plan, number=found.attempt, done=1 + found.asked, spent=True)


def _goes_on(refusal: Exception, attempt: _Attempt, desk: Desk, number: int) -> bool:
    """Say whether a run is tried again: what cost nothing once, and a training that can go on.

    A training whose department stays away, or that cannot go on, stops: it releases what was paid.
    """
    code = getattr(refusal, "code", "")
    trainings, run = Trainings(desk.engine), attempt.run.id
    found = trainings.underway(run)
    if found is None:
        return code in _RETRY and not attempt.spent and number + 1 < TRIES
    if trainings.stopped(run):
        return False
    away = refusal.departments if isinstance(refusal, DepartmentMissing) else ()
    trainings.interrupted(run, missing=away)
    if (away or code in _RETRY) and found.interruptions + 2 < RESUMPTIONS:
        return True
    if found.done:
        trainings.stop(run)
    return bool(found.done)


def _release(attempt: _Attempt, dispatcher: Dispatcher) -> tuple[dict[str, Any], int]:
    desk, plan = dispatcher.desk, attempt.plan
    pool, rho = pool_of(plan.purpose), Rho(value=plan.rho)
    desk.ledger.reserve(pool, rho, attempt.run.id, datetime.now(UTC))  # a repair may have lost it
    deadline_s = desk.settings.deadline_s
    evidence, sessions, now = desk.evidence, dispatcher.sessions, dispatcher.now()
    stopped = Trainings(desk.engine).stopped(attempt.run.id)
    parties = () if stopped else plan.parties  # then nobody is asked anything more
    greet(parties, sessions, evidence, dispatcher.exchange, now=now, deadline_s=deadline_s)
    desk.data_epochs.note_all(sessions)
    desk.runs.note_data(attempt.run.id, {d: sessions[d].data for d in parties if d in plan.cohort})
    if isinstance(plan, TrainingPlan | CubePlan):
        deadline_s = desk.settings.round_deadline_s
    head = desk.register.head()
    newest = desk.register.head if isinstance(plan, CubePlan) else lambda: head
    brief = Brief(
        plan=plan,
        attempt=attempt.number,
        catalogue=desk.catalogue,
        announcements={d: sessions[d].announcement for d in parties},
        permit=lambda leg, number: _permit(attempt, leg, number, head, dispatcher),
        consent=lambda department: _delta(department, newest(), dispatcher),
    )

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        fraction = attempt.done / legs_of(plan)
        desk.runs.report(attempt.run.id, progress=fraction, step=leg.step)
        dispatcher.alive(for_s=deadline_s)
        if not attempt.done:
            log_use(
                evidence,
                attempt.run,
                attempt=attempt.number,
                epoch=head,
                cohort=plan.cohort,
                at=int(dispatcher.now()),
            )
        attempt.spent = attempt.spent or leg.spends
        answers = dispatcher.exchange(leg.asks, deadline_s=deadline_s)
        attempt.done += 1
        remember(answers, sessions, now=dispatcher.now())
        return answers

    return released(brief, exchange, attempt.run, desk), head


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
