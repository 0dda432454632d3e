"""``infosandbox node``: what a department's own people do at their own node. Nothing leaves it."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli import own
from api.cli.exits import Exit
from api.cli.node_tables import leaves_tables
from api.cli.options import AsJson, Node, say_json
from api.node.opening import opened, plan_in
from api.node.server import serve_node
from api.node.settings import DoorSettings
from federation.deployment.processes import LOOPBACK
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


@app.command()
def serve(
    *,
    node: Node,
    model: Annotated[
        Path | None, typer.Option("--model", help="What to score with; needs --plan.")
    ] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="The plan that made it.")] = None,
    card: own.Card = None,
    host: Annotated[str, typer.Option("--host", help="Another one than loopback needs TLS.")] = (
        LOOPBACK
    ),
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0)] = 0,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="TLS: the certificate, PEM.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", help="TLS: its key, PEM.")
    ] = None,
) -> None:
    """Serve the department's own page and API, for whoever can read the node's token file."""
    if (model is None) != (plan is None):
        raise typer.BadParameter("--model and --plan belong together")
    if host != LOOPBACK and (certificate is None or private_key is None):
        raise typer.BadParameter("beyond loopback the door needs --certificate and --private-key")
    settings = DoorSettings(
        node=node, model=model, plan=plan, card=card, hosts=(host, LOOPBACK, "localhost")
    )
    served = serve_node(
        settings, host=host, port=port, certificate=certificate, private_key=private_key
    )
    if not served:
        raise typer.Exit(Exit.PROCESS_FAILED)


def _as_json(found: WhatLeaves) -> dict[str, object]:
    sent = [asdict(one) | {"bytes": one.bytes} for one in found.tensors]
    return asdict(found) | {"agreed": found.agreed, "tensors": sent}
