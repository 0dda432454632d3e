"""``infosandbox cube``: release all two-way tables of some fields once, then ask them for free."""

from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.console import Console

from api.cli.asking import Wait, carry_out
from api.cli.cube_tables import cells_table, model_table, relations_table
from api.cli.options import Api, AsJson, Request, connect, say_json
from api.cli.signing_in import Token

app = typer.Typer(
    name="cube",
    help="All two-way tables of some fields, released once and asked for free.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Run = Annotated[str, typer.Argument(help="The run that released the cube.")]
Fields = Annotated[list[str], typer.Argument(help="One field, or two.")]
Target = Annotated[str, typer.Argument(help="The field to be predicted.")]
Label = Annotated[str | None, typer.Option(help="Which of its labels; left out: the last.")]
Features = Annotated[
    list[str] | None, typer.Option("--feature", help="Repeatable; left out: all other fields.")
]


@app.command()
def ask(
    request: Request, *, api: Api, token: Token, wait: Wait = True, as_json: AsJson = False
) -> None:
    """Ask for a cube; exit 3 if it is refused."""
    carry_out("/api/v1/cubes", request, connect(api, token), wait=wait, as_json=as_json)


@app.command()
def table(run: Run, fields: Fields, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Show the histogram of one field of a cube, or the crosstab of two."""
    query = urlencode([("field", name) for name in fields])
    found = connect(api, token).get(f"/api/v1/cubes/{run}/table?{query}")
    say_json(found) if as_json else Console().print(cells_table(found))


@app.command()
def relations(run: Run, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Show how strongly every two fields of a cube go together."""
    found = connect(api, token).get(f"/api/v1/cubes/{run}/relations")
    say_json(found) if as_json else Console().print(relations_table(found))


@app.command()
def model(
    run: Run,
    target: Target,
    *,
    api: Api,
    token: Token,
    label: Label = None,
    features: Features = None,
    as_json: AsJson = False,
) -> None:
    """Show a linear model of one field of a cube, given others."""
    given = [("target", target), *([("label", label)] if label else [])]
    query = urlencode([*given, *(("feature", name) for name in features or [])])
    found = connect(api, token).get(f"/api/v1/cubes/{run}/model?{query}")
    say_json(found) if as_json else Console().print(model_table(found))
