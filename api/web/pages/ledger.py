"""The ledger and its evidence: the timeline, and any number's way back to what it stands on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api.people.roles import Caller
from api.routes.desk import OpenDesk, RunId
from api.web.caller import PageCaller
from api.web.language import language_of
from api.web.page_route import PageRoute
from api.web.pages.answers import admit_reader
from api.web.render import page
from api.web.screens import LEDGER, admit
from api.web.words import STATES, asked, plan_in, pool_title, purpose_title
from federation.coordinator.approvals import NEEDED, approval_of
from federation.coordinator.desk import Desk
from federation.coordinator.documents import policy_at
from federation.coordinator.intervals import NOT_STATED
from federation.coordinator.label_forms import CLAIMS
from privacy.entries import (
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Event,
    Opened,
    Repaired,
    Reserved,
)
from privacy.history import History

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PAGE = 40


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


KINDS: Final[dict[str, str]] = {
    "opened": _("Budget opened"),
    "changed": _("Budget changed"),
    "reserved": _("Reserved"),
    "committed": _("Spent"),
    "abandoned": _("Given back"),
    "decided": _("Opinion given"),
    "repaired": _("Ledger repaired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of the ledger as a line of the timeline."""

    index: int
    kind: str
    at: datetime
    pool: str
    rho: float | None
    run: str
    who: str
    digest: str


@router.get("/ledger")
def show_ledger(
    request: Request,
    caller: PageCaller,
    desk: OpenDesk,
    kind: Annotated[str, Query(max_length=20)] = "",
    before: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show the timeline, newest first, with the state of the chain and of its witnesses."""
    admit(caller, LEDGER)
    history, kind = desk.ledger.history(), kind if kind in KINDS else ""
    size, head = history.mark()
    places = history.newest(_PAGE + 1, kind=kind, before=before)
    entries = desk.ledger.entries(places[:_PAGE])[::-1]

    seen = [entry for entry in entries if not _blind(entry.event, history, caller)]
    return page(
        request,
        "ledger.html",
        caller,
        lines=[_line(entry, desk, request) for entry in seen],
        older=places[_PAGE - 1] if len(places) > _PAGE else None,
        kind=kind,
        kinds=KINDS,
        size=size,
        head=head,
        log=desk.evidence.log.head(),
        witnesses=desk.evidence.witnesses.all(),
    )


@router.get("/ledger/runs/{run_id}")
def follow(request: Request, run_id: RunId, caller: PageCaller, desk: OpenDesk) -> Response:
    """Show what one run stands on: label, plan, policy, approvals, consent epoch, log."""
    admit_reader(caller)
    run, language = desk.runs.get(run_id), language_of(request)
    plan = plan_in(run)
    entries = desk.ledger.entries(desk.ledger.history().of(run.id))
    opinions = approval_of(run, desk, viewer=caller.name).opinions
    shown = [e for e in entries if not isinstance(e.event, Decided) or e.event in opinions]
    label = run.label or {}
    index = label.get("log_index")
    return page(
        request,
        "evidence.html",
        caller,
        run=run,
        plan=plan,
        text=asked(plan, desk.catalogue, language),
        purpose=purpose_title(plan["purpose"], desk.catalogue, language),
        label=_layers(label),
        blanks=sorted(key for key, value in label.items() if value == NOT_STATED),
        policy=policy_at(desk.engine, run.accepted_at),
        pool=pool_title(f"firm/{plan['purpose']}", desk.catalogue, language),
        opinions=opinions,
        needed=NEEDED,
        entries=[_line(e, desk, request) for e in shown],
        logged=desk.evidence.log.entries(index, index + 1)[0].decode()
        if isinstance(index, int)
        else "",
        log_index=index,
        kinds=KINDS,
        states=STATES,
    )


def _layers(label: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return a label as people read it: by the layers of NIST SP 800-226."""
    return [
        (
            layer,
            [
                (key, _shown(label[key]))
                for keys in components.values()
                for key in keys
                if key in label
            ],
        )
        for layer, components in CLAIMS.items()
        if label
    ]


def _shown(value: object) -> str:
    match value:
        case float():
            return f"{value:.6g}"
        case dict():
            return "; ".join(f"{name}: {_shown(part)}" for name, part in value.items())
        case list():
            return ", ".join(_shown(part) for part in value)
        case _:
            return str(value)


def _blind(event: Event, history: History, caller: Caller) -> bool:
    """Say whether an event is another's opinion on what still waits for the second one."""
    return (
        isinstance(event, Decided)
        and event.officer != caller.name
        and len(history.officers(event.request)) < NEEDED
    )


def _kind(entry: Entry) -> str:
    return type(entry.event).__name__.lower()


def _line(entry: Entry, desk: Desk, request: Request) -> Line:
    """Return an entry as a line."""
    event, language = entry.event, language_of(request)
    pool, rho, run, who = "", None, "", ""
    match event:
        case Opened() | Changed():
            pool, rho = event.pool, event.budget.value
            who = event.who if isinstance(event, Changed) else ""
        case Reserved():
            pool, rho, run = event.pool, event.rho.value, event.request
        case Committed() | Abandoned():
            run = event.request
        case Decided():
            run, who = event.request, event.officer
        case Repaired():
            who = event.who
    return Line(
        index=entry.index,
        kind=_kind(entry),
        at=event.at,
        pool=pool_title(pool, desk.catalogue, language) if pool else "",
        rho=rho,
        run=run,
        who=who,
        digest=entry.digest,
    )
