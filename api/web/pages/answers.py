"""Answers: every question and training that came in, how far it is, and what it released."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.errors import NoLabel, NotAllowed
from api.people.roles import Caller, Role
from api.routes.desk import RUN, OpenDesk, RunId
from api.web.answer_csv import to_csv
from api.web.answer_view import Card, cards_of
from api.web.caller import PageCaller
from api.web.figures import moment
from api.web.language import Language, gettext, language_of
from api.web.page_route import PageRoute
from api.web.problem_words import advice, kind_named
from api.web.render import page
from api.web.screens import ASK, LEDGER, TRAINING
from api.web.words import STATES, asked, plan_in, purpose_title, stepped
from federation.coordinator.desk import Desk
from federation.coordinator.runs import Run, RunState
from federation.coordinator.stopping import stop
from federation.coordinator.training_view import training_view
from federation.plans import read_plan
from federation.question_plan import QuestionPlan
from privacy.loss import Delta, Rho
from privacy.mechanisms import epsilon_of
from privacy.odds import odds_of_release
from privacy.odds_text import sentences
from privacy.units import PrivacyUnit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PAGE = 20


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_CAVEAT = _(
    "Noise was added on purpose, so that nobody can tell whether %(one)s is in it: read every "
    "figure as its interval, never as an exact count. Run %(run)s, consent epoch %(epoch)s, "
    "released %(at)s (UTC), ε = %(epsilon)s at δ = %(delta)s."
)
_ONE = {"client": _("one client"), "household": _("one household")}


@router.get("/answers")
def list_answers(
    request: Request,
    caller: PageCaller,
    desk: OpenDesk,
    before: Annotated[str | None, Query(pattern=RUN)] = None,
) -> Response:
    """List every run, newest first."""
    admit_reader(caller)
    runs = desk.runs.latest(limit=_PAGE + 1, before=before)
    language = language_of(request)
    lines = [(run, asked(plan_in(run), desk.catalogue, language)) for run in runs[:_PAGE]]
    older = runs[_PAGE - 1].id if len(runs) > _PAGE else None
    return page(request, "answers.html", caller, lines=lines, older=older, states=STATES)


@router.get("/answers/{run_id}.csv")
def download(request: Request, run_id: RunId, caller: PageCaller, desk: OpenDesk) -> Response:
    """Download an answer's figures with their intervals."""
    admit_reader(caller)
    run, language = desk.runs.get(run_id), language_of(request)
    if not (cards := _cards(run, desk, language)):
        raise NoLabel(run.id)
    text = "\ufeff" + to_csv(cards, _caveat(run, language), language)
    name = {"Content-Disposition": f'attachment; filename="answer-{run.id}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=name)


@router.get("/answers/{run_id}")
def read_answer(request: Request, run_id: RunId, caller: PageCaller, desk: OpenDesk) -> Response:
    """Show one run: how far it is, then its answer card or why there is none."""
    admit_reader(caller)
    run, language = desk.runs.get(run_id), language_of(request)
    plan = plan_in(run)
    refused = kind_named(run.refusal["code"]) if run.refusal else None
    return page(
        request,
        "answer.html",
        caller,
        run=run,
        plan=plan,
        text=asked(plan, desk.catalogue, language),
        purpose=purpose_title(plan["purpose"], desk.catalogue, language),
        cards=_cards(run, desk, language),
        odds=_odds(run, language),
        caveat=_caveat(run, language) if run.label else "",
        shown=json.dumps(run.result, ensure_ascii=False, indent=2),
        ended=run.state in (RunState.RELEASED, RunState.REFUSED),
        step=stepped(run.step, language),
        refused=refused,
        advice=advice(refused.slug, language) if refused else "",
        training=training_view(run, desk),
        stop_line=_stop_line(plan, desk),
        may_stop=caller.role is Role.PRIVACY_OFFICER or caller.name == run.asker,
        states=STATES,
    )


@router.post("/answers/{run_id}/stop")
def stop_run(run_id: RunId, caller: PageCaller, desk: OpenDesk) -> Response:
    """Stop a run of one's own, or any as an officer; a training keeps the rounds that are done."""
    run = desk.runs.get(run_id)
    if caller.role is not Role.PRIVACY_OFFICER and caller.name != run.asker:
        raise NotAllowed(caller.role, "its asker, or privacy_officer")
    stop(run_id, desk)
    return RedirectResponse(f"/answers/{run_id}", status_code=HTTPStatus.SEE_OTHER)


def admit_reader(caller: Caller) -> None:
    """Let in who may read runs, or raise NotAllowed."""
    allowed = ASK.roles | TRAINING.roles | LEDGER.roles
    if caller.role not in allowed:
        raise NotAllowed(caller.role, " or ".join(sorted(allowed)))


def _cards(run: Run, desk: Desk, language: Language) -> tuple[Card, ...]:
    """Return the cards of a released question; none of anything else."""
    if run.result is None or run.label is None or run.result.get("kind") != "question":
        return ()
    plan = read_plan(run.plan)
    if not isinstance(plan, QuestionPlan):
        return ()
    return cards_of(plan, run.result, desk.catalogue, language)


def _stop_line(plan: Mapping[str, Any], desk: Desk) -> float:
    """Return the ε that a run may never pass."""
    return epsilon_of(Rho(plan["rho"]), Delta(desk.policy.delta)).value


def _odds(run: Run, language: Language) -> tuple[str, ...]:
    if run.label is None:
        return ()
    rho, delta = Rho(run.label["rho"]), Delta(run.label["delta"])
    unit = PrivacyUnit(run.label["privacy_unit"])
    return sentences(odds_of_release(rho, delta), language, unit)


def _caveat(run: Run, language: Language) -> str:
    label = run.label or {}
    return gettext(language, _CAVEAT) % {
        "one": gettext(language, _ONE[label["privacy_unit"]]),
        "run": run.id,
        "epoch": label["consent_epoch"],
        "at": moment(run.ended_at, language),
        "epsilon": f"{label['epsilon']:.3g}",
        "delta": f"{label['delta']:g}",
    }
