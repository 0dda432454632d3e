"""One API process: uvicorn on loopback, on a free port unless one is asked for."""

import json
import socket
from functools import partial
from pathlib import Path

import uvicorn

from api.app import create_app
from api.auth import write_private
from api.settings import Settings
from federation.deployment.errors import PortInUse
from federation.deployment.processes import LOOPBACK

_BACKLOG = 64


def serve(
    settings: Settings, *, port: int = 0, announce: Path | None = None, as_json: bool = False
) -> bool:
    """Serve until the process is told to stop.

    Args:
        settings: where its files are.
        port: on loopback; 0 takes a free one.
        announce: a file to write the address to, once it listens.
        as_json: say what a person waits for as JSON, one object a line.

    Returns:
        False if it could not start; the log says which file it stands on cannot be used.

    Raises:
        PortInUse: the port is taken.
    """
    with listening(port) as listener:
        address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        if announce is None:
            _say({"address": address}, f"The API listens on {address}", as_json=as_json)
        else:
            write_private(announce, address)
        config = uvicorn.Config(
            create_app(settings, first_start=partial(_invite, address, as_json=as_json)),
            access_log=False,  # it would log paths, and a path may name a client
            log_level="warning",
            server_header=False,
            lifespan="on",
        )
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
    return server.started


def _invite(address: str, path: str, *, as_json: bool) -> None:
    told = "Nobody can sign in yet. The first privacy officer sets a password, within a day, at"
    _say({"setup": f"{address}{path}"}, f"{told}\n  {address}{path}", as_json=as_json)


def _say(fact: dict[str, str], text: str, *, as_json: bool) -> None:
    print(json.dumps(fact) if as_json else text, flush=True)  # noqa: T201 - what a person waits for


def listening(port: int, *, host: str = LOOPBACK) -> socket.socket:
    """Listen on an address of this machine; port 0 takes a free one. PortInUse if it is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise PortInUse(port) from None
    listener.listen(_BACKLOG)
    return listener
