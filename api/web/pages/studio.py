"""The epsilon studio: say the error and get the loss, or the other way round; replay the past."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.people.roles import Caller
from api.problems import kind_of
from api.routes.desk import OpenDesk
from api.web.acceptable import CLIENTS, PARTS, step_of_row, targets_of
from api.web.builder import KINDS, ROWS, Draft, draft_of, open_fields
from api.web.caller import PageCaller
from api.web.forms import Asked, Fields
from api.web.frontier import draw, error_at, protection, step_of
from api.web.language import Language, gettext, language_of
from api.web.page_route import PageRoute
from api.web.pricing import REFUSALS
from api.web.render import page
from api.web.screens import STUDIO, admit
from api.web.words import FLAGS, measure, pool_title
from federation.coordinator.desk import Desk
from federation.coordinator.policy import pool_of
from federation.coordinator.policy_changes import tag_of
from federation.coordinator.studio import Solution, curve, solve
from privacy.loss import Delta, Epsilon
from privacy.odds import Odds, Point, log_grid, odds_of_claim
from privacy.odds_text import sentences
from privacy.planning import positive
from privacy.replay import Proposal, Replay, replay

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LOW, _HIGH, _POINTS = 0.05, 10.0, 24
_USUAL = 12
_GROUPS = (20, 50, 100, 500, 1000)
_OVERSEERS = ("privacy_officer", "auditor")


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


_CHART = _("How far a count may be off, over the privacy loss ε")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the two sliders come to. ``groups``: sizes with the part that the noise may move."""

    solution: Solution
    points: tuple[Point, ...]
    chosen: Point
    odds: Odds
    groups: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Another policy, and what the past would have been under it."""

    budgets: dict[str, float]
    factor: float
    replayed: Replay


@router.get("/studio")
def show_studio(request: Request, caller: PageCaller, desk: OpenDesk, fields: Asked) -> Response:
    """Show what the sliders stand for. No data is touched and nothing is spent."""
    admit(caller, STUDIO)
    language = language_of(request)
    draft = draft_of(fields, desk.catalogue)
    error_step = int(fields.number("error_step", step_of(draft.within)))
    loss_step = min(max(int(fields.number("loss_step", _USUAL)), 0), _POINTS - 1)
    draft = draft.but(within=error_at(min(max(error_step, 0), 24)))
    found, refusal = None, None
    try:
        found = _found(draft, targets_of(draft, fields, desk.catalogue), loss_step, desk)
    except REFUSALS as error:
        refusal = error
    tried, wrong = _tried(fields, caller, desk)
    kind = None if refusal is None else kind_of(type(refusal))
    return page(
        request,
        "studio.html",
        caller,
        catalogue=desk.catalogue,
        draft=draft,
        fields=open_fields(draft.purpose, desk.catalogue),
        rows=range(1, ROWS + 1),
        kinds=KINDS,
        flags=FLAGS,
        form=fields,
        accepted={row: step_of_row(fields, row) for row in range(1, ROWS + 1)},
        parts=PARTS,
        clients=CLIENTS,
        measured=_measured(found, desk, language),
        error_step=step_of(draft.within),
        loss_step=loss_step,
        steps=_POINTS - 1,
        found=found,
        chart=_chart(found, language) if found else "",
        words=protection(found.odds) if found else "",
        solved_words=protection(found.solution.odds) if found else "",
        odds=sentences(found.odds, language, found.solution.plan.unit) if found else (),
        refusal=refusal,
        refused=kind.title if kind else "",
        may_replay=caller.role in _OVERSEERS,
        pools=_pools(desk, language),
        tried=tried,
        base=tag_of(desk.policy),
        wrong=wrong,
    )


def _found(draft: Draft, targets: list[dict[str, Any]], step: int, desk: Desk) -> Found:
    request, grid = draft.request(desk.catalogue), log_grid(Epsilon(_LOW), Epsilon(_HIGH), _POINTS)
    points = curve(request, targets, desk, grid)
    chosen = points[step]
    return Found(
        solution=solve(request, targets, desk),
        points=points,
        chosen=chosen,
        odds=odds_of_claim(chosen.epsilon, Delta(desk.policy.delta)),
        groups=tuple((size, chosen.errors[0] / size) for size in _GROUPS),
    )


def _measured(found: Found | None, desk: Desk, language: Language) -> dict[str, str]:
    """Return what each statistic of the solution measures, by its name."""
    statistics = found.solution.plan.statistics if found else ()
    return {
        s.name: measure(s.model_dump(mode="json"), desk.catalogue, language) for s in statistics
    }


def _chart(found: Found, language: Language) -> str:
    marks = [
        (found.chosen.epsilon.value, found.chosen.errors[0]),
        (max(_LOW, found.solution.epsilon.value), found.solution.predictions[0].half_width),
    ]
    return draw(found.points, marks, title=gettext(language, _CHART), language=language)


def _pools(desk: Desk, language: Language) -> list[tuple[str, str, float]]:
    """Return every pool with its title and its lifetime ε, as the policy says it."""
    named = {pool_of(name): pool for name, pool in desk.policy.purposes.items()}
    budgets = {"firm": desk.policy.firm} | named
    return [
        (path, pool_title(path, desk.catalogue, language), p.epsilon) for path, p in budgets.items()
    ]


def _tried(fields: Fields, caller: Caller, desk: Desk) -> tuple[Tried | None, bool]:
    """Run the past again under the policy of the form; True if the form does not make one."""
    if caller.role not in _OVERSEERS or not fields.one("replay"):
        return None, False
    known: dict[str, Any] = {path: pool for path, _title, pool in _pools(desk, "en")}
    budgets = {path: fields.number(f"pool.{path}", known[path]) for path in known}
    factor = fields.number("factor", 1.0)
    try:
        changed = {
            path: Epsilon(positive("epsilon", value))
            for path, value in budgets.items()
            if value != known[path]
        }
        proposal = Proposal(budgets=changed, rho_factor=factor)
        replayed = replay(desk.ledger.entries(), proposal)
    except REFUSALS:
        return None, True
    return Tried(budgets=budgets, factor=factor, replayed=replayed), False
