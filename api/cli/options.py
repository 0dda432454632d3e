"""What the commands that call the API share: where it is, who calls, and how to answer."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.client import Client
from api.errors import InputInvalid

Api = Annotated[str, typer.Option("--api", help="The API's address, as `serve` or `demo` says it.")]
Token = Annotated[Path, typer.Option("--token", help="A file with your token.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; the rest on error.")
]
Node = Annotated[Path, typer.Option("--node", help="The department's node.toml.")]
Request = Annotated[Path, typer.Argument(help="A request as the API takes it, in TOML or JSON.")]


def connect(api: str, token: Path) -> Client:
    """Return a connection for the caller whose token (secret) a file holds.

    Raises:
        InputInvalid: the file cannot be read, or is empty.
    """
    try:
        secret = token.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret:
        raise InputInvalid(token, "holds no token")
    return Client.connect(api, secret)


def say_json(body: Any) -> None:  # noqa: ANN401 - any JSON
    """Write the machine's answer."""
    typer.echo(json.dumps(body, ensure_ascii=False))
