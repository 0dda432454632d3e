"""Ask: saved questions, the builder, and the price before anything is spent."""

from datetime import UTC, datetime
from http import HTTPStatus
from secrets import token_urlsafe
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk
from api.web.builder import EXACT, KINDS, ROWS, Draft, draft_of, months, open_fields
from api.web.caller import PageCaller
from api.web.forms import Asked, Posted
from api.web.language import language_of
from api.web.page_route import PageRoute
from api.web.pages.saved import asked_before, monitors, saved_questions
from api.web.pricing import REFUSALS, Tag, cheaper, tag_of
from api.web.render import page
from api.web.screens import ASK, admit
from api.web.words import FLAGS, MONITOR_STATES
from federation.coordinator.desk import Desk, submit

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ask")
def build(request: Request, caller: PageCaller, desk: OpenDesk, fields: Asked) -> Response:
    """Show the builder with the price of what it holds."""
    admit(caller, ASK)
    return _builder(request, caller, desk, draft_of(fields, desk.catalogue))


@router.post("/ask")
def ask(request: Request, caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Ask what was priced; a second click with the same key is the same run."""
    admit(caller, ASK)
    draft = draft_of(fields, desk.catalogue)
    try:
        tag = tag_of(draft, desk, now=datetime.now(UTC))
        if tag.answered is None and fields.one("priced") != repr(tag.solution.plan.rho):
            return _builder(request, caller, desk, draft, note="changed")
        if not draft.reason:
            return _builder(request, caller, desk, draft, note="reason")
        key = fields.one("key") or token_urlsafe(16)
        run = submit(tag.solution.plan, desk, asker=caller.name, request=f"{caller.name}:{key}").run
    except REFUSALS as refusal:
        return _builder(request, caller, desk, draft, refusal=refusal)
    return RedirectResponse(f"/answers/{run.id}", status_code=HTTPStatus.SEE_OTHER)


def _builder(
    request: Request,
    caller: Caller,
    desk: Desk,
    draft: Draft,
    *,
    note: str = "",
    refusal: Exception | None = None,
) -> Response:
    tag, now, language = None, datetime.now(UTC), language_of(request)
    if refusal is None:
        try:
            tag = tag_of(draft, desk, now=now)
        except REFUSALS as error:
            refusal = error
    others = cheaper(draft, desk) if refusal is not None else ()
    kind = None if refusal is None else kind_of(type(refusal))
    status = HTTPStatus.OK
    if request.method == "POST":
        status = kind.status if kind else HTTPStatus.UNPROCESSABLE_ENTITY
    fields = open_fields(draft.purpose, desk.catalogue)
    return page(
        request,
        "ask.html",
        caller,
        status=status,
        draft=draft,
        catalogue=desk.catalogue,
        fields=fields,
        rows=range(1, ROWS + 1),
        kinds=KINDS,
        months=months(fields),
        level=_level(tag, desk),
        exact=EXACT,
        flags=FLAGS,
        epoch=desk.register.head(),
        tag=tag,
        refusal=refusal,
        refused=kind.title if kind else "",
        cheaper=[(other, f"/ask?{urlencode(other.draft.query(), doseq=True)}") for other in others],
        note=note,
        key=token_urlsafe(16),
        saved=saved_questions(desk, language, now=now),
        before=asked_before(desk, language, now=now),
        monitors=monitors(desk, language),
        monitor_states=MONITOR_STATES,
    )


def _level(tag: Tag | None, desk: Desk) -> int:
    used = tag.solution.plan.fields if tag else ()
    return max((int(f.level) for f in desk.catalogue.fields if f.name in used), default=1)
