"""``infosandbox login`` and ``logout``: a person's session for the command line, kept in one file.

The password is typed and goes nowhere but to the API; what is kept is the session's cookie, which
ends by itself, in a file that only its owner may read.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from api.auth import write_private
from api.client import Client
from api.errors import InputInvalid

KEPT = Path(typer.get_app_dir("infosandbox")) / "session.json"
_HERE = {"127.0.0.1", "::1", "localhost"}

Token = Annotated[
    Path,
    typer.Option(
        "--token",
        help="A file with your token, or what `login` wrote.",
        default_factory=lambda: KEPT,
        show_default="what `login` wrote",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as it is kept: where it holds, its cookie (secret) and the token beside it."""

    api: str
    cookie: str = field(repr=False)
    csrf_token: str = field(repr=False)

    def resume(self) -> Client:
        """Speak to the API in this session."""
        headers = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf_token}
        return Client.speaking(self.api, headers)


def login(
    name: Annotated[str, typer.Argument(help="Your account's name.")],
    *,
    api: Annotated[str, typer.Option("--api", help="The API's address.")],
    token: Token,
) -> None:
    """Sign in with your account's password, which is asked for; later commands need no --token."""
    place = urlsplit(api)
    if place.scheme != "https" and place.hostname not in _HERE:
        raise typer.BadParameter("a password travels over https only, but on this machine")
    password = typer.prompt("Password", hide_input=True)
    client = Client.speaking(api, {})
    body = {"name": name, "password": password}
    answer = client.call("POST", "/api/v1/sign-in", body=body)
    cookie = "; ".join(f"{key}={value}" for key, value in answer.cookies.items())
    kept = Session(api=api, cookie=cookie, csrf_token=answer.json()["csrf_token"])
    write_private(token, json.dumps(asdict(kept)) + "\n")
    role = answer.json()["role"].replace("_", " ")
    Console().print(f"Signed in as {name}, {role}. `infosandbox logout` ends it.")


def logout(*, token: Token) -> None:
    """End the session that `login` opened, and forget it."""
    session = read_session(token)
    if session is None:
        raise InputInvalid(token, "holds no session")
    session.resume().call("POST", "/api/v1/sign-out")
    token.unlink()
    Console().print("Signed out.")


def read_session(path: Path) -> Session | None:
    """Return the session that a file keeps; None if it keeps none, as a file with a token."""
    try:
        found = json.loads(path.read_bytes())
        return Session(**found)
    except (OSError, ValueError, TypeError):
        return None
