"""Ask: saved questions, the builder, and the price before anything is spent."""

from datetime import UTC, datetime
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk
from api.web.caller import PageCaller
from api.web.forms import Asked, Posted
from api.web.language import language_of
from api.web.page_route import PageRoute
from api.web.pricing import EXACT, REFUSALS, Draft, cheaper, draft_of, open_fields, tag_of
from api.web.render import page
from api.web.screens import ASK, admit
from api.web.words import FLAGS, asked, plan_in
from federation.coordinator.desk import Desk, standing_answer, submit
from federation.coordinator.runs import RunState
from federation.plans import read_plan
from federation.question_plan import QuestionPlan

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_SAVED = 6


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
    tag, now = None, datetime.now(UTC)
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
        level=_level(draft, desk),
        exact=EXACT,
        flags=FLAGS,
        epoch=desk.register.head(),
        tag=tag,
        refusal=refusal,
        refused=kind.title if kind else "",
        cheaper=[(other, f"/ask?{urlencode(other.draft.query(), doseq=True)}") for other in others],
        note=note,
        key=token_urlsafe(16),
        saved=_saved(request, desk, now),
    )


def _level(draft: Draft, desk: Desk) -> int:
    used = {*draft.means, *draft.by, draft.only.partition("=")[0]}
    return max((int(f.level) for f in desk.catalogue.fields if f.name in used), default=1)


def _only(plan: dict[str, Any]) -> str:
    """Return the first condition of a plan as the builder has it."""
    where = plan.get("where") or [None]
    return f"{where[0]['field']}={where[0]['one_of'][0]}" if where[0] else ""


def _saved(request: Request, desk: Desk, now: datetime) -> list[dict[str, object]]:
    """Return the last questions that were asked here, each once, with a way to ask it again."""
    language, epoch, at = language_of(request), desk.register.head(), int(now.timestamp())
    found: dict[str, dict[str, object]] = {}
    for run in desk.runs.latest(limit=60):
        plan = plan_in(run)
        if plan["kind"] != "question" or run.state is RunState.REFUSED:
            continue
        text = asked(plan, desk.catalogue, language)
        if text in found or plan["catalogue"] != desk.catalogue.digest():
            continue
        again = read_plan(run.plan)
        free = (
            standing_answer(again, desk, epoch=epoch, at=at)
            if isinstance(again, QuestionPlan)
            else None
        )
        means = [s["field"] for s in plan["statistics"] if s["kind"] == "mean"]
        query = {
            "purpose": plan["purpose"],
            "mean": means,
            "by": plan["by"],
            "only": _only(plan),
            "reason": plan["reason"],
        }
        found[text] = {
            "text": text,
            "reason": plan["reason"],
            "free": free,
            "address": f"/answers/{free.id}" if free else f"/ask?{urlencode(query, doseq=True)}",
        }
        if len(found) == _SAVED:
            break
    return list(found.values())
