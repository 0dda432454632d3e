"""``infosandbox approve``, ``export``, ``verify``: what officers and auditors do."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.exits import Exit
from api.cli.options import Api, AsJson, connect, say_json
from api.cli.signing_in import Token
from api.cli.tables import approvals_table, opinions_table, report_tables, withdrawals_table
from api.demo.show import say
from api.errors import InputInvalid
from federation.coordinator.evidence_log import pinned_roster
from federation.coordinator.verify import Report
from federation.coordinator.verify import verify as check
from privacy.entries import Opinion


def approve(
    run: Annotated[
        str | None, typer.Argument(help="A run that waits; left out: list them.")
    ] = None,
    *,
    api: Api,
    token: Token,
    opinion: Annotated[Opinion | None, typer.Option(help="Yours; it stands.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; goes into the ledger.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs that wait for two officers, show one, or give your opinion on it."""
    client = connect(api, token)
    if run is None:
        waiting = client.get("/api/v1/approvals")
        say_json(waiting) if as_json else Console().print(approvals_table(waiting))
        return
    place = f"/api/v1/approvals/{run}"
    if opinion is None:
        approval = client.get(place)
    else:
        approval = client.post(place, {"opinion": opinion.value, "reason": reason or ""})
    if as_json:
        say_json(approval)
    else:
        state = approval["run"]["state"]
        say(Console(), f"Run {run} is {state}; {approval['given']} of 2 opinions are in.")
        Console().print(opinions_table(approval))


def withdrawals(*, api: Api, token: Token, as_json: AsJson = False) -> None:
    """Say of each release roughly how many of its clients have withdrawn since."""
    found = connect(api, token).every("/api/v1/withdrawals?limit=200")
    say_json(found) if as_json else Console().print(withdrawals_table(found))


def export(
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    *,
    api: Api,
    token: Token,
    as_json: AsJson = False,
) -> None:
    """Take the evidence away: ledger, policies, plans, labels and log in one file."""
    data = connect(api, token).call("GET", "/api/v1/evidence").content
    try:
        out.write_bytes(data)
    except OSError as error:
        raise InputInvalid(out, f"cannot be written ({error.strerror})") from None
    told = {"file": str(out), "bytes": len(data), "lines": data.count(b"\n")}
    say_json(told) if as_json else typer.echo(f"{told['lines']} lines are in {out}.")


def verify(
    evidence: Annotated[Path, typer.Argument(help="As `export` or the API gave it.")],
    *,
    head: Annotated[
        str | None, typer.Option(help="Digest of a ledger entry that you kept elsewhere.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="A folder with your own roster.signed and root.pub.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute everything in an evidence file without a network; exit 3 if anything is wrong."""
    try:
        data = evidence.read_bytes()
    except OSError as error:
        raise InputInvalid(evidence, f"cannot be read ({error.strerror})") from None
    report = check(data, head=head, roster=None if keys is None else pinned_roster(keys))
    if as_json:
        say_json(_plain(report))
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(Exit.REFUSED)


def _plain(report: Report) -> dict[str, object]:
    return asdict(report) | {"ok": report.ok}


def _print(report: Report) -> None:
    out = Console()
    for table in report_tables(report):
        out.print(table)
    counts = f"{report.entries} ledger entries, {report.runs} runs, {report.releases} releases"
    say(out, f"{counts}; {report.cosignatures} cosignatures; head {report.head}")
    for repair in report.repairs:
        say(out, f"The ledger was repaired: {repair}.")
    for unchecked in report.unchecked:
        say(out, f"Not checked: {unchecked.value}.")
    verdict = "Everything that was checked holds." if report.ok else "This evidence is not whole."
    out.print(verdict, style="green" if report.ok else "bold red")
