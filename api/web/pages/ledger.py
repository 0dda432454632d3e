"""The ledger and its evidence: the timeline, and any number's way back to what it stands on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

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
from federation.coordinator.documents import Document, Documents
from federation.coordinator.intervals import NOT_STATED
from federation.coordinator.label_forms import CLAIMS
from federation.coordinator.runs import Run
from privacy.entries import (
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Opened,
    Repaired,
    Reserved,
)

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
    entries = desk.ledger.entries()
    log = desk.evidence.log.head()
    found = [
        line
        for entry in reversed(entries)
        if (before is None or entry.index < before)
        and (not kind or _kind(entry) == kind)
        and (line := _line(entry, entries, desk, request, blind=caller.name)) is not None
    ][: _PAGE + 1]
    return page(
        request,
        "ledger.html",
        caller,
        lines=found[:_PAGE],
        older=found[_PAGE - 1].index if len(found) > _PAGE else None,
        kind=kind if kind in KINDS else "",
        kinds=KINDS,
        size=len(entries),
        head=entries[-1].digest if entries else "",
        log=log,
        witnesses=desk.evidence.witnesses.all(),
    )


@router.get("/ledger/runs/{run_id}")
def follow(request: Request, run_id: RunId, caller: PageCaller, desk: OpenDesk) -> Response:
    """Show what one run stands on: label, plan, policy, approvals, consent epoch, log."""
    admit_reader(caller)
    run, language = desk.runs.get(run_id), language_of(request)
    plan = plan_in(run)
    entries = [e for e in desk.ledger.entries() if getattr(e.event, "request", "") == run.id]
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
        policy=_policy_at(run, desk),
        pool=pool_title(f"firm/{plan['purpose']}", desk.catalogue, language),
        opinions=opinions,
        needed=NEEDED,
        entries=[_line(e, entries, desk, request, blind=None) for e in shown],
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


def _policy_at(run: Run, desk: Desk) -> Document | None:
    """Return the policy that held when a run came in."""
    held = [
        d for d in Documents(desk.engine).all() if d.kind == "policy" and d.since <= run.accepted_at
    ]
    return held[-1] if held else None


def _kind(entry: Entry) -> str:
    return type(entry.event).__name__.lower()


def _line(
    entry: Entry, entries: Sequence[Entry], desk: Desk, request: Request, *, blind: str | None
) -> Line | None:
    """Return an entry as a line; None for an opinion whose run still waits for the other one."""
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
            given = {
                e.event.officer
                for e in entries
                if isinstance(e.event, Decided) and e.event.request == event.request
            }
            if blind is not None and len(given) < NEEDED and event.officer != blind:
                return None
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
