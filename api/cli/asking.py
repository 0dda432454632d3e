"""``infosandbox ask``, ``train``, ``evaluate``, ``price``, ``budget``, ``odds``: asking the API."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from api.cli.exits import Exit
from api.cli.options import Api, AsJson, Request, connect, say_json
from api.cli.signing_in import Token
from api.cli.tables import budget_table, evaluation_tables, influences_tables, price_table
from api.client import Client, Json, Refusal
from api.demo.show import cost_line, question_table, refusal_panel, say
from api.request_files import read_request
from consent.catalogue import Catalogue
from privacy.loss import Delta, Epsilon
from privacy.odds import odds_of_claim
from privacy.odds_text import Language, sentences

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")]


def ask(
    request: Request,
    *,
    api: Api,
    token: Token,
    sql: Annotated[
        str | None, typer.Option(help="One SELECT over clients; the file then says why.")
    ] = None,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Ask a question and show its answer; exit 3 if it is refused."""
    client = connect(api, token)
    if sql is None:
        carry_out("/api/v1/questions", request, client, wait=wait, as_json=as_json)
    else:
        carry_out("/api/v1/sql", request, client, wait=wait, as_json=as_json, sql=sql)


def train(
    request: Request, *, api: Api, token: Token, wait: Wait = True, as_json: AsJson = False
) -> None:
    """Train a shared model and say where it is; exit 3 if it is refused."""
    carry_out("/api/v1/trainings", request, connect(api, token), wait=wait, as_json=as_json)


def evaluate(
    request: Request, *, api: Api, token: Token, wait: Wait = True, as_json: AsJson = False
) -> None:
    """Evaluate a model: how good it is, or what drives its scores; exit 3 if it is refused."""
    carry_out("/api/v1/evaluations", request, connect(api, token), wait=wait, as_json=as_json)


def price(request: Request, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Say what a question, a training, an evaluation or a cube would cost; spends nothing."""
    body = read_request(request)
    kinds = {"target": "training", "model": "evaluation", "fields": "cube"}
    kind = next((kind for key, kind in kinds.items() if key in body), "question")
    found = connect(api, token).post("/api/v1/price", {"kind": kind} | body)
    say_json(found) if as_json else Console().print(price_table(found))


def explain(request: Request, *, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Say every reason why a plan would be refused now; exit 3 if there is one."""
    body = read_request(request)
    kind = "training" if "target" in body else "question"
    found = connect(api, token).post("/api/v1/explain", {"kind": kind} | body)
    if as_json:
        say_json(found)
    else:
        for need in found["needs"]:
            rule = f"; {need['rule']}" if need["rule"] else ""
            levels = f"level {need['level']['level']} ({need['level']['title']})"
            say(Console(), f"{need['field']}: {levels}, open to {', '.join(need['open_to'])}{rule}")
        for refusal in found["refusals"]:
            say(Console(), f"Refused ({refusal['type']}): {refusal['detail']}")
    if not found["passes"]:
        raise typer.Exit(Exit.REFUSED)


def stop(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    *,
    api: Api,
    token: Token,
    as_json: AsJson = False,
) -> None:
    """Stop a run; a training ends before its next round and keeps the rounds that are done."""
    client = connect(api, token)
    found = client.post(f"/api/v1/runs/{run}/stop", {})
    how_far = client.get(f"/api/v1/runs/{run}/training")
    if as_json:
        say_json(found | {"training": how_far})
    elif found["state"] == "refused":
        say(Console(), f"Run {run} is stopped; what it had reserved is given back.")
    else:
        done, rounds = how_far["done"], how_far["rounds"]
        say(Console(), f"Run {run} stops; {done} of {rounds} rounds are done and will be released.")


def budget(*, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Show every pool: this month, twelve months and for life side by side."""
    pools = connect(api, token).get("/api/v1/budget")
    say_json(pools) if as_json else Console().print(budget_table(pools))


def odds(
    *,
    epsilon: Annotated[float, typer.Option(help="Of one release, or of many together.")],
    delta: Annotated[float, typer.Option(help="Where ε is stated.")] = 1e-6,
    language: Annotated[Language, typer.Option(help="Of the sentences.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Say in words what ε at δ lets an attacker do. Needs no API."""
    found = odds_of_claim(Epsilon(epsilon), Delta(delta))
    text = sentences(found, language)
    if as_json:
        numbers = asdict(found) | {"epsilon": found.epsilon.value, "delta": found.delta.value}
        say_json(numbers | {"language": language, "sentences": text})
    else:
        for sentence in text:
            typer.echo(sentence)


def carry_out(
    path: str, request: Request, client: Client, *, wait: bool, as_json: bool, **more: str
) -> None:
    """Submit a request's file, follow its run and show what it released; exit 3 if refused."""
    body = read_request(request) | more
    err = Console(stderr=True)
    with err.status("asking") as status:
        run = client.submit(path, body)
        if wait and not isinstance(run, Refusal):
            run = client.follow(
                run, lambda step, part: status.update(f"{step}, {part:.0%}"), alive=lambda: None
            )
    if isinstance(run, Refusal):
        if as_json:
            say_json({"refusal": {"code": run.code, "text": run.text or run.title}})
        else:
            err.print(refusal_panel(run, str(body.get("reason", ""))))
        raise typer.Exit(Exit.REFUSED)
    if as_json:
        say_json(run)
    else:
        _show(run, client)


def _show(run: Json, client: Client) -> None:
    out = Console()
    if run["state"] != "released":
        say(out, f"Run {run['id']}: {run['step']}.")
        return
    if run["kind"] == "question":
        catalogue = Catalogue.model_validate(
            client.get("/api/v1/catalogue")["catalogue"], strict=False
        )
        out.print(question_table(run["result"], catalogue, run["plan"]["reason"]))
    elif run["kind"] == "evaluation":
        tables = influences_tables if run["result"].get("explain") else evaluation_tables
        out.print(*tables(run["result"], run["plan"]["reason"]))
    elif run["kind"] == "cube":
        say(
            out,
            f"The cube is run {run['id']}: {run['result']['tables']} tables, ask them for free.",
        )
    else:
        say(out, f"The model is {run['result']['model']}, SHA-256 {run['result']['sha256']}.")
    say(out, cost_line(run["label"], client.budget(run["purpose"])))
