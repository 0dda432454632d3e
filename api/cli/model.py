"""``infosandbox model``: what was trained, what it is worth, and what the firm does with it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.options import Api, AsJson, Token, connect, say_json
from api.cli.tables import models_table
from api.client import Client, Json
from api.demo.show import say
from api.errors import InputInvalid
from federation.coordinator.registry import Stage

app = typer.Typer(
    name="model",
    help="The model registry: versions, cards, weights and stages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(help="The model's name.")]
Number = Annotated[
    int | None, typer.Option("--version", help="Left out: the one in use, or the newest.")
]
Out = Annotated[Path, typer.Option("--out", help="The file to write.")]


@app.command("list")
def list_models(*, api: Api, token: Token, as_json: AsJson = False) -> None:
    """List every version of every model, newest first."""
    models = connect(api, token).get("/api/v1/models")
    say_json(models) if as_json else Console().print(models_table(models))


@app.command()
def show(
    name: Name, *, api: Api, token: Token, version: Number = None, as_json: AsJson = False
) -> None:
    """Show one version and its history."""
    client = connect(api, token)
    found = client.get(_place(client, name, version))
    history = client.get(f"/api/v1/models/{name}")
    if as_json:
        say_json(found | {"stages": history["stages"]})
        return
    out = Console()
    out.print(models_table([found]))
    say(out, f"Trained by run {found['run']}, plan {found['plan']}.")
    say(out, f"Weights: SHA-256 {found['sha256']}.")
    say(out, f"Code: {found['code']}.")
    for staged in history["stages"]:
        told = f"Version {staged['version']} {staged['stage']} since {staged['at']}"
        say(out, f"{told}, by {staged['who']}: {staged['reason']}")


@app.command()
def stage(
    name: Name,
    *,
    api: Api,
    token: Token,
    version: Annotated[int, typer.Option("--version", help="Which one.")],
    to: Annotated[Stage, typer.Option("--stage", help="From now on.")],
    reason: Annotated[str, typer.Option(help="Why; kept, and in the transparency log.")],
    as_json: AsJson = False,
) -> None:
    """Put a version on trial, in use, or retire it."""
    place = f"/api/v1/models/{name}/{version}/stage"
    model = connect(api, token).post(place, {"stage": to.value, "reason": reason})
    say_json(model) if as_json else say(Console(), f"{name} {version} is {model['stage']}.")


@app.command()
def export(
    name: Name, *, api: Api, token: Token, out: Out, version: Number = None, as_json: AsJson = False
) -> None:
    """Take a version's weights away as safetensors; the API has checked the file's digest."""
    client = connect(api, token)
    answer = client.call("GET", _place(client, name, version) + "/weights")
    try:
        out.write_bytes(answer.content)
    except OSError as error:
        raise InputInvalid(out, f"cannot be written ({error.strerror})") from None
    told: Json = {"file": str(out), "bytes": len(answer.content)}
    told |= {"sha256": answer.headers["X-SHA256"]}
    line = f"{told['bytes']} bytes are in {out}, SHA-256 {told['sha256']}."
    say_json(told) if as_json else say(Console(), line)


def _place(client: Client, name: str, version: int | None) -> str:
    """Return the route of a version: the one named, the one in use, or the newest."""
    if version is None:
        versions = client.get(f"/api/v1/models/{name}")["versions"]
        used = [one for one in versions if one["stage"] == Stage.IN_USE]
        version = (used or versions)[0]["version"]
    return f"/api/v1/models/{name}/{version}"
