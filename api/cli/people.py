"""``infosandbox people``: accounts, made on the coordinator's own machine.

Whoever may open the coordinator's database holds everything, so no role is asked for here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from api.auth import add_token, write_private
from api.cli.options import AsJson, say_json
from api.people.account_log import log_token, logged, logging_accounts
from api.people.accounts import COMMAND_LINE, Accounts
from api.people.roles import STAFF_ROLES, Caller, Role
from api.people.schemas import PersonName
from api.people.session_store import Sessions
from api.people.settings import SessionSettings
from api.people.setup_link import SetupLinks, setup_path
from federation.coordinator.evidence_log import Evidence, open_evidence
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database

app = typer.Typer(name="people", help="Accounts of the firm's people.", no_args_is_help=True)

Coordinator = Annotated[Path, typer.Option(help="The coordinator.toml.")]
Name = Annotated[str, typer.Argument(help="a-z, 0-9, - and _; it begins with a letter.")]
_EVERYONE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    accounts: Accounts
    links: SetupLinks
    sessions: Sessions
    evidence: Evidence


@app.command(name="list")
def list_people(*, coordinator: Coordinator, as_json: AsJson = False) -> None:
    """List every account, without the client it may belong to.

    An account is as logged if the transparency log tells its role, and whether it is closed.
    """
    with _opened(coordinator) as stores:
        found = stores.accounts.page(limit=_EVERYONE)
        told = logged(stores.evidence, [person.name for person in found])
    fits = {p.name: told.get(p.name) == (p.role, p.closed_at is not None) for p in found}
    rows = [
        {k: v for k, v in asdict(p).items() if k != "client_id"} | {"logged": fits[p.name]}
        for p in found
    ]
    if as_json:
        say_json(rows)
        return
    table = Table()
    for column in ("name", "role", "can sign in", "made by", "as logged"):
        table.add_column(column, overflow="fold")
    for person in found:
        ready, fit = ("yes" if known else "no" for known in (person.ready, fits[person.name]))
        table.add_row(person.name, person.role, ready, person.made_by, fit)
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
    with _opened(coordinator) as stores:
        now = int(time.time())
        stores.accounts.add(name=_checked(name), role=role, made_by=COMMAND_LINE, now=now)
        _print_link(name, stores, as_json=as_json)


@app.command()
def link(name: Name, *, coordinator: Coordinator, as_json: AsJson = False) -> None:
    """Print a new setup link for an account; its earlier link stops to hold."""
    with _opened(coordinator) as stores:
        stores.accounts.get(name)
        _print_link(name, stores, as_json=as_json)


@app.command()
def close(name: Name, *, coordinator: Coordinator, as_json: AsJson = False) -> None:
    """Close an account for good and end its sessions; its name stays taken."""
    with _opened(coordinator) as stores:
        stores.accounts.close(name, by=COMMAND_LINE, now=int(time.time()))
        stores.sessions.close_all(name)
    if as_json:
        say_json({"name": name, "closed": True})
    else:
        typer.echo(f"{name} is closed.")


@app.command()
def token(
    name: Name,
    role: Annotated[Role, typer.Argument(help="What its machine may do.")],
    *,
    coordinator: Coordinator,
    tokens: Annotated[Path, typer.Option(help="The JSON file of token hashes, as `serve` takes.")],
    out: Annotated[Path, typer.Option(help="A file for the token; only its owner may read it.")],
    as_json: AsJson = False,
) -> None:
    """Make a token for a machine; the API knows it when it starts again."""
    if role not in STAFF_ROLES:
        raise typer.BadParameter("a client signs in with an account")
    with _opened(coordinator) as stores:
        caller = Caller(name=_checked(name), role=role)
        secret = add_token(tokens, caller, stores.accounts)
        log_token(stores.evidence, caller, by=COMMAND_LINE, at=int(time.time()))
        write_private(out, secret + "\n")
    if as_json:
        say_json({"name": name, "role": role.value, "token": str(out)})
    else:
        typer.echo(f"The token of {name} is in {out}. Start the API again.")


def _checked(name: str) -> str:
    try:
        return TypeAdapter(PersonName).validate_python(name)
    except ValidationError:
        raise typer.BadParameter("a-z, 0-9, - and _, beginning with a letter") from None


def _print_link(name: str, stores: _Stores, *, as_json: bool) -> None:
    path = setup_path(stores.links.renew(name, by=COMMAND_LINE, now=int(time.time())))
    if as_json:
        say_json({"name": name, "setup_path": path})
    else:
        typer.echo(f"{name} sets a password within a day, at the console's address with\n  {path}")


@contextmanager
def _opened(coordinator: Path) -> Iterator[_Stores]:
    settings = load_coordinator_settings(coordinator)
    engine = open_database(settings.database)
    try:
        evidence = open_evidence(settings, engine)
        within = logging_accounts(evidence)
        yield _Stores(
            accounts=Accounts(engine, within),
            links=SetupLinks(engine, within),
            sessions=Sessions(engine, SessionSettings()),
            evidence=evidence,
        )
    finally:
        engine.dispose()
