"""What withdrawals set off: what stands, what is asked anew, what was stopped. In buckets only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.problems import kind_of
from api.routes.desk import RUN, OpenDesk
from api.web.caller import PageCaller
from api.web.language import language_of
from api.web.page_route import PageRoute
from api.web.render import page
from api.web.screens import WITHDRAWALS, admit
from api.web.words import asked, plan_in, purpose_title
from consent.errors import EpochInvalid, EpochStale
from federation.coordinator.cache import standing_epochs
from federation.coordinator.desk import Desk
from federation.coordinator.registry import Staged, Version
from federation.coordinator.runs import Run
from federation.coordinator.withdrawals import Withdrawn, withdrawn_since

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PAGE, _LATELY = 20, 200
_STOPPED: Final = {error.__name__: kind_of(error) for error in (EpochStale, EpochInvalid)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One release: what it rests on now. ``stands``: whether it is repeated for free."""

    release: Withdrawn
    text: str
    purpose: str
    stands: bool
    model: tuple[Version, Staged | None] | None


@router.get("/withdrawals")
def show_withdrawals(
    request: Request,
    caller: PageCaller,
    desk: OpenDesk,
    before: Annotated[str | None, Query(pattern=RUN)] = None,
) -> Response:
    """Show releases, newest first, with roughly how many of their clients have left since."""
    admit(caller, WITHDRAWALS)
    found = withdrawn_since(desk, limit=_PAGE + 1, before=before)
    epoch, now = desk.register.head(), int(datetime.now(UTC).timestamp())
    standing = standing_epochs(desk.runs, epoch=epoch, span=desk.settings.answers_stand_s, at=now)
    lines = [_line(release, standing, desk, request) for release in found[:_PAGE]]
    return page(
        request,
        "withdrawals.html",
        caller,
        lines=lines,
        older=found[_PAGE - 1].run if len(found) > _PAGE else None,
        epoch=epoch,
        left=sum(line.release.clients != "0" for line in lines),
        models=sum(line.release.clients != "0" and line.model is not None for line in lines),
        anew=sum(not line.stands for line in lines),
        stopped=[(run, _STOPPED[run.refusal["code"]]) for run in _stopped(desk) if run.refusal],
    )


def _line(release: Withdrawn, standing: Sequence[int], desk: Desk, request: Request) -> Line:
    language, run = language_of(request), desk.runs.get(release.run)
    return Line(
        release=release,
        text=asked(plan_in(run), desk.catalogue, language),
        purpose=purpose_title(release.purpose, desk.catalogue, language),
        stands=run.epoch in standing,
        model=_model(release, desk),
    )


def _model(release: Withdrawn, desk: Desk) -> tuple[Version, Staged | None] | None:
    if not release.model:
        return None
    made = next((each for each in desk.registry.all() if each.run == release.run), None)
    return None if made is None else (made, desk.registry.stage_of(made))


def _stopped(desk: Desk) -> list[Run]:
    """Return the plans that a change of consent stopped, of the last ones that came in."""
    lately = desk.runs.latest(limit=_LATELY)
    return [run for run in lately if run.refusal and run.refusal["code"] in _STOPPED]
