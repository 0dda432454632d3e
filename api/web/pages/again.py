"""Training a version again, without those who left: proposed, priced, and confirmed by a person."""

from datetime import UTC, datetime
from http import HTTPStatus
from secrets import token_urlsafe

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.errors import NotAllowed
from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk
from api.routes.models import ModelName, VersionNumber
from api.web.caller import PageCaller
from api.web.forms import Posted
from api.web.language import language_of
from api.web.page_route import PageRoute
from api.web.pages.training import TRAINERS
from api.web.pricing import REFUSALS
from api.web.problem_words import advice
from api.web.render import page
from api.web.screens import TRAINING, admit
from api.web.words import asked, plan_in
from federation.coordinator.desk import Desk, check, plan_of, price, standing_answer, submit
from federation.coordinator.intervals import NOT_STATED
from federation.coordinator.model_book import Model, model_of
from federation.coordinator.model_card import request_again, withdrawn_bucket
from federation.plans import AnyPlan, digest
from models.errors import ModelError
from privacy.loss import Delta, Rho
from privacy.odds import odds_of_release
from privacy.odds_text import sentences

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/training/again/{name}/{version}")
def propose(
    request: Request, caller: PageCaller, desk: OpenDesk, name: ModelName, version: VersionNumber
) -> Response:
    """Show the plan that trains a version anew under today's consent, and what it costs."""
    admit(caller, TRAINING)
    return _proposal(request, caller, desk, model_of(desk.runs, desk.registry, name, version))


@router.post("/training/again/{name}/{version}")
def confirm(
    request: Request,
    caller: PageCaller,
    desk: OpenDesk,
    *,
    name: ModelName,
    version: VersionNumber,
    fields: Posted,
) -> Response:
    """Submit the plan that was shown; another one, since the catalogue changed, is shown first."""
    if caller.role not in TRAINERS:
        raise NotAllowed(caller.role, " or ".join(TRAINERS))
    model = model_of(desk.runs, desk.registry, name, version)
    try:
        plan = _plan(model, desk)
        if digest(plan).hex() != fields.one("plan"):
            return _proposal(request, caller, desk, model, changed=True)
        key = fields.one("key") or token_urlsafe(16)
        run = submit(plan, desk, asker=caller.name, request=f"{caller.name}:{key}").run
    except (*REFUSALS, ModelError) as refusal:
        return _proposal(request, caller, desk, model, refusal=refusal)
    return RedirectResponse(f"/answers/{run.id}", status_code=HTTPStatus.SEE_OTHER)


def _proposal(
    request: Request,
    caller: Caller,
    desk: Desk,
    model: Model,
    *,
    changed: bool = False,
    refusal: Exception | None = None,
) -> Response:
    language, plan, cost, free = language_of(request), None, None, None
    odds: tuple[str, ...] = ()
    if refusal is None:
        try:
            plan = _plan(model, desk)
            check(plan, desk)
            cost, free = price(plan, desk), _answered(plan, desk)
            spent = odds_of_release(Rho(plan.rho), Delta(desk.policy.delta))
            odds = sentences(spent, language, plan.unit)
        except (*REFUSALS, ModelError) as error:
            plan, refusal = None, error
    kind = None if refusal is None else kind_of(type(refusal))
    status = HTTPStatus.OK
    if request.method == "POST":
        status = kind.status if kind else HTTPStatus.CONFLICT
    withdrawn = withdrawn_bucket(model.version.run, desk)
    return page(
        request,
        "again.html",
        caller,
        status=status,
        model=model,
        text=asked(plan_in(model.run), desk.catalogue, language),
        withdrawn="" if withdrawn in ("0", NOT_STATED) else withdrawn,
        catalogue=desk.catalogue,
        epoch=desk.register.head(),
        plan=plan,
        name_of_plan=digest(plan).hex() if plan else "",
        cost=cost,
        free=free,
        odds=odds,
        changed=changed,
        refusal=refusal,
        refused=kind.title if kind else "",
        advice=advice(kind.slug, language) if kind else "",
        key=token_urlsafe(16),
        may_train=caller.role in TRAINERS,
    )


def _plan(model: Model, desk: Desk) -> AnyPlan:
    return plan_of(request_again(model.plan), desk)


def _answered(plan: AnyPlan, desk: Desk) -> bool:
    """Whether nobody's consent has changed since an equal training: then it is answered by that."""
    now = int(datetime.now(UTC).timestamp())
    return standing_answer(plan, desk, epoch=desk.register.head(), at=now) is not None
