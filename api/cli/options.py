"""What the commands that call the API share: where it is, who calls, and how to answer."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from api.client import Client, Json
from api.errors import InputInvalid

Api = Annotated[str, typer.Option("--api", help="The API's address, as `serve` or `demo` says it.")]
Token = Annotated[Path, typer.Option("--token", help="A file with your token.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
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


def read_request(path: Path) -> Json:
    """Read a request from TOML, or from JSON if the file's name says so.

    Raises:
        InputInvalid: it cannot be read, or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputInvalid(path, f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputInvalid(path, f"is neither TOML nor JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputInvalid(path, "holds no request")
    return found


def say_json(body: Any) -> None:  # noqa: ANN401 - any JSON
    """Write the machine's answer."""
    typer.echo(json.dumps(body, ensure_ascii=False))
