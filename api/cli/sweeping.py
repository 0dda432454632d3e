"""``infosandbox sweep``: price recipes, try them, see which one to take, stop."""

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.options import Api, AsJson, Request, connect, say_json
from api.cli.signing_in import Token
from api.client import Client, Json
from api.demo.show import say
from api.request_files import read_request
from api.sweep_schemas import RecipeRequest

_LOOK_S = 1.0
_PLACE = "/api/v1/sweeps"
_KEYS = tuple(RecipeRequest.model_fields)

app = typer.Typer(
    name="sweep",
    help="Recipes that are tried on real clients, priced as one sum.",
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(help="The sweep's id, as `list` shows it.")]


@app.command()
def price(request: Request, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Say what trying all the recipes would cost; spends nothing."""
    found = connect(api, token).post(f"{_PLACE}/price", read_request(request))
    say_json(found) if as_json else say(Console(), _costs(found))


@app.command("try")
def begin(
    request: Request,
    *,
    api: Api,
    token: Token,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    as_json: AsJson = False,
) -> None:
    """Try the recipes of a file one after the other, each judged on the hold-out."""
    client, body = connect(api, token), read_request(request)
    err = Console(stderr=True)
    say(err, _costs(client.post(f"{_PLACE}/price", body)))
    found = client.post(_PLACE, body)
    with err.status("trying") as status:
        while wait and found["state"] == "trying":
            status.update(f"{_done(found)} of {len(found['recipes'])} recipes are judged")
            time.sleep(_LOOK_S)
            found = _read(client, found["id"])
    _show(found, as_json=as_json)


@app.command("list")
def list_all(*, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Show every sweep, the newest first."""
    sweeps = connect(api, token).get(_PLACE)
    if as_json:
        say_json(sweeps)
        return
    table = Table(title="Sweeps")
    for column in ("sweep", "why", "state", "judged"):
        table.add_column(column, overflow="fold")
    for one in sweeps:
        done = f"{_done(one)} of {len(one['recipes'])}"
        table.add_row(one["id"], escape(one["recipes"][0]["plan"]["reason"]), one["state"], done)
    Console().print(table)


@app.command()
def show(sweep: Id, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Show one sweep's recipes and which of them to take."""
    _show(_read(connect(api, token), sweep), as_json=as_json)


@app.command()
def stop(sweep: Id, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Stop a sweep: what was paid for is kept, the rest is given back."""
    _show(connect(api, token).post(f"{_PLACE}/{sweep}/stop", {}), as_json=as_json)


def _read(client: Client, sweep: str) -> Json:
    found: Json = client.get(f"{_PLACE}/{sweep}")
    return found


def _done(sweep: Json) -> int:
    return sum(1 for one in sweep["recipes"] if one["auc"] is not None)


def _costs(price: Json) -> str:
    return (
        f"{price['runs']} runs cost ε = {price['epsilon']:.4g} at δ = {price['delta']:.0e} in all: "
        f"ρ {price['rho']:.4g} of {price['remaining_rho']:.4g} left now."
    )


def _show(sweep: Json, *, as_json: bool) -> None:
    if as_json:
        say_json(sweep)
        return
    plans = [one["plan"] for one in sweep["recipes"]]
    keys = [key for key in _KEYS if any(plan[key] != plans[0][key] for plan in plans)]
    table = Table(title=f"Sweep {sweep['id']} is {sweep['state']}", title_justify="left")
    for column in ("recipe", *keys, "AUC", "95 % of the noise", "run"):
        table.add_column(column, overflow="fold")
    for place, one in enumerate(sweep["recipes"], start=1):
        told = [one["refusal"] or "–", ""]
        if one["auc"] is not None:
            low, high = one["interval"]
            told = [f"{one['auc']:.3f}", f"{low:.3f} to {high:.3f}"]
        values = [str(one["plan"][key]) for key in keys]
        table.add_row(str(place), *values, *told, one["training"] or "")
    out = Console()
    out.print(table)
    say(out, verdict_in_words(sweep))


def verdict_in_words(sweep: Json) -> str:
    """Say which recipe to take, and whether the noise lets anyone tell."""
    found = sweep["recommends"]
    if found is None:
        return "No recipe is judged yet."
    best, alike = found["best"] + 1, [str(place + 1) for place in found["alike"]]
    if not alike:
        return f"Take recipe {best}: it is ahead of the others by more than the noise."
    return (
        f"Recipe {best} has the highest AUC, but the noise does not let it be told from "
        f"{', '.join(alike)}: take the simplest of these."
    )
