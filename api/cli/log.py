"""``infosandbox log``: download the transparency log, and check a download without a network."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.exits import Exit
from consent.transparency import Report, verify_export
from federation.coordinator.desk import open_desk
from federation.coordinator.evidence_log import pinned_roster, publish, published_log
from federation.coordinator.settings import load_coordinator_settings
from federation.witness import log_key, witness_keys

app = typer.Typer(
    name="log",
    help="The transparency log: everything that happened, and proof that nothing was changed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def verify(
    download: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="As the API or `log export` gave it."),
    ],
    *,
    keys: Annotated[Path, typer.Option(help="A folder with your own roster.signed and root.pub.")],
    quorum: Annotated[
        int | None, typer.Option(help="Cosignatures to ask for; all departments' if left out.")
    ] = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help="A checkpoint you kept from before; repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check every entry, proof and signature of a download; exit 3 if anything is wrong."""
    roster = pinned_roster(keys)
    witnesses = witness_keys(roster)
    report = verify_export(
        download.read_bytes(),
        log=log_key(roster),
        witnesses=list(witnesses.values()),
        quorum=len(witnesses) if quorum is None else quorum,
        kept=[path.read_text(encoding="utf-8") for path in kept or ()],
    )
    if as_json:
        typer.echo(json.dumps(_as_json(report), ensure_ascii=False))
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(Exit.REFUSED)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    *,
    coordinator: Annotated[Path, typer.Option(help="The coordinator.toml.")],
) -> None:
    """Sign the log as it is now and write all of it to a file."""
    desk = open_desk(load_coordinator_settings(coordinator))
    try:
        publish(desk.evidence)
        with out.open("wb") as file:
            file.writelines(published_log(desk.evidence))
    finally:
        desk.engine.dispose()


def _as_json(report: Report) -> dict[str, object]:
    return {
        "ok": report.ok,
        "size": report.size,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "kinds": dict(report.kinds),
        "cosignatures": [
            {"witness": each.witness, "at": _time(each.at)} for each in report.cosignatures
        ],
        "findings": [{"wrong": each.wrong, "text": each.text} for each in report.findings],
    }


def _print(report: Report) -> None:
    out = Console(highlight=False, soft_wrap=True)
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.kinds.items())
    out.print(f"{report.size} entries under {report.checkpoints} checkpoints: {kinds or 'none'}")
    out.print(f"root {report.root.hex()}")
    for each in report.cosignatures:
        out.print(f"cosigned by {each.witness} at {_time(each.at)}", markup=False)
    for finding in report.findings:
        out.print(finding.text, markup=False, style="bold red")
    out.print("whole: nothing is wrong" if report.ok else "NOT whole: see above")


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
