"""``infosandbox monitor``: save a question with a schedule, list monitors, stop one."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.options import Api, AsJson, Request, connect, say_json
from api.cli.signing_in import Token
from api.client import Json
from api.request_files import read_request

app = typer.Typer(name="monitor", help="Questions that are asked again and again.")


@app.command("save")
def save(request: Request, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Watch a question: the file holds it, its schedule and its false-alarm rate."""
    _show([connect(api, token).post("/api/v1/monitors", read_request(request))], as_json=as_json)


@app.command("list")
def list_all(*, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Show every monitor and whether its last tick found a change."""
    _show(connect(api, token).get("/api/v1/monitors"), as_json=as_json)


@app.command("stop")
def stop(
    monitor: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
    *,
    api: Api,
    token: Token,
    as_json: AsJson = False,
) -> None:
    """Stop a monitor; what its further ticks would cost is given back."""
    answer = connect(api, token).call("DELETE", f"/api/v1/monitors/{monitor}")
    _show([answer.json()], as_json=as_json)


def _show(monitors: list[Json], *, as_json: bool) -> None:
    if as_json:
        say_json(monitors)
        return
    table = Table(title="Monitors")
    for column in ("monitor", "why", "state", "ticks", "ρ a tick", "alert"):
        table.add_column(column, overflow="fold")
    for one in monitors:
        changed = [c["figure"] for t in one["history"][-1:] for c in t["changes"] or []]
        table.add_row(
            one["id"],
            escape(str(one["question"]["reason"])),
            one["state"],
            f"{one['begun']} of {one['ticks']}",
            f"{one['rho_per_tick']:.4g}",
            escape("; ".join(changed)) if one["alert"] else "no",
        )
    Console().print(table)
