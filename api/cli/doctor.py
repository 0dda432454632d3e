"""``infosandbox doctor``: what keeps this installation from working, and what to do about it."""

from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.exits import Exit
from api.cli.options import AsJson, say_json
from federation.deployment.checkup import (
    Check,
    Verdict,
    check_coordinator,
    check_node,
    check_port,
    check_skew,
)

_TIMEOUT_S = 5.0
_STYLES = {Verdict.OK: "green", Verdict.LOOK: "yellow", Verdict.BAD: "bold red"}


def doctor(
    *,
    coordinator: Annotated[Path | None, typer.Option(help="A coordinator.toml to look at.")] = None,
    node: Annotated[list[Path] | None, typer.Option(help="A node.toml to look at.")] = None,
    api: Annotated[str | None, typer.Option("--api", help="The API's address.")] = None,
    port: Annotated[
        list[str] | None, typer.Option(help="host:port that should be open, as the SuperLink's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for clock skew, closed ports, stale epochs, old certificates, folders not writable.

    Says what to do about each; exit 4 if anything does not work.
    """
    now, found = datetime.now(UTC), list[Check]()
    if coordinator is not None:
        found += check_coordinator(coordinator, now)
    for path in node or ():
        found += check_node(path, now)
    if api is not None:
        found += _check_api(api)
    found += [check_port(address) for address in port or ()]
    if not found:
        raise typer.BadParameter("name something to look at: --coordinator, --node, --api, --port")
    if as_json:
        say_json({"ok": not _fails(found), "checks": [asdict(check) for check in found]})
    else:
        Console().print(_table(found))
    if _fails(found):
        raise typer.Exit(Exit.PROCESS_FAILED)


def _check_api(api: str) -> list[Check]:
    """Ask the API whether it is well and what time it has."""
    parts = urlsplit(api)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reached = check_port(f"{parts.hostname or ''}:{port}")
    if reached.verdict is not Verdict.OK:
        return [reached]
    try:
        answer = httpx.get(f"{api.rstrip('/')}/readyz", timeout=_TIMEOUT_S, trust_env=False)
        ready = answer.json()
        told = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        why = type(error).__name__
        do = "Look whether this address is the API's."
        return [reached, Check(what="API", verdict=Verdict.BAD, says=f"{why}", do=do)]
    parts_ = [
        Check(
            what=f"API: {name}",
            verdict=Verdict.OK if ready.get(name) == "ok" else Verdict.BAD,
            says=str(ready.get(name)),
            do="" if ready.get(name) == "ok" else "Run doctor with --coordinator on its machine.",
        )
        for name in ("database", "ledger", "coordinator")
    ]
    return [reached, check_skew(told, datetime.now(UTC)), *parts_]


def _fails(found: list[Check]) -> bool:
    return any(check.verdict is Verdict.BAD for check in found)


def _table(found: list[Check]) -> Table:
    table = Table()
    for column in ("what", "", "says", "do"):
        table.add_column(column, overflow="fold")
    for check in found:
        style = _STYLES[check.verdict]
        verdict = f"[{style}]{check.verdict.value}[/]"
        table.add_row(escape(check.what), verdict, escape(check.says), escape(check.do))
    return table
