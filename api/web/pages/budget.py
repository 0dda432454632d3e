"""The budget cockpit: what each pool has spent, promised and left, and how long it will last."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from api.routes.desk import OpenDesk
from api.web.burn import Burn, burn_of, draw
from api.web.caller import PageCaller
from api.web.language import gettext, language_of
from api.web.page_route import PageRoute
from api.web.render import page
from api.web.screens import BUDGET, admit
from api.web.words import asked, plan_in, pool_title
from federation.coordinator.desk import Desk, PoolView, WindowView, budgets
from federation.coordinator.policy import FIRM
from federation.coordinator.runs import Run
from privacy.entries import Reserved
from privacy.loss import Delta
from privacy.mechanisms import epsilon_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LAST = 10
_LOW = 0.2
_SOON = timedelta(days=30)


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_CHART = _("What is left of the firm's lifetime budget, over time")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """One line of the tree. ``left``: the part of the lifetime that is neither spent nor promised.

    again: how often the usual question of one person's limit could still be asked now.
    """

    view: PoolView
    title: str
    left: float
    again: int
    windows: tuple[WindowView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """One reservation of the ledger: what it was for and what it cost."""

    run: str
    text: str
    pool: str
    at: datetime
    epsilon: float


@router.get("/budget")
def show_budget(request: Request, caller: PageCaller, desk: OpenDesk) -> Response:
    """Show every pool with its windows, the burn with its forecast, and the last spends."""
    admit(caller, BUDGET)
    now, language = datetime.now(UTC), language_of(request)
    history = desk.ledger.history()
    burn = burn_of(history.course(FIRM), now=now)
    last = desk.ledger.entries(history.newest(_LAST, kind="reserved"))
    usual = desk.policy.rho(desk.policy.automatic_epsilon).value
    lines = [
        PoolLine(
            view=view,
            title=pool_title(view.pool, desk.catalogue, language),
            left=1 - (view.spent_rho + view.reserved_rho) / view.budget_rho,
            again=int(view.remaining_rho / usual),
            windows=(view.month, view.year, view.lifetime),
        )
        for view in budgets(desk, now=now)
    ]
    reserved = [e.event for e in reversed(last) if isinstance(e.event, Reserved)]
    runs = desk.runs.among(event.request for event in reserved)
    spends = [
        _spend(event, runs[event.request], desk, request)
        for event in reserved
        if event.request in runs
    ]
    return page(
        request,
        "budget.html",
        caller,
        lines=lines,
        low=[line for line in lines if line.left < _LOW],
        burn=burn,
        soon=bool(burn.until and burn.until < now + _SOON),
        chart=draw(burn, gettext(language, _CHART), language) if burn.points else "",
        steps=_thinned(burn),
        spends=spends,
        waiting=len(desk.runs.waiting()),
        usual=desk.policy.automatic_epsilon,
    )


def _spend(event: Reserved, run: Run, desk: Desk, request: Request) -> Spend:
    language = language_of(request)
    return Spend(
        run=run.id,
        text=asked(plan_in(run), desk.catalogue, language),
        pool=pool_title(event.pool, desk.catalogue, language),
        at=event.at,
        epsilon=epsilon_of(event.rho, Delta(desk.policy.delta)).value,
    )


def _thinned(burn: Burn) -> list[tuple[datetime, float]]:
    """Return the burn's last points for the table beside the chart."""
    return list(burn.points[-_LAST:])
