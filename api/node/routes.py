"""The node's own API. Every answer stays with whoever holds the department's token."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from api.errors import NoModelServed
from api.node.auth import Owner
from api.node.views import (
    ContractView,
    EpochView,
    JournalView,
    LimitView,
    NoiseView,
    limits_of,
)
from api.wire import Wire
from federation.node.explaining import explained
from federation.node.own import OwnNode
from federation.node.own_model import OwnModel
from federation.node.scoring import score_of, scored

router = APIRouter(dependencies=[Owner])


def node_of(request: Request) -> OwnNode:
    """Return the node that the door was opened on."""
    node: OwnNode = request.app.state.node
    return node


def model_of(request: Request) -> OwnModel:
    """Return the model that the door scores with.

    Raises:
        NoModelServed: it was started without one.
    """
    model: OwnModel | None = request.app.state.model
    if model is None:
        raise NoModelServed
    return model


Node = Annotated[OwnNode, Depends(node_of)]
Model = Annotated[OwnModel, Depends(model_of)]


class OneClient(Wire):
    """One of the department's own clients; sensitive, so never in an address."""

    client_id: str = Field(min_length=1, max_length=256)


class SwitchView(Wire):
    """Whether the node refuses every plan."""

    stopped: bool


@router.get("/contract")
def contract(node: Node) -> ContractView:
    """Show what this department has, and what it answers."""
    return ContractView.of(node)


@router.get("/epoch")
def epoch(node: Node) -> EpochView:
    """Show how old the node's knowledge of consent is."""
    return EpochView.of(node, now=int(time.time()))


@router.get("/journal")
def journal(
    node: Node,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JournalView:
    """Show everything that has left the node, newest first."""
    return JournalView.of(node, before=before, limit=limit)


@router.get("/noise-pool")
def noise_pool(node: Node) -> NoiseView:
    """Show how much noise is drawn ahead."""
    return NoiseView.of(node)


@router.get("/limits")
def limits(node: Node) -> tuple[LimitView, ...]:
    """Show the department's own ledger: spent of given, by purpose and window."""
    return limits_of(node, now=datetime.now(UTC))


@router.post("/score")
def score(asked: OneClient, node: Node, model: Model) -> dict[str, Any]:
    """Score one of the department's own clients."""
    found = scored(node, model, now=int(time.time()))
    scores = score_of(found, asked.client_id, model.plan.purpose)
    return {"scores": scores, "model_sha256": found.sha256, "consent_epoch": found.epoch}


@router.post("/explain")
def explain(asked: OneClient, node: Node, model: Model) -> dict[str, Any]:
    """Explain the score of one of the department's own clients."""
    return asdict(explained(node, model, asked.client_id, now=int(time.time())))


@router.post("/stop")
def stop(node: Node) -> SwitchView:
    """Refuse every plan from the next leg on."""
    node.stop_switch.stop(now=datetime.now(UTC))
    return SwitchView(stopped=node.stop_switch.stopped())


@router.post("/start")
def start(node: Node) -> SwitchView:
    """Answer plans again."""
    node.stop_switch.start()
    return SwitchView(stopped=node.stop_switch.stopped())
