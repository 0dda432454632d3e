"""Monitors at work: priced and reserved for the whole period, then ticked by the ServerApp.

The ledger holds one reservation for the ticks that are to come. A tick gives it back, asks the
question (which reserves its own ρ, or nothing if it was answered already), and reserves the rest
again. A monitor is ticked by one process, in order.
"""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from consent.errors import ConsentError
from federation.coordinator.changes import changes
from federation.coordinator.desk import Desk, check, needs_approval, plan_of, submit
from federation.coordinator.errors import MonitorRefused
from federation.coordinator.monitors import Monitor, Monitors, MonitorState
from federation.coordinator.policy import pool_of
from federation.coordinator.runs import RunState
from federation.errors import FederationError
from federation.question_plan import QuestionPlan
from privacy.errors import LedgerConflict, PrivacyError, UnknownReservation
from privacy.loss import Rho

_REFUSALS = (FederationError, ConsentError, PrivacyError)


def watch(
    request: Mapping[str, object],
    desk: Desk,
    *,
    asker: str,
    every_s: int,
    ticks: int,
    false_alarm_rate: float,
    now: datetime | None = None,
) -> Monitor:
    """Save a question with a schedule; the ρ of all its ticks is reserved, or it is refused.

    Args:
        request: a question as for plan_of, with its price.
        desk: checks, prices and reserves.
        asker: whose monitor it is.
        every_s: seconds between ticks; the first is due at once.
        ticks: how many, at least 2: a change is between two.
        false_alarm_rate: see ``changes``.
        now: with a time zone.

    Raises:
        MonitorRefused: no question, or a tick that would wait for two people's approval.
        PlanInvalid, PurposeNotOpen and the like: as submit. BudgetExceeded: by the ledger.
    """
    at = now or datetime.now(UTC)
    plan = plan_of(request, desk)
    if not isinstance(plan, QuestionPlan):
        raise MonitorRefused("only a question can be watched")
    check(plan, desk)
    if needs_approval(plan, desk):
        raise MonitorRefused("one tick costs more than one person may spend")
    monitor = Monitor(
        id=secrets.token_hex(8),
        asker=asker,
        request=dict(request),
        rho=plan.rho,
        every_s=every_s,
        ticks=ticks,
        false_alarm_rate=false_alarm_rate,
        next_at=int(at.timestamp()),
        begun=0,
        state=MonitorState.WATCHING,
        history=[],
    )
    _hold(monitor, desk, at)
    Monitors(desk.engine).add(monitor)
    return monitor


def stop(monitor: str, desk: Desk, *, now: datetime | None = None) -> Monitor:
    """End a monitor and give back what its further ticks would cost.

    Raises:
        MonitorUnknown: there is none.
    """
    monitors = Monitors(desk.engine)
    found = monitors.get(monitor)
    if monitors.move(found, state=MonitorState.STOPPED):
        _let_go(found, desk, now or datetime.now(UTC))
    return monitors.get(monitor)


def tick_all(desk: Desk, at: datetime) -> None:
    """Begin the ticks that are due, and look at those whose runs have ended."""
    monitors = Monitors(desk.engine)
    for monitor in monitors.all():
        seen = _look(monitor, desk)
        if seen != monitor.history:
            monitors.move(monitor, history=seen)
        if monitor.state is MonitorState.WATCHING and monitor.next_at <= int(at.timestamp()):
            _tick(monitors.get(monitor.id), monitors, desk, at)


def _tick(monitor: Monitor, monitors: Monitors, desk: Desk, at: datetime) -> None:
    seconds, begun = int(at.timestamp()), monitor.begun + 1
    last = begun >= monitor.ticks
    if not monitors.move(
        monitor,
        begun=begun,
        next_at=seconds + monitor.every_s,
        state=MonitorState.ENDED if last else MonitorState.WATCHING,
    ):
        return
    moved = monitors.get(monitor.id)
    _let_go(monitor, desk, at)
    entry: dict[str, Any] = {"at": seconds, "run": None, "changes": None, "refusal": None}
    try:
        run = submit(plan_of(monitor.request, desk), desk, asker=monitor.asker, now=at).run
        entry["run"] = run.id
        if not last:
            _hold(moved, desk, at)
    except _REFUSALS as refusal:
        entry["refusal"] = type(refusal).__name__
        monitors.move(moved, state=MonitorState.REFUSED, history=[*monitor.history, entry])
        return
    monitors.move(moved, history=[*monitor.history, entry])


def _look(monitor: Monitor, desk: Desk) -> list[dict[str, Any]]:
    """Compare each tick's answer with the one before it, once both are there."""
    seen: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for entry in monitor.history:
        now = dict(entry)
        run = None if now["run"] is None else desk.runs.get(now["run"])
        if run is not None and run.state is RunState.RELEASED and run.result is not None:
            if now["changes"] is None:
                now["changes"] = (
                    []
                    if before is None or before["rows"] == run.result["rows"]
                    else changes(before, run.result, false_alarm_rate=monitor.false_alarm_rate)
                )
            before = run.result
        elif run is not None and run.state is RunState.REFUSED:
            now["refusal"] = (run.refusal or {}).get("code", "refused")
        seen.append(now)
    return seen


def _hold(monitor: Monitor, desk: Desk, at: datetime) -> None:
    rest = Rho(monitor.rho).times(monitor.ticks - monitor.begun)
    pool = pool_of(str(monitor.request["purpose"]))
    desk.ledger.reserve(pool, rest, monitor.reservation, at)


def _let_go(monitor: Monitor, desk: Desk, at: datetime) -> None:
    with suppress(UnknownReservation, LedgerConflict):  # a crash in between has let it go
        desk.ledger.abandon(monitor.reservation, at)
