"""``infosandbox model``: what was trained, what it is worth, and what the firm does with it."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from api.cli.exits import Exit
from api.cli.options import Api, AsJson, connect, say_json
from api.cli.signing_in import Token
from api.cli.tables import models_table
from api.client import Client, Json, Refusal
from api.demo.show import refusal_panel, say
from api.errors import InputInvalid
from federation.coordinator.registry import Stage
from privacy.odds_text import Language

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
Form = Literal["weights", "onnx"]
Out = Annotated[Path, typer.Option("--out", help="The file to write.")]


@app.command("list")
def list_models(*, api: Api, token: Token, as_json: AsJson = False) -> None:
    """List every version of every model, newest first."""
    models = connect(api, token).every("/api/v1/models?limit=200")
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
def card(
    name: Name,
    *,
    api: Api,
    token: Token,
    version: Number = None,
    language: Annotated[Language, typer.Option(help="Of the page.")] = "en",
    out: Annotated[Path | None, typer.Option("--out", help="Write the page to this file.")] = None,
) -> None:
    """Print a version's model card as JSON, or write it as one page to a file."""
    client = connect(api, token)
    place = _place(client, name, version)
    if out is None:
        say_json(client.get(f"{place}/card"))
        return
    _write(out, client.call("GET", f"{place}/card.html", parameters={"language": language}).content)
    say(Console(), f"The card is in {out}.")


@app.command()
def export(
    name: Name,
    *,
    api: Api,
    token: Token,
    out: Out,
    version: Number = None,
    form: Annotated[Form, typer.Option("--format", help="Of the file.")] = "weights",
    as_json: AsJson = False,
) -> None:
    """Take a version away, as safetensors or as ONNX; the API has checked the file's digest."""
    client = connect(api, token)
    answer = client.call("GET", f"{_place(client, name, version)}/{form}")
    _write(out, answer.content)
    told: Json = {"file": str(out), "bytes": len(answer.content)}
    told |= {"sha256": answer.headers["X-SHA256"]}
    line = f"{told['bytes']} bytes are in {out}, SHA-256 {told['sha256']}."
    say_json(told) if as_json else say(Console(), line)


@app.command()
def retrain(
    name: Name, *, api: Api, token: Token, version: Number = None, as_json: AsJson = False
) -> None:
    """Train a version again, under today's consent and catalogue: those who left are left out."""
    client = connect(api, token)
    request = client.get(f"{_place(client, name, version)}/request")
    run = client.submit("/api/v1/trainings", request)
    if isinstance(run, Refusal):
        Console(stderr=True).print(refusal_panel(run, str(request["reason"])))
        raise typer.Exit(Exit.REFUSED)
    say_json(run) if as_json else say(Console(), f"Run {run['id']}: {run['step']}.")


def _write(out: Path, data: bytes) -> None:
    try:
        out.write_bytes(data)
    except OSError as error:
        raise InputInvalid(out, f"cannot be written ({error.strerror})") from None


def _place(client: Client, name: str, version: int | None) -> str:
    """Return the route of a version: the one named, the one in use, or the newest."""
    if version is None:
        versions = client.get(f"/api/v1/models/{name}")["versions"]
        used = [one for one in versions if one["stage"] == Stage.IN_USE]
        version = (used or versions)[0]["version"]
    return f"/api/v1/models/{name}/{version}"
