"""The program ``infosandbox``. An error of ours is one line and an exit code, never a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli import (
    asking,
    choices,
    client,
    cube,
    doctor,
    log,
    model,
    node,
    overseeing,
    people,
    planning,
    signing_in,
    sweeping,
    watching,
)
from api.cli.exits import KNOWN, Exit, exit_of
from api.cli.options import AsJson
from api.demo.chapters import Options
from api.demo.run import run_demo
from api.server import serve as serve_api
from api.settings import Settings
from api.up import Options as UpOptions
from api.up import run_up

EPILOG = (
    "Exit codes: 0 done, 2 bad input, 3 refused, 4 a process failed, "
    "5 something is in use, 130 interrupted."
)

app = typer.Typer(
    name="infosandbox",
    help="Departments learn from each other's clients without showing them to each other.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it would print local variables, and those hold rows
)


for choice in choices.COMMANDS:
    client.app.command()(choice)
_GROUPS = (
    log.app,
    client.app,
    model.app,
    node.app,
    people.app,
    cube.app,
    watching.app,
    sweeping.app,
)
for group in _GROUPS:
    for told in group.registered_commands:
        told.epilog = EPILOG
    app.add_typer(group, epilog=EPILOG)
_COMMANDS: tuple[Callable[..., None], ...] = (
    signing_in.login,
    signing_in.logout,
    asking.ask,
    asking.train,
    asking.evaluate,
    asking.price,
    asking.explain,
    asking.stop,
    asking.budget,
    asking.odds,
    planning.solve,
    planning.what_if,
    planning.replay,
    overseeing.approve,
    overseeing.withdrawals,
    overseeing.export,
    overseeing.verify,
    doctor.doctor,
)
for command in _COMMANDS:
    app.command(epilog=EPILOG)(command)


@app.command(epilog=EPILOG)
def demo(
    *,
    folder: Annotated[
        Path, typer.Option("--from", help="A demo folder; its README shows how to write one.")
    ] = Path("demo"),
    state: Annotated[
        Path, typer.Option(help="Keys, databases and logs; emptied if a demo made it.")
    ] = Path(".sandbox"),
    once: Annotated[bool, typer.Option("--once", help="Stop after the story.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a whole federation on this machine: ask, train, be refused; then stay up until Ctrl-C."""
    err = Console(stderr=True)
    run_demo(
        Options(folder=folder, state=state, once=once, as_json=as_json, out=Console(), err=err)
    )


@app.command(epilog=EPILOG)
def serve(
    *,
    coordinator: Annotated[Path, typer.Option(help="The coordinator.toml.")],
    tokens: Annotated[Path, typer.Option(help="The JSON file of token hashes.")],
    people: Annotated[
        Path | None, typer.Option(help="A people.toml: sessions, rates, a provider.")
    ] = None,
    port: Annotated[int, typer.Option(help="On loopback; 0 takes a free one.", min=0)] = 0,
    announce: Annotated[Path | None, typer.Option(help="Write the address to this file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The address and the first link as JSON, one a line.")
    ] = False,
) -> None:
    """Serve the API on loopback until it is told to stop."""
    settings = Settings(coordinator=coordinator, tokens=tokens, people=people)
    if not serve_api(settings, port=port, announce=announce, as_json=as_json):
        raise typer.Exit(Exit.PROCESS_FAILED)


@app.command(epilog=EPILOG)
def up(
    *,
    keys: Annotated[Path, typer.Option(help="The folder that enrolling wrote.")],
    coordinator: Annotated[Path, typer.Option(help="The coordinator.toml.")],
    node: Annotated[list[Path], typer.Option(help="A department's node.toml; one for each.")],
    tokens: Annotated[Path, typer.Option(help="The JSON file of token hashes; made if missing.")],
    people: Annotated[
        Path | None, typer.Option(help="A people.toml: sessions, rates, a provider.")
    ] = None,
    state: Annotated[Path, typer.Option(help="Logs, and Flower's own files.")] = Path("state"),
    port: Annotated[int, typer.Option(help="The API's, on loopback; 0: a free one.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Run a firm's whole federation on this machine until Ctrl-C: SuperLink, nodes and API."""
    run_up(
        UpOptions(
            keys=keys,
            coordinator=coordinator,
            nodes=tuple(node),
            tokens=tokens,
            people=people,
            state=state,
            port=port,
            as_json=as_json,
            out=Console(stderr=as_json),
        )
    )


def main() -> None:
    """Run the program."""
    try:
        app()
    except KNOWN as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        sys.exit(exit_of(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
