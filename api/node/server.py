"""One process that serves a node's own door: on loopback, or with TLS under another address."""

import ssl
from pathlib import Path

import uvicorn

from api.errors import InputInvalid
from api.node.app import create_node_app
from api.node.auth import TOKEN_FILE
from api.node.settings import DoorSettings
from api.server import listening
from federation.deployment.processes import LOOPBACK
from federation.node.settings import load_settings


def serve_node(
    settings: DoorSettings,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    certificate: Path | None = None,
    private_key: Path | None = None,
) -> bool:
    """Serve until the process is told to stop.

    Args:
        settings: of the door.
        host: an address of this machine; another one than loopback needs both files.
        port: 0 takes a free one.
        certificate: of TLS, PEM.
        private_key: its key, PEM.

    Returns:
        False if it could not start.

    Raises:
        PortInUse: the port is taken.
        InputInvalid: the certificate and its key cannot be used.
        SettingsInvalid: by the node's settings.
    """
    state = load_settings(settings.node).state
    if certificate is not None:
        _check_pair(certificate, private_key)
    with listening(port, host=host) as listener:
        scheme = "http" if certificate is None else "https"
        address = f"{scheme}://{host}:{listener.getsockname()[1]}"
        print(f"The node's own door: {address}, token in {state / TOKEN_FILE}", flush=True)  # noqa: T201 - what a person waits for
        config = uvicorn.Config(
            create_node_app(settings),
            access_log=False,
            log_level="warning",
            server_header=False,
            lifespan="on",
            ssl_certfile=certificate,
            ssl_keyfile=private_key,
        )
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
    return server.started


def _check_pair(certificate: Path, private_key: Path | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError):
        raise InputInvalid(certificate, "is no certificate with its private key") from None
