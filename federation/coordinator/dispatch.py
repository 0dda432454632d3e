"""Carrying an accepted run out: permits, sessions, legs, releases; then ledger, label, end.

This is the ServerApp's half of the coordinator. It knows Flower only as an ``exchange`` function,
so a test drives it with nodes in its own process.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import ConsentError
from federation.coordinator.approvals import opinions_on, settle_all
from federation.coordinator.desk import Desk, open_desk
from federation.coordinator.epochs import (
    ConsentKeys,
    load_consent_keys,
    load_signing_key,
    sealed_delta,
)
from federation.coordinator.evidence_log import (
    log_refusal,
    log_release,
    log_use,
    pinned_roster,
    publish,
    publish_if_grown,
)
from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.labels import Facts, label
from federation.coordinator.listening import LISTEN_S, listen
from federation.coordinator.policy import pool_of
from federation.coordinator.released import released
from federation.coordinator.runs import Run
from federation.coordinator.sessions import (
    Exchange,
    Sessions,
    gather_cosignatures,
    greet,
    remember,
)
from federation.coordinator.settings import CoordinatorSettings
from federation.errors import (
    DepartmentMissing,
    DepartmentRefused,
    FederationError,
    RunInterrupted,
)
from federation.messages import Answer
from federation.plans import AnyPlan, read_plan
from federation.roster import Roster
from federation.rounds import Brief, Leg, legs_of
from federation.run_permit import Leg as LegName
from federation.run_permit import RunPermit, sign_permit
from federation.training_plan import TrainingPlan
from models.errors import ModelError
from privacy.errors import LedgerConflict, PrivacyError, UnknownReservation
from privacy.loss import Delta, Rho
from privacy.mechanisms import LIBRARY

TEND_S = 10
"""While no run is there to take, the desk is tended this often."""
GATHER_S = 1
"""While no run is there to take, a new checkpoint of the log is offered this often."""
GATHER_DEADLINE_S = 2.0
"""An offer waits no longer than this, for a run that comes in meanwhile waits with it."""
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
        publish(self.desk.evidence)
        return True

    def alive(self, *, for_s: float = 0.0) -> None:
        """Leave a sign of life, good for so many seconds more than usual."""
        self.heartbeat.beat(until=int(self.now() + for_s) + ALIVE_S)

    def _gather(self) -> None:
        """While nobody waits, let the departments cosign what the log has published."""
        now = self.now()
        if now >= self.gathered_at + GATHER_S:
            gather_cosignatures(
                self.sessions,
                self.desk.evidence,
                self.exchange,
                now=now,
                deadline_s=GATHER_DEADLINE_S,
            )
            self.gathered_at = self.now()
        if now >= self.listened_at + LISTEN_S:
            self.listened_at = now
            listen(self.desk, self.roster.names, self.sessions, self.exchange, now=now)

    def _tend(self) -> None:
        """Now and then: a sign of life, a checkpoint, and an end to what has run out.

        Authorizations that have ended are closed without this: it writes their end down.
        """
        if self.now() >= self.tended_at + TEND_S:
            self.alive()
            publish_if_grown(self.desk.evidence)
            self.tended_at = self.now()
            self.desk.register.expire(datetime.now(UTC))
            try:
                settle_all(self.desk, datetime.now(UTC))
            except PrivacyError as error:  # the ledger's: whoever asks next is told
                _log.error("approvals wait", error=type(error).__name__)


def open_dispatcher(settings: CoordinatorSettings, exchange: Exchange) -> Dispatcher:
    """Open the coordinator's keys and stores, and end the runs that an earlier process left."""
    desk = open_desk(settings)
    for run in desk.runs.orphans():
        _refuse(run, RunInterrupted(), desk, spent=True)
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
            facts = Facts(
                run=run.id,
                delta=Delta(value=desk.policy.delta),
                epoch=epoch,
                released_at=int(at.timestamp()),
                library=LIBRARY,
                opinions=opinions_on(run, desk),
                result=result,
            )
            tag = label(plan, desk.catalogue, facts)
            tag["log_index"] = log_release(
                desk.evidence, run, result=result, label=tag, at=facts.released_at
            )
            desk.runs.end_released(run.id, result=result, label=tag, now=facts.released_at)
            _log.info("released", run=run.id, plan=run.digest)
        return


@dataclass(slots=True, kw_only=True)
class _Attempt:
    run: Run
    plan: AnyPlan
    number: int
    done: int = 0
    spent: bool = False


def _release(attempt: _Attempt, dispatcher: Dispatcher) -> tuple[dict[str, Any], int]:
    desk, plan = dispatcher.desk, attempt.plan
    pool, rho = pool_of(plan.purpose), Rho(value=plan.rho)
    desk.ledger.reserve(
        pool, rho, attempt.run.id, datetime.now(UTC)
    )  # it is, unless a repair lost it
    deadline_s = desk.settings.deadline_s
    evidence, sessions, now = desk.evidence, dispatcher.sessions, dispatcher.now()
    greet(plan.parties, sessions, evidence, dispatcher.exchange, now=now, deadline_s=deadline_s)
    desk.data_epochs.note_all(sessions)
    desk.runs.note_data(attempt.run.id, {d: sessions[d].data for d in plan.cohort})
    if isinstance(plan, TrainingPlan):
        deadline_s = desk.settings.round_deadline_s
    head = desk.register.head()
    brief = Brief(
        plan=plan,
        attempt=attempt.number,
        catalogue=desk.catalogue,
        announcements={d: sessions[d].announcement for d in plan.parties},
        permit=lambda leg, number: _permit(attempt, leg, number, head, dispatcher),
        consent=lambda department: _delta(department, head, dispatcher),
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


def _refuse(run: Run, reason: Exception, desk: Desk, *, spent: bool) -> None:
    at = datetime.now(UTC)
    settle = desk.ledger.commit if spent else desk.ledger.abandon
    with suppress(UnknownReservation, LedgerConflict):  # a repair has charged it with what was lost
        settle(run.id, at)
    code = getattr(reason, "code", None) or type(reason).__name__
    log_refusal(desk.evidence, run, code=code, spent=spent, at=int(at.timestamp()))
    desk.runs.end_refused(run.id, code=code, text=str(reason), now=int(at.timestamp()))
    _log.info("refused", run=run.id, code=code, spent=spent)
