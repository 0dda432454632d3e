"""Questions to come back to: saved under a name, asked before, and those that ask themselves."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Response
from fastapi.responses import RedirectResponse

from api.routes.desk import RUN, OpenDesk
from api.web.builder import draft_again, draft_of
from api.web.caller import PageCaller
from api.web.forms import Fields, Posted
from api.web.language import Language
from api.web.page_route import PageRoute
from api.web.pricing import REFUSALS, tag_of
from api.web.screens import ASK, admit
from api.web.words import asked, plan_in
from federation.coordinator.desk import Desk, plan_of, standing_answer
from federation.coordinator.monitors import Monitors
from federation.coordinator.runs import RunState
from federation.coordinator.saved_questions import SavedQuestions
from federation.plans import read_plan
from federation.question_plan import QuestionPlan
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_BEFORE = 6
Shown = dict[str, Any]


@router.post("/ask/saved")
def save(caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Save what the builder holds under a name; nothing is asked."""
    admit(caller, ASK)
    form = draft_of(fields, desk.catalogue).query()
    if name := fields.one("name"):
        SavedQuestions(desk.engine).save(name, form, asker=caller.name)
    return RedirectResponse(f"/ask?{urlencode(form, doseq=True)}", HTTPStatus.SEE_OTHER)


@router.post("/ask/saved/{saved_id}/forget")
def forget(
    saved_id: Annotated[str, Path(pattern=RUN)], caller: PageCaller, desk: OpenDesk
) -> Response:
    """Forget a question that the caller saved."""
    admit(caller, ASK)
    SavedQuestions(desk.engine).forget(saved_id, asker=caller.name)
    return RedirectResponse("/ask", HTTPStatus.SEE_OTHER)


def saved_questions(desk: Desk, language: Language, *, now: datetime) -> list[Shown]:
    """Return the saved questions, each with its price now; ``tag`` is None if it is refused."""
    found = []
    for one in SavedQuestions(desk.engine).all():
        form = {k: v if isinstance(v, list) else [str(v)] for k, v in one.form.items()}
        draft = draft_of(Fields(form), desk.catalogue)
        try:
            tag = tag_of(draft, desk, now=now)
        except REFUSALS:
            tag = None
        free = tag.answered if tag else None
        again = f"/ask?{urlencode(draft.query(), doseq=True)}"
        found.append(
            {
                "saved": one,
                "text": asked(draft.request(desk.catalogue), desk.catalogue, language),
                "tag": tag,
                "free": free,
                "address": f"/answers/{free.id}" if free else again,
            }
        )
    return found


def asked_before(desk: Desk, language: Language, *, now: datetime) -> list[Shown]:
    """Return the last questions that were asked here, each once, with a way to ask it again."""
    epoch, at = desk.register.head(), int(now.timestamp())
    found: dict[str, Shown] = {}
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
        draft = None if free else draft_again(plan, desk.catalogue)
        again_at = f"/ask?{urlencode(draft.query(), doseq=True)}" if draft else ""
        found[text] = {
            "text": text,
            "reason": plan["reason"],
            "free": free,
            "address": again_at or f"/answers/{free.id if free else run.id}",
        }
        if len(found) == _BEFORE:
            break
    return list(found.values())


def monitors(desk: Desk, language: Language) -> list[Shown]:
    """Return every monitor in words, with its schedule, its price and whether it found a change."""
    found = []
    for one in Monitors(desk.engine).all():
        try:
            plan = plan_of(one.request, desk).model_dump(mode="json")
        except REFUSALS:
            continue  # of another catalogue: it has no words for it
        known = [tick["changes"] for tick in one.history if tick["changes"] is not None]
        price = epsilon_of(Rho(one.rho), Delta(desk.policy.delta)).value
        last = next((tick["run"] for tick in reversed(one.history) if tick["run"]), None)
        found.append(
            {
                "monitor": one,
                "text": asked(plan, desk.catalogue, language),
                "epsilon": price,
                "alert": bool(known and known[-1]),
                "run": last,
            }
        )
    return found
