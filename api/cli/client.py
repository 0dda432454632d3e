"""``infosandbox client``: what the consent service does for one client, on its own machine.

An id given on a command line stands in the shell's history: the API's doors do not have that flaw.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.people.accounts import COMMAND_LINE
from api.people.erasing import erase_everywhere
from consent.level_proof import verify
from consent.log_errors import LevelProofInvalid
from federation.coordinator.consent_desk import receipts_of
from federation.coordinator.desk import Desk, open_desk
from federation.coordinator.evidence_log import pinned_roster
from federation.coordinator.level_desk import prove_level
from federation.coordinator.lineage import uses_of
from federation.coordinator.settings import load_coordinator_settings
from federation.witness import consent_key

app = typer.Typer(
    name="client",
    help="One client: its choices, receipts, where it was counted, erasure, proofs of its level.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Client = Annotated[str, typer.Argument(help="The normalized id.")]
Coordinator = Annotated[Path, typer.Option(help="The coordinator.toml.")]
AtLeast = Annotated[int, typer.Option(help="The level to prove, 1 to 4.")]


@app.command()
def receipts(client: Client, *, coordinator: Coordinator) -> None:
    """Print a signed receipt of every change, each with the proof that the log holds it."""
    with opened(coordinator) as desk:
        echo(receipts_of(client, desk, now=datetime.now(UTC)))


@app.command()
def uses(client: Client, *, coordinator: Coordinator) -> None:
    """Print the releases that may have counted the client; never what they answered."""
    with opened(coordinator) as desk:
        echo([asdict(use) for use in uses_of(client, desk)])


@app.command()
def erase(client: Client, *, coordinator: Coordinator) -> None:
    """Withdraw the client, destroy what ties records to it, and print the proof."""
    with opened(coordinator) as desk:
        done = erase_everywhere(client, desk, by=COMMAND_LINE, now=datetime.now(UTC))
        echo(
            {
                "epoch": done.epoch,
                "log_index": done.index,
                "entry": json.loads(done.entry),
                "salt": done.salt.hex(),
                "statement": done.statement,
                **done.inclusion.model_dump(mode="json"),
            }
        )


@app.command()
def prove(
    client: Client,
    *,
    coordinator: Coordinator,
    department: Annotated[str, typer.Option(help="Who is to be shown it.")],
    at_least: AtLeast,
) -> None:
    """Print a proof that the client's level is at least so high, and not which it is."""
    with opened(coordinator) as desk:
        made = prove_level(
            client, at_least, desk, department=department, holder=b"", now=datetime.now(UTC)
        )
        echo(asdict(made) | {"anchor": made.anchor.hex(), "proof": made.proof.hex()})


@app.command()
def check(
    proof: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What `client prove` printed.")
    ],
    *,
    keys: Annotated[Path, typer.Option(help="A folder with roster.signed and root.pub.")],
    epoch: Annotated[int, typer.Option(help="The newest epoch this department knows.")],
) -> None:
    """Check a proof at a department, without a network; exit 2 if it does not hold."""
    try:
        shown = json.loads(proof.read_bytes())
        anchor, link = bytes.fromhex(shown["anchor"]), bytes.fromhex(shown["proof"])
        at_least, department = int(shown["at_least"]), str(shown["department"])
    except (ValueError, KeyError, TypeError):
        raise LevelProofInvalid("the file is not what `client prove` prints") from None
    verify(
        anchor,
        link,
        at_least,
        key=consent_key(pinned_roster(keys)),
        department=department,
        epoch=epoch,
        now=int(datetime.now(UTC).timestamp()),
    )
    echo({"holds": True, "at_least": at_least, "department": department})


@contextmanager
def opened(coordinator: Path) -> Iterator[Desk]:
    """Open the coordinator's desk for one command."""
    desk = open_desk(load_coordinator_settings(coordinator))
    try:
        yield desk
    finally:
        desk.engine.dispose()


def echo(body: object) -> None:
    """Print an answer as JSON."""
    typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
