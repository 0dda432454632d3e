"""``infosandbox node``: what a department's own people do at their own node. Nothing leaves it."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli import own
from api.cli.exits import Exit
from api.cli.node_options import Node, opened, plan_in
from api.cli.node_tables import leaves_tables
from api.cli.options import AsJson, say_json
from federation.node.what_leaves import WhatLeaves, what_leaves

app = typer.Typer(
    name="node",
    help="A department's own tools, on its own node. Nothing they show leaves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for command in (own.score, own.explain, own.train):
    app.command()(command)


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


def _as_json(found: WhatLeaves) -> dict[str, object]:
    sent = [asdict(one) | {"bytes": one.bytes} for one in found.tensors]
    return asdict(found) | {"agreed": found.agreed, "tensors": sent}
