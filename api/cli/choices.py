"""What a client chooses, as commands of ``infosandbox client``: level, objections, and the words.

Like the rest of ``client``, on the consent service's own machine.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from api.cli.client import Client, Coordinator, echo, opened
from api.consent_schemas import ChangeAcknowledged, StandingView
from api.stage_schemas import ClosedView, ProposalView
from consent.events import (
    ObjectForFamily,
    ObjectTo,
    Request,
    SetLevel,
    WithdrawFamilyObjection,
    WithdrawObjection,
)
from consent.stages import propose
from federation.coordinator.consent_desk import change
from federation.coordinator.consent_desk import enter as enter_client
from federation.coordinator.desk import Desk
from federation.coordinator.explaining import closed_fields

Purpose = Annotated[str, typer.Argument(help="The catalogue's name of it.")]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Take the objection back.")]


def enter(
    client: Client,
    household: Annotated[str, typer.Argument(help="The normalized id of the household.")],
    *,
    coordinator: Coordinator,
) -> None:
    """Enter a client at level 0; one who is known keeps what is in force."""
    now = datetime.now(UTC)
    with opened(coordinator) as desk:
        found = enter_client(client, household, desk, now=now)
        echo(StandingView.of(found, now=now).model_dump(mode="json"))


def standing(client: Client, *, coordinator: Coordinator) -> None:
    """Print what is in force now: level, its end, objections."""
    with opened(coordinator) as desk:
        found = desk.register.standing(client)
        echo(StandingView.of(found, now=datetime.now(UTC)).model_dump(mode="json"))


def level(
    client: Client,
    to: Annotated[int, typer.Argument(help="0 withdraws; 1 to 4 give, raise or lower.")],
    *,
    coordinator: Coordinator,
    until: Annotated[datetime | None, typer.Option(help="In UTC; for good if left out.")] = None,
) -> None:
    """Set the level, and print the receipt."""
    ends = None if until is None else int(until.replace(tzinfo=UTC).timestamp())
    with opened(coordinator) as desk:
        _change(SetLevel(client=client, level=to, expires_at=ends), desk)


def object_to(
    client: Client, purpose: Purpose, *, coordinator: Coordinator, withdraw: Withdraw = False
) -> None:
    """Keep everything of the client from one purpose, and print the receipt."""
    with opened(coordinator) as desk:
        wanted = desk.catalogue.purpose(purpose)
        kind = WithdrawObjection if withdraw else ObjectTo
        _change(kind(client=client, purpose=wanted), desk)


def family(client: Client, *, coordinator: Coordinator, withdraw: Withdraw = False) -> None:
    """Close the family fields of everyone in the client's household, and print the receipt."""
    with opened(coordinator) as desk:
        kind = WithdrawFamilyObjection if withdraw else ObjectForFamily
        _change(kind(client=client), desk)


def stage(
    client: Client,
    name: Annotated[str, typer.Argument(help="onboarding, mandate, family_office or succession.")],
    *,
    coordinator: Coordinator,
) -> None:
    """Print what a stage of service proposes to the client. It raises nothing."""
    with opened(coordinator) as desk:
        in_force = desk.register.level(client, datetime.now(UTC))
        proposal = propose(name, in_force, desk.catalogue)
        echo(ProposalView.of(proposal, desk.catalogue).model_dump(mode="json"))


def closed(client: Client, purpose: Purpose, *, coordinator: Coordinator) -> None:
    """Print every field that is closed to a purpose: why, and what would open it."""
    with opened(coordinator) as desk:
        found = closed_fields(client, purpose, desk, now=datetime.now(UTC))
        echo([ClosedView.of(one).model_dump(mode="json") for one in found])


COMMANDS: tuple[Callable[..., None], ...] = (
    enter,
    standing,
    level,
    object_to,
    family,
    stage,
    closed,
)


def _change(request: Request, desk: Desk) -> None:
    done = change(request, desk, now=datetime.now(UTC))
    echo(ChangeAcknowledged.of(done).model_dump(mode="json"))
