"""``infosandbox node score``, ``explain`` and ``train``: a department's models on its own clients.

What they write is readable by its owner only; what they show stays in the terminal.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.options import AsJson, Node, say_json
from api.cli.own_tables import explained_table, judged_table, scores_table
from api.demo.show import say
from api.errors import InputInvalid
from api.node.opening import model_in, opened, plan_in
from federation.node.explaining import explained
from federation.node.local_training import train_alone
from federation.node.own import OwnNode
from federation.node.own_files import write_own
from federation.node.own_model import OwnModel, training_of
from federation.node.scoring import NEVER_TO_BE_SHARED, score_of, scored, to_parquet
from privacy.mechanisms import draw_noise

ModelFile = Annotated[Path, typer.Option("--model", help="The model's weights, safetensors.")]
PlanFile = Annotated[Path, typer.Option("--plan", help="The plan that made it, or its run.")]
Card = Annotated[
    Path | None,
    typer.Option("--card", help="What `model show --json` printed: the file must be that one."),
]
OutFile = Annotated[Path | None, typer.Option("--out", help="A file for the owner's eyes only.")]
ClientId = Annotated[
    str | None, typer.Option("--client", help="One client's id; - reads it from standard input.")
]


def score(
    *,
    model: ModelFile,
    plan: PlanFile,
    node: Node,
    card: Card = None,
    client: ClientId = None,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Score this department's clients into a Parquet file, or one client in the terminal."""
    if (client is None) == (out is None):
        raise typer.BadParameter("give --out for all clients, or --client for one")
    here, used = _both(model, plan, node, card)
    found = scored(here, used, now=int(time.time()))
    if out is not None:
        _write(out, to_parquet(found))
        told = {"file": str(out), "model_sha256": found.sha256, "consent_epoch": found.epoch}
        line = f"The scores are in {out}, for its owner only. {NEVER_TO_BE_SHARED}."
        say_json(told) if as_json else say(Console(), line)
        return
    scores = score_of(found, _client(client), used.plan.purpose)
    told = {"scores": scores, "model_sha256": found.sha256, "consent_epoch": found.epoch}
    say_json(told) if as_json else Console().print(scores_table(scores))


def explain(
    *,
    model: ModelFile,
    plan: PlanFile,
    node: Node,
    client: Annotated[
        str, typer.Option("--client", help="One client's id; - reads it from standard input.")
    ],
    card: Card = None,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Say field by field why the model scores one client of this department as it does."""
    here, used = _both(model, plan, node, card)
    found = explained(here, used, _client(client), now=int(time.time()))
    if out is not None:
        _write(out, json.dumps(asdict(found), ensure_ascii=False).encode())
    elif as_json:
        say_json(asdict(found))
    else:
        Console().print(explained_table(found))


def train(
    *,
    plan: PlanFile,
    node: Node,
    local: Annotated[
        bool, typer.Option("--local", help="On own data alone; nothing leaves, nothing is charged.")
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="A field of the plan, to judge by group.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a plan's model on this department's own clients alone, and judge it exactly."""
    if not local:
        raise typer.BadParameter("a node trains by itself with --local only; ask the desk to train")
    here = opened(node)
    training = training_of(plan_in(plan), here)
    found = train_alone(here, training, by=by, noise=draw_noise, now=int(time.time()))
    if as_json:
        say_json(asdict(found) | {"file": str(found.file), "marked": NEVER_TO_BE_SHARED})
        return
    out = Console()
    out.print(judged_table(found))
    say(out, f"The model is {found.file}, SHA-256 {found.sha256}. {NEVER_TO_BE_SHARED}.")


def _both(model: Path, plan: Path, node: Path, card: Path | None) -> tuple[OwnNode, OwnModel]:
    here = opened(node)
    return here, model_in(model, plan, here, card=card)


def _client(given: str | None) -> str:
    return sys.stdin.readline().strip() if given == "-" else given or ""


def _write(path: Path, data: bytes) -> None:
    try:
        write_own(path, data)
    except OSError as error:
        raise InputInvalid(path, f"cannot be written ({error.strerror})") from None
