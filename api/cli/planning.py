"""``infosandbox solve``, ``what-if``, ``replay``: deciding what to ask. Nothing is spent."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.options import Api, AsJson, Request, connect, say_json
from api.cli.signing_in import Token
from api.client import Json
from api.demo.show import say
from api.errors import InputInvalid
from api.request_files import read_request
from privacy.odds_text import Language

Said = Annotated[Language, typer.Option("--language", help="Of the odds.")]


def solve(
    request: Request,
    *,
    api: Api,
    token: Token,
    out: Annotated[
        Path | None, typer.Option(help="Write the question here, priced, ready for `ask`.")
    ] = None,
    language: Said = "en",
    as_json: AsJson = False,
) -> None:
    """Find the least ε for the errors, or a training's AUC, that are wanted. Touches no data."""
    body = read_request(request)
    path = "/api/v1/solve-training" if "training" in body else "/api/v1/solve"
    found = connect(api, token).post(path, body)
    question = {k: v for k, v in found["plan"].items() if k not in {"catalogue", "kind"}}
    if out is not None:
        try:
            out.write_text(json.dumps(question, ensure_ascii=False, indent=2) + "\n", "utf-8")
        except OSError as error:
            raise InputInvalid(out, f"cannot be written ({error.strerror})") from None
    if as_json:
        say_json(found)
        return
    console = Console()
    if "evidence" in found:
        console.print(_evidence_table(found))
        return
    console.print(_solution_table(found))
    for sentence in found["sentences"][language]:
        say(console, sentence)


def what_if(
    request: Request,
    *,
    api: Api,
    token: Token,
    lowest: Annotated[float, typer.Option(help="Of ε.")] = 0.1,
    highest: Annotated[float, typer.Option(help="Of ε.")] = 10.0,
    points: Annotated[int, typer.Option(help="On a logarithmic scale.")] = 9,
    as_json: AsJson = False,
) -> None:
    """Show what each ε would buy: the errors, and how many questions are left."""
    asked = {"request": json.dumps(read_request(request))}
    grid = {"lowest": str(lowest), "highest": str(highest), "points": str(points)}
    found = connect(api, token).call("GET", "/api/v1/what-if", parameters=asked | grid).json()
    say_json(found) if as_json else Console().print(_curve_table(found))


def replay(
    *,
    api: Api,
    token: Token,
    budget: Annotated[
        list[str] | None, typer.Option(help="POOL=EPSILON for life; may be repeated.")
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Of every pool.")] = None,
    rho_factor: Annotated[float, typer.Option(help="On the ρ of every plan.")] = 1.0,
    since: Annotated[
        datetime | None, typer.Option(help="When the proposal comes into force, in UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the ledger's past under another policy: who would have been refused."""
    body: Json = {"budgets": dict(map(_budget, budget or [])), "rho_factor": rho_factor}
    if delta is not None:
        body["delta"] = delta
    if since is not None:
        body["since"] = since.isoformat() + "Z"
    found = connect(api, token).post("/api/v1/replay", body)
    if as_json:
        say_json(found)
        return
    console = Console()
    console.print(_pools_table(found))
    refused = len(found["refused"])
    say(console, f"{refused} of {found['requests']} requests would have been refused.")
    for one in found["refused"]:
        say(console, f"{one['at'][:16]} run {one['run']}: {one['refused_by']}")


def _budget(text: str) -> tuple[str, float]:
    pool, _, epsilon = text.partition("=")
    try:
        return pool, float(epsilon)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write POOL=EPSILON, as firm=4") from None


def _solution_table(found: Json) -> Table:
    table = Table(show_header=False)
    table.add_row("costs", f"ε = {found['epsilon']:.4g} at δ = {found['delta']:.0e}")
    for one in found["predictions"]:
        target = f"± {one['target']:,.6g} wanted"
        table.add_row(escape(one["statistic"]), f"{_error(one['half_width'])}, {target}")
    table.add_row("smallest group told from none", f"{found['smallest_group']} clients")
    table.add_row("such questions left after it", str(found["questions_left"]))
    table.add_row("needs two officers", "yes" if found["needs_approval"] else "no")
    return table


def _evidence_table(found: Json) -> Table:
    past = found["evidence"]
    table = Table(show_header=False)
    table.add_row("costs", f"ε = {found['epsilon']:.4g} at δ = {found['delta']:.0e}")
    table.add_row("because at this loss", f"the model of run {past['run']} reached")
    table.add_row("AUC", f"{past['auc']:.3f}, between {past['least']:.3f} and {past['most']:.3f}")
    table.add_row("models compared", str(found["compared"]))
    table.add_row("needs two officers", "yes" if found["needs_approval"] else "no")
    return table


def _curve_table(points: list[Json]) -> Table:
    table = Table(title="What each ε buys; ± is a 95 % interval of the noise")
    for column in ("ε", "errors", "questions left"):
        table.add_column(column, overflow="fold", justify="right")
    for point in points:
        errors = "  ".join(map(_error, point["errors"]))
        table.add_row(f"{point['epsilon']:.3g}", errors, str(point["questions_left"]))
    return table


def _pools_table(found: Json) -> Table:
    table = Table(title="Every pool under the proposal, for life")
    for column in ("pool", "ρ given", "charged", "left", "first refusal", "lasts until"):
        table.add_column(column, overflow="fold", justify="left" if column == "pool" else "right")
    for name, pool in found["pools"].items():
        sums = (f"{pool[key]:.4g}" for key in ("budget_rho", "charged_rho", "remaining_rho"))
        until = (pool["lasts_until"] or "for good")[:10]
        ends = (
            (pool["first_refusal"] or "none")[:10],
            until if found["enough_history"] else "too early to say",
        )
        table.add_row(escape(name), *sums, *ends)
    return table


def _error(half_width: float | None) -> str:
    return "too few to tell" if half_width is None else f"± {half_width:,.6g}"
