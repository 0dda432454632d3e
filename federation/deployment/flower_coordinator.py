"""Flower at the coordinator: the guarded SuperLink, SuperExec, control client and Grid.

One of the three files that use flwr's internals (1.41.0); `tests/protocol/test_flower_contract.py`
holds every one of them to what is relied on here. ``python -m`` with this module and ``superlink``,
``superexec`` or ``serverapp`` takes the arguments of Flower's own programs of these names.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Self, TypeVar

import httpx
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)
from flwr.common.constant import ErrorCode
from flwr.proto import control_pb2, fab_pb2
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext

from federation.deployment.bundle import bundle_digest
from federation.deployment.doorbell import Doorbell
from federation.deployment.errors import ControlRefused
from federation.deployment.flower_waits import (
    offer_parts_twice,
    outlast_superlink,
    shorten_pulls,
)
from federation.deployment.guard import Application, Guard
from federation.deployment.processes import leashed, wait_for

MODULE = "federation.deployment.flower_coordinator"

TOKEN_FILE = "INFOSANDBOX_CONTROL_TOKEN_FILE"  # noqa: S105 - the name of a variable
"""Environment variable that names the file with the SuperLink's control token."""

AFTER = "INFOSANDBOX_AFTER"
"""Environment variable: a SuperExec or SuperNode connects once the file it names exists."""

GONE = frozenset(
    {ErrorCode.NODE_UNAVAILABLE, ErrorCode.CLIENT_APP_CRASHED, ErrorCode.MESSAGE_UNAVAILABLE}
)
"""The errors with which Flower itself replies for a node or a worker that is no longer there, or
that went before it had sent all of its reply."""

_FEDERATION = "@none/default"


def _paths(api: str, *names: str) -> frozenset[str]:
    return frozenset(f"/v1/{api}/{name}" for name in names)


_MESSAGES = (
    "pull-messages",
    "push-messages",
    "pull-object",
    "push-object",
    "confirm-message-received",
)
CONTROL_PATHS = _paths("control", "start-run", "list-runs", "register-node", "list-nodes")
FLEET_PATHS = _paths(
    "fleet",
    *_MESSAGES,
    "activate-node",
    "deactivate-node",
    "send-node-heartbeat",
    "get-run",
    "get-fab",
)
TASK_PATHS = _paths(
    "runtime",
    *_MESSAGES,
    "acquire-task",
    "pull-task-input",
    "push-task-output",
    "send-task-heartbeat",
)
SERVER_APP_PATHS = _paths("runtime", "get-nodes", "push-logs")


def guarded_superlink(flower: Application, token: bytes) -> Guard:
    """Put Flower's SuperLink behind the guard and the doorbell.

    Fleet paths are for every peer and ask for a registered node's signature; task paths are for
    this machine and ask for a task token or the SuperExec secret (Flower checks those); control
    paths are for this machine and ask for ``token`` (secret, checked by the guard).
    """
    doorbell = Doorbell(
        application=flower,
        holds={
            "/v1/fleet/pull-messages": "asked",
            "/v1/runtime/pull-messages": "answered",
            "/v1/runtime/acquire-task": "started",
        },
        rings={"/v1/control/start-run": "started"},
        parts={"/v1/runtime/push-object": "asked", "/v1/fleet/push-object": "answered"},
    )
    return Guard(
        application=doorbell,
        open_paths=FLEET_PATHS,
        local_paths=TASK_PATHS | SERVER_APP_PATHS,
        token_paths=CONTROL_PATHS,
        token=token,
    )


def superlink() -> None:
    """Run a guarded SuperLink until it is told to stop; reads flower-superlink's arguments."""
    uvicorn = importlib.import_module("uvicorn")
    cli = importlib.import_module("flwr.superlink.cli.flower_superlink")
    main = importlib.import_module("flwr.superlink.main")
    token = Path(os.environ[TOKEN_FILE]).read_bytes().strip()
    config = cli._parse_superlink_lifespan_config()  # noqa: SLF001 - see the contract test
    uvicorn.run(
        guarded_superlink(main.create_app(config, cli.SuperLinkLifespan), token),
        host=config.host,
        port=config.port,
        ssl_keyfile=config.ssl_keyfile,
        ssl_certfile=config.ssl_certfile,
        access_log=False,
        log_level="warning",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def superexec() -> None:
    """Run a SuperExec for ServerApps only; keep their output, and let none outlive it."""
    cli = importlib.import_module("flwr.supercore.cli.flower_superexec")
    plugin = importlib.import_module("flwr.supercore.superexec.plugin").AutoExecPlugin
    plugin.supported_task_types = frozenset({TaskType.SERVER_APP})
    plugin.suppress_output = False
    launcher = importlib.import_module("flwr.supercore.superexec.executor.subprocess_executor")
    launcher.subprocess = SimpleNamespace(Popen=_start_server_app)  # type: ignore[attr-defined]
    outlast_superlink()
    wait_for(os.environ.get(AFTER))
    cli.flower_superexec()


def _start_server_app(command: Sequence[str]) -> None:
    """Start what Flower's command says; its token goes over a pipe, where ``ps`` does not look."""
    at = command.index("--token")
    arguments, token = [*command[1:at], *command[at + 2 :]], command[at + 1]
    ours = leashed([sys.executable, "-P", "-m", MODULE, "serverapp", *arguments])
    child = subprocess.Popen(ours, stdin=subprocess.PIPE)  # noqa: S603 - flwr's own arguments
    if child.stdin is not None:
        child.stdin.write(token.encode())
        child.stdin.close()


def serverapp() -> None:
    """Run one ServerApp; its task token comes on standard input. Flower's waits are shortened."""
    sys.argv += ["--token", sys.stdin.read()]
    cli = importlib.import_module("flwr.superlink.cli.flwr_serverapp")
    outlast_superlink()
    grid = importlib.import_module("flwr.superlink.grid.http_grid")
    shorten_pulls(grid)
    offer_parts_twice(grid)
    cli.flwr_serverapp()


def node_key_pem(openssh: str) -> bytes:
    """Turn a roster's SuperNode key into the bytes that Flower shows as ``NodeInfo.public_key``."""
    key = load_ssh_public_key(openssh.encode())
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """Where a run stands: pending, starting, running, or finished with a sub-status.

    details: the ServerApp's exception text if it failed; it knows no client, but plans.
    """

    status: str
    sub_status: str
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A registered SuperNode; ``public_key`` is PEM, ``name`` is only a label."""

    node_id: int
    name: str
    public_key: bytes
    online: bool


@dataclass(frozen=True, slots=True)
class _Bearer:
    """Adds the control token to every request of one client."""

    token: str = field(repr=False)

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        context.request.headers["authorization"] = f"Bearer {self.token}"
        return call_next(context)


_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class ControlClient:
    """The coordinator's hand on its SuperLink. Every method may raise ControlRefused."""

    _http: ControlHttpClient = field(repr=False)

    @classmethod
    def connect(cls, address: str, *, ca: Path, token_file: Path) -> Self:
        """Prepare a client; nothing is sent yet.

        Args:
            address: host:port of the SuperLink; the host must stand in its certificate.
            ca: certificate of the federation's authority.
            token_file: holds the control token.
        """
        identity = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
        bearer = _Bearer(token_file.read_text().strip())
        return cls(
            ControlHttpClient.from_server_address(
                address, insecure=False, root_certificates=str(ca), interceptors=[identity, bearer]
            )
        )

    def start_run(self, bundle: bytes) -> int:
        """Start a run of the bundle's ServerApp; return its run id."""
        fab = fab_pb2.Fab(hash_str=bundle_digest(bundle), content=bundle)
        request = control_pb2.StartRunRequest(fab=fab, federation=_FEDERATION)
        answer = _ask("start-run", lambda: self._http.StartRun(request))
        if not answer.HasField("run_id"):
            raise ControlRefused("start-run", "it answered without a run id")
        return answer.run_id

    def run_status(self, run_id: int) -> RunStatus:
        """Say where a run stands."""
        request = control_pb2.ListRunsRequest(run_id=run_id)
        answer = _ask("list-runs", lambda: self._http.ListRuns(request))
        status = answer.run_dict[run_id].status
        return RunStatus(status=status.status, sub_status=status.sub_status, details=status.details)

    def register_node(self, openssh: str, name: str) -> int:
        """Admit a SuperNode by its public key (OpenSSH text); return its node id."""
        request = control_pb2.RegisterNodeRequest(public_key=node_key_pem(openssh), name=name)
        return _ask("register-node", lambda: self._http.RegisterNode(request)).node_id

    def nodes(self) -> list[NodeStatus]:
        """List the registered SuperNodes."""
        request = control_pb2.ListNodesRequest()
        answer = _ask("list-nodes", lambda: self._http.ListNodes(request))
        return [
            NodeStatus(
                node_id=node.node_id,
                name=node.name,
                public_key=node.public_key,
                online=node.status == "online",
            )
            for node in answer.nodes_info
        ]

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _ask(request: str, call: Callable[[], _Answer]) -> _Answer:
    try:
        return call()
    except httpx.HTTPStatusError as error:
        raise ControlRefused(request, f"HTTP status {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise ControlRefused(request, type(error).__name__) from None


if __name__ == "__main__":
    {"superlink": superlink, "superexec": superexec, "serverapp": serverapp}[sys.argv.pop(1)]()
