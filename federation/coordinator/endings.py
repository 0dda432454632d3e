"""How a run ends: released with a label, or refused with a reason; the ledger is settled first."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from federation.coordinator.approvals import opinions_on
from federation.coordinator.desk import Desk
from federation.coordinator.evidence_log import log_refusal, log_release
from federation.coordinator.labels import Facts, label
from federation.coordinator.runs import Run, RunState
from federation.plans import AnyPlan
from privacy.errors import LedgerConflict, UnknownReservation
from privacy.loss import Delta
from privacy.mechanisms import LIBRARY

_log = structlog.get_logger(__name__)


def end_released(
    run: Run, plan: AnyPlan, desk: Desk, *, result: Mapping[str, Any], epoch: int
) -> None:
    """Commit the reservation; keep what was released with its label, and log it."""
    at = datetime.now(UTC)
    desk.ledger.commit(run.id, at)
    found = dict(result)
    facts = Facts(
        run=run.id,
        delta=Delta(value=desk.policy.delta),
        epoch=epoch,
        released_at=int(at.timestamp()),
        library=LIBRARY,
        opinions=opinions_on(run, desk),
        result=found,
    )
    tag = label(plan, desk.catalogue, facts)
    tag["log_index"] = log_release(
        desk.evidence, run, result=found, label=tag, at=facts.released_at
    )
    desk.runs.end_released(run.id, result=found, label=tag, now=facts.released_at)
    _log.info("released", run=run.id, plan=run.digest)


def end_refused(
    run: Run,
    reason: Exception,
    desk: Desk,
    *,
    spent: bool,
    since: RunState = RunState.RUNNING,
) -> None:
    """Keep why nothing was released; the reservation is given back unless it may be ``spent``."""
    at = datetime.now(UTC)
    settle = desk.ledger.commit if spent else desk.ledger.abandon
    with suppress(UnknownReservation, LedgerConflict):  # a repair has charged it with what was lost
        settle(run.id, at)
    code = getattr(reason, "code", None) or type(reason).__name__
    log_refusal(desk.evidence, run, code=code, spent=spent, at=int(at.timestamp()))
    desk.runs.end_refused(run.id, code=code, text=str(reason), now=int(at.timestamp()), since=since)
    _log.info("refused", run=run.id, code=code, spent=spent)
