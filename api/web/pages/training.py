"""The training room: what a training would cost and what would leave a node, then how it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.errors import NotAllowed
from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk
from api.sweep_schemas import RecipeRequest, SweepView
from api.web.builder import open_fields
from api.web.caller import PageCaller
from api.web.forms import Asked, Fields, Posted
from api.web.language import Language, language_of
from api.web.model_lines import model_lines
from api.web.page_route import PageRoute
from api.web.pricing import REFUSALS
from api.web.render import page
from api.web.screens import TRAINING, admit
from api.web.words import STAGES, STATES, SWEEP_STATES, asked, plan_in
from federation import training_layout
from federation.coordinator.desk import Desk, check, plan_of, price, submit
from federation.coordinator.sweeps import Sweeps
from federation.plans import AnyPlan
from federation.training_plan import TrainingPlan
from federation.updates import update_size
from models.errors import ModelError
from privacy.loss import Delta, Rho
from privacy.odds import odds_of_release
from privacy.odds_text import sentences

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_RUNS, _SWEEPS = 20, 5
_BYTES = 8
TRAINERS = ("analyst", "researcher")
_WHOLE = {"rounds": 4, "local_steps": 20}
_NUMBERS = {"epsilon": 1.0, "clip_norm": 1.0, "learning_rate": 3.0, "momentum": 0.9}
_NO_REASON = "a price was asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What one node would send in a training, none of it before its noise is in.

    numbers: in one round's masked vector. rounds: how many carry one. kilobytes: of all.
    """

    numbers: int
    rounds: int
    kilobytes: float


@router.get("/training")
def show_room(request: Request, caller: PageCaller, desk: OpenDesk, fields: Asked) -> Response:
    """Show the runs there were, and the steps to a new one."""
    admit(caller, TRAINING)
    return _room(request, caller, desk, fields)


@router.post("/training")
def train(request: Request, caller: PageCaller, desk: OpenDesk, fields: Posted) -> Response:
    """Submit a training; a second click with the same key is the same run."""
    if caller.role not in TRAINERS:
        raise NotAllowed(caller.role, " or ".join(TRAINERS))
    if not fields.one("reason"):
        return _room(request, caller, desk, fields, note="reason")
    try:
        key = fields.one("key") or token_urlsafe(16)
        plan = plan_of(_request(fields, desk), desk)
        run = submit(plan, desk, asker=caller.name, request=f"{caller.name}:{key}").run
    except (*REFUSALS, ModelError) as refusal:
        return _room(request, caller, desk, fields, refusal=refusal)
    return RedirectResponse(f"/answers/{run.id}", status_code=HTTPStatus.SEE_OTHER)


def _room(
    request: Request,
    caller: Caller,
    desk: Desk,
    fields: Fields,
    *,
    note: str = "",
    refusal: Exception | None = None,
) -> Response:
    language, catalogue = language_of(request), desk.catalogue
    purpose = fields.one("purpose") or catalogue.purposes[0].name
    offered = open_fields(purpose, catalogue)
    targets = [
        f for f in offered if f.kind != "number" and len(f.labels()) == training_layout.BINARY
    ]
    targets.sort(key=lambda f: f.kind != "flag")
    plan, cost, leaving = None, None, None
    odds: tuple[str, ...] = ()
    if refusal is None and fields.one("target") and fields.many("feature"):
        try:
            plan = plan_of(_request(fields, desk), desk)
            check(plan, desk)
            cost, leaving = price(plan, desk), _leaving(plan, desk)
            spent = odds_of_release(Rho(plan.rho), Delta(desk.policy.delta))
            odds = sentences(spent, language, plan.unit)
        except (*REFUSALS, ModelError) as error:
            plan, refusal = None, error
    kind = None if refusal is None else kind_of(type(refusal))
    status = HTTPStatus.OK
    if request.method == "POST":
        status = kind.status if kind else HTTPStatus.UNPROCESSABLE_ENTITY
    return page(
        request,
        "training.html",
        caller,
        status=status,
        catalogue=catalogue,
        purpose=purpose,
        offered=offered,
        targets=targets,
        chosen=fields,
        recipe={**_WHOLE, **_NUMBERS} | _recipe(fields),
        plan=plan,
        cost=cost,
        leaving=leaving,
        odds=odds,
        refusal=refusal,
        refused=kind.title if kind else "",
        note=note,
        key=token_urlsafe(16),
        may_train=caller.role in TRAINERS,
        runs=_runs(desk, request),
        models=model_lines(desk, language, limit=_RUNS),
        sweeps=_sweeps(desk, language),
        recipe_keys=tuple(RecipeRequest.model_fields),
        states=STATES,
        stages=STAGES,
        sweep_states=SWEEP_STATES,
    )


def _request(fields: Fields, desk: Desk) -> dict[str, Any]:
    target = fields.one("target")
    return {
        "kind": "training",
        "purpose": fields.one("purpose") or desk.catalogue.purposes[0].name,
        "target": target,
        "features": [name for name in fields.many("feature") if name != target],
        "reason": fields.one("reason") or _NO_REASON,
        **_WHOLE,
        **_NUMBERS,
        **_recipe(fields),
    }


def _recipe(fields: Fields) -> dict[str, float | int]:
    """Return the numbers of the recipe that the form gives."""
    whole = {n: int(fields.number(n, _WHOLE[n])) for n in _WHOLE if fields.one(n)}
    return whole | {n: fields.number(n, _NUMBERS[n]) for n in _NUMBERS if fields.one(n)}


def _leaving(plan: AnyPlan, desk: Desk) -> Leaving | None:
    if not isinstance(plan, TrainingPlan):
        return None
    numbers = update_size(training_layout.architecture_of(plan, desk.catalogue))
    sent = numbers * plan.rounds * _BYTES / 1000
    return Leaving(numbers=numbers, rounds=plan.rounds, kilobytes=sent)


def _sweeps(desk: Desk, language: Language) -> list[tuple[SweepView, str]]:
    found = [SweepView.of(one, desk.runs) for one in Sweeps(desk.engine).all(limit=_SWEEPS)]
    return [(one, asked(one.recipes[0].plan, desk.catalogue, language)) for one in found]


def _runs(desk: Desk, request: Request) -> Sequence[tuple[Any, dict[str, Any], str]]:
    language, found = language_of(request), []
    for run in desk.runs.latest(limit=200):
        plan = plan_in(run)
        if plan["kind"] == "training":
            found.append((run, plan, asked(plan, desk.catalogue, language)))
    return found[:_RUNS]
