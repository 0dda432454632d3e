"""Opening a department's node, a plan and a model for the department's own tools."""

from pathlib import Path

from api.request_files import read_request
from federation.node.own import OwnNode, open_own
from federation.node.own_model import OwnModel, open_model
from federation.node.settings import load_settings
from federation.plans import AnyPlan, read_plan


def opened(node: Path) -> OwnNode:
    """Open the node of a ``node.toml``."""
    return open_own(load_settings(node))


def plan_in(path: Path) -> AnyPlan:
    """Read a plan from a file of its own, or from the run that carries it out."""
    body = read_request(path)
    inner = body.get("plan")
    return read_plan(inner if isinstance(inner, dict) else body)


def model_in(path: Path, plan: Path, node: OwnNode, *, card: Path | None) -> OwnModel:
    """Open a model of a plan; with a card, only the very file that the registry names."""
    registered = None if card is None else str(read_request(card).get("sha256", ""))
    return open_model(path, plan_in(plan), node, registered=registered)
