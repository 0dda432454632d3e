"""``infosandbox people``: accounts, made on the coordinator's own machine.

Whoever may open the coordinator's database holds everything, so no role is asked for here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from api.cli.options import AsJson, say_json
from api.people.accounts import Accounts
from api.people.roles import STAFF_ROLES, Role
from api.people.schemas import PersonName
from api.people.session_store import Sessions
from api.people.settings import SessionSettings
from api.people.setup_link import SetupLinks, setup_path
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database

app = typer.Typer(name="people", help="Accounts of the firm's people.", no_args_is_help=True)

Coordinator = Annotated[Path, typer.Option(help="The coordinator.toml.")]
Name = Annotated[str, typer.Argument(help="a-z, 0-9, - and _; it begins with a letter.")]
MADE_BY = "command line"
_EVERYONE = 1_000_000


@app.command(name="list")
def list_people(*, coordinator: Coordinator, as_json: AsJson = False) -> None:
    """List every account, without the client it may belong to."""
    with _opened(coordinator) as engine:
        found = Accounts(engine).page(limit=_EVERYONE)
    rows = [{k: v for k, v in asdict(p).items() if k != "client_id"} for p in found]
    if as_json:
        say_json(rows)
        return
    table = Table()
    for column in ("name", "role", "can sign in", "made by"):
        table.add_column(column)
    for person in found:
        table.add_row(person.name, person.role, "yes" if person.ready else "no", person.made_by)
    Console().print(table)


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Argument(help="A client's account is made by a steward.")],
    *,
    coordinator: Coordinator,
    as_json: AsJson = False,
) -> None:
    """Make an account and print its setup link, once."""
    if role not in STAFF_ROLES:
        raise typer.BadParameter("a steward makes a client's account, over the API")
    with _opened(coordinator) as engine:
        Accounts(engine).add(name=_checked(name), role=role, made_by=MADE_BY, now=int(time.time()))
        _print_link(name, engine, as_json=as_json)


@app.command()
def link(name: Name, *, coordinator: Coordinator, as_json: AsJson = False) -> None:
    """Print a new setup link for an account; its earlier link stops to hold."""
    with _opened(coordinator) as engine:
        Accounts(engine).get(name)
        _print_link(name, engine, as_json=as_json)


@app.command()
def close(name: Name, *, coordinator: Coordinator, as_json: AsJson = False) -> None:
    """Close an account for good and end its sessions; its name stays taken."""
    with _opened(coordinator) as engine:
        Accounts(engine).close(name, int(time.time()))
        Sessions(engine, SessionSettings()).close_all(name)
    if as_json:
        say_json({"name": name, "closed": True})
    else:
        typer.echo(f"{name} is closed.")


def _checked(name: str) -> str:
    try:
        return TypeAdapter(PersonName).validate_python(name)
    except ValidationError:
        raise typer.BadParameter("a-z, 0-9, - and _, beginning with a letter") from None


def _print_link(name: str, engine: Engine, *, as_json: bool) -> None:
    path = setup_path(SetupLinks(engine).renew(name, int(time.time())))
    if as_json:
        say_json({"name": name, "setup_path": path})
    else:
        typer.echo(f"{name} sets a password within a day, at the console's address with\n  {path}")


@contextmanager
def _opened(coordinator: Path) -> Iterator[Engine]:
    engine = open_database(load_coordinator_settings(coordinator).database)
    try:
        yield engine
    finally:
        engine.dispose()
