"""The wire of monitors: saved questions with a schedule, and the changes they found."""

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, JsonValue

from api.plan_requests import QuestionRequest
from api.wire import Wire
from federation.coordinator.monitors import Monitor, MonitorState


class MonitorRequest(Wire):
    """A question to ask again and again; ρ of all ticks is reserved at once, or it is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "question": {
                    "purpose": "preference_insight",
                    "statistics": [{"kind": "mean", "field": "credit_limit_ntd"}],
                    "by": ["age"],
                    "rho": 0.002,
                    "reason": "does the portfolio move away from where it was",
                },
                "every_s": 604800,
                "ticks": 12,
                "false_alarm_rate": 0.01,
            }
        }
    )

    question: QuestionRequest
    every_s: int = Field(ge=60, le=366 * 24 * 3600, description="seconds between ticks")
    ticks: int = Field(ge=2, le=1000, description="the first is due at once")
    false_alarm_rate: float = Field(
        default=0.01, gt=0, lt=0.5, description="how often a tick alerts though nothing changed"
    )


class TickView(Wire):
    """One tick: its run, and the figures that changed since the one before; null: not known yet."""

    at: datetime
    run: str | None
    changes: list[dict[str, JsonValue]] | None
    refusal: str | None


class MonitorView(Wire):
    """One monitor and its ticks. ``alert``: the last tick that is known found a change."""

    id: str
    asker: str
    question: dict[str, Any]
    rho_per_tick: float
    every_s: int
    ticks: int
    begun: int
    false_alarm_rate: float
    next_at: datetime | None
    state: MonitorState
    alert: bool
    history: list[TickView]

    @classmethod
    def of(cls, monitor: Monitor) -> Self:
        """Show a monitor."""
        known = [entry["changes"] for entry in monitor.history if entry["changes"] is not None]
        watching = monitor.state is MonitorState.WATCHING
        return cls(
            id=monitor.id,
            asker=monitor.asker,
            question=monitor.request,
            rho_per_tick=monitor.rho,
            every_s=monitor.every_s,
            ticks=monitor.ticks,
            begun=monitor.begun,
            false_alarm_rate=monitor.false_alarm_rate,
            next_at=datetime.fromtimestamp(monitor.next_at, UTC) if watching else None,
            state=monitor.state,
            alert=bool(known and known[-1]),
            history=[
                TickView(**entry | {"at": datetime.fromtimestamp(entry["at"], UTC)})
                for entry in monitor.history
            ],
        )
