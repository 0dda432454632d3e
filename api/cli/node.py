"""``infosandbox node``: what a department's own people do at their own node. Nothing leaves it."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.exits import Exit
from api.cli.node_tables import leaves_tables
from api.cli.options import AsJson, read_request, say_json
from federation.node.own import OwnNode, open_own
from federation.node.settings import load_settings
from federation.node.what_leaves import WhatLeaves, what_leaves
from federation.plans import AnyPlan, read_plan

app = typer.Typer(
    name="node",
    help="A department's own tools, on its own node. Nothing they show leaves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Node = Annotated[Path, typer.Option("--node", help="The department's node.toml.")]
PlanFile = Annotated[Path, typer.Option("--plan", help="A plan as JSON, or a run that holds it.")]


@app.command("what-leaves")
def show_what_leaves(
    plan: Annotated[Path, typer.Argument(help="A plan as JSON, or a run that holds it.")],
    *,
    node: Node,
    as_json: AsJson = False,
) -> None:
    """Say what a plan would open, send and cost here, before agreeing; exit 3 if it is refused."""
    found = what_leaves(opened(node), plan_in(plan), now=datetime.now(UTC))
    say_json(_as_json(found)) if as_json else Console().print(leaves_tables(found))
    if not found.agreed:
        raise typer.Exit(Exit.REFUSED)


def opened(node: Path) -> OwnNode:
    """Open the department's node for its own tools."""
    return open_own(load_settings(node))


def plan_in(path: Path) -> AnyPlan:
    """Read a plan from a file of its own, or from the run that carries it out."""
    body = read_request(path)
    inner = body.get("plan")
    return read_plan(inner if isinstance(inner, dict) else body)


def _as_json(found: WhatLeaves) -> dict[str, object]:
    sent = [asdict(one) | {"bytes": one.bytes} for one in found.tensors]
    return asdict(found) | {"agreed": found.agreed, "tensors": sent}
