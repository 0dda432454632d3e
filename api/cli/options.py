"""What the commands that call the API share: where it is, who calls, and how to answer."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.signing_in import read_session
from api.client import Client
from api.errors import InputInvalid

Api = Annotated[
    str,
    typer.Option(
        "--api",
        help="The API's address, as `serve` or `demo` says it.",
        default_factory=str,
        show_default="where you signed in",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; the rest on error.")
]
Node = Annotated[Path, typer.Option("--node", help="The department's node.toml.")]
Request = Annotated[Path, typer.Argument(help="A request as the API takes it, in TOML or JSON.")]


def connect(api: str, token: Path) -> Client:
    """Return a connection for the caller whose token or session (secret) a file holds.

    A session is sent to the API that opened it and to no other.

    Raises:
        InputInvalid: the file cannot be read, is empty, or holds a session with another API.
    """
    session = read_session(token)
    if session is not None:
        if api.rstrip("/") not in {"", session.api.rstrip("/")}:
            raise InputInvalid(token, "is a session with another API; sign in there")
        return session.resume()
    try:
        secret = token.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret:
        raise InputInvalid(token, "holds no token; sign in with `infosandbox login`")
    if not api:
        raise typer.BadParameter("name the API's address", param_hint="--api")
    return Client.connect(api, secret)


def say_json(body: Any) -> None:  # noqa: ANN401 - any JSON
    """Write the machine's answer."""
    typer.echo(json.dumps(body, ensure_ascii=False))
