"""Sweeps: recipes that are tried on real clients, which is a release, priced and reserved ahead."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.auth import Staff, Stopper, Trainer
from api.errors import NotAllowed
from api.idempotency import Answer, OnlyOnce
from api.paging import OnePage
from api.people.roles import Role
from api.routes.desk import RUN, OpenDesk
from api.sweep_schemas import SweepPrice, SweepRequest, SweepView
from federation.coordinator.desk import Desk
from federation.coordinator.sweeps import Sweeps
from federation.coordinator.tuning import Planned, planned, price_of, stop, sweep

router = APIRouter(tags=["sweeps"])

SweepId = Annotated[str, Path(pattern=RUN)]


@router.post("/api/v1/sweeps/price")
def price_sweep(body: SweepRequest, desk: OpenDesk, _caller: Staff) -> SweepPrice:
    """Say what a sweep would cost in all; spends nothing."""
    return SweepPrice.model_validate(price_of(_planned(body, desk), desk))


@router.post("/api/v1/sweeps", status_code=HTTPStatus.CREATED, response_model=SweepView)
def begin_sweep(body: SweepRequest, desk: OpenDesk, caller: Trainer, once: OnlyOnce) -> Response:
    """Try recipes one after the other; the ρ of all of them is reserved now, or nothing is."""

    def work() -> Answer:
        begun = sweep(_planned(body, desk), desk, asker=caller.name)
        return Answer(
            status=HTTPStatus.CREATED,
            body=SweepView.of(begun, desk.runs).model_dump_json().encode(),
            headers={"Location": f"/api/v1/sweeps/{begun.id}"},
        )

    return once.do(caller, body, work)


@router.get("/api/v1/sweeps")
def list_sweeps(
    desk: OpenDesk,
    _caller: Staff,
    page: OnePage,
    before: Annotated[
        str | None, Query(pattern=RUN, description="a sweep of the last page")
    ] = None,
) -> list[SweepView]:
    """Return every sweep, the newest first; ``Link`` leads to the next page."""
    found = Sweeps(desk.engine).all(limit=page.enough, before=before)
    return [SweepView.of(one, desk.runs) for one in page.of(found, lambda one: one.id)]


@router.get("/api/v1/sweeps/{run_id}")
def read_sweep(run_id: SweepId, desk: OpenDesk, _caller: Staff) -> SweepView:
    """Return one sweep: its recipes, how far it is, and which one it recommends so far."""
    return SweepView.of(Sweeps(desk.engine).get(run_id), desk.runs)


@router.post("/api/v1/sweeps/{run_id}/stop")
def stop_sweep(run_id: SweepId, desk: OpenDesk, caller: Stopper) -> SweepView:
    """Stop a sweep of your own, or any as an officer; what was paid for is kept, the rest is not.

    A training under way ends before its next round and keeps the rounds that are done.
    """
    asker = Sweeps(desk.engine).get(run_id).asker
    if caller.role is not Role.PRIVACY_OFFICER and caller.name != asker:
        raise NotAllowed(caller.role, "its asker, or privacy_officer")
    return SweepView.of(stop(run_id, desk), desk.runs)


def _planned(body: SweepRequest, desk: Desk) -> Planned:
    return planned(
        body.training.request(),
        [one.model_dump(exclude_unset=True, exclude_none=True) for one in body.recipes],
        epsilon_of_evaluation=body.epsilon_of_evaluation,
        desk=desk,
    )
