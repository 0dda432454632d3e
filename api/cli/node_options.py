"""What the commands of a department's own node share: where it is, and how a plan is read."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import read_request
from federation.node.own import OwnNode, open_own
from federation.node.settings import load_settings
from federation.plans import AnyPlan, read_plan

Node = Annotated[Path, typer.Option("--node", help="The department's node.toml.")]


def opened(node: Path) -> OwnNode:
    """Open the department's node for its own tools."""
    return open_own(load_settings(node))


def plan_in(path: Path) -> AnyPlan:
    """Read a plan from a file of its own, or from the run that carries it out."""
    body = read_request(path)
    inner = body.get("plan")
    return read_plan(inner if isinstance(inner, dict) else body)
