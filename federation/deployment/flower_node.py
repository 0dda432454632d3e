"""Flower at a department: the SuperNode with short waits, and the worker that runs its own app.

One of the three files that use flwr's internals (1.41.0); `tests/protocol/test_flower_contract.py`
holds every one of them to what is relied on here. ``python -m federation.deployment.flower_node
supernode`` takes the arguments of ``flower-supernode``; ``… worker`` has its own (``--help``).

The worker replaces flower-superexec and flwr-clientapp, which start a Python process for every
message and run whatever code the coordinator sent. It imports the node's installed ClientApp once,
looks at the bundle's SHA-256 only, and no text of an exception leaves it.
"""

import argparse
import importlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from types import ModuleType, SimpleNamespace

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.app import Error, Message
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode, SubStatus
from flwr.proto import fleet_pb2, runtime_pb2
from flwr.supercore.constant import TASK_TOKEN_HEADER, TaskType
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, ObjectPushError
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from federation.deployment.doorbell import Doorbell
from federation.deployment.errors import NotEnrolled
from federation.deployment.flower_coordinator import (
    AFTER,
    TASK_PATHS,
)
from federation.deployment.flower_waits import (
    offer_parts_twice,
    outlast_superlink,
    shorten_pulls,
)
from federation.deployment.guard import Guard
from federation.deployment.processes import wait_for

ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
STOCK_IDLE_S, STOCK_REPLY_S = 3, 0.5
"""How long a stock SuperNode sleeps without a message, and between looks for the app's reply."""

_POLL_S = 0.02
_DISCONNECTED_S = 0.25
_LOST = (httpx.HTTPError, ObjectPullError, ObjectPushError, RuntimeError)
"""What a task ends with when the SuperLink or the SuperNode restarts under it."""
_BEAT_S = 20.0
WRONG_APP = Error(ErrorCode.INVALID_FAB, "The bundle is not on this department's list.")
APP_FAILED = Error(
    ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "The app failed; the department's log says where."
)

log = logging.getLogger("infosandbox.worker")


def supernode() -> None:
    """Run a SuperNode until it is told to stop; reads flower-supernode's arguments."""
    cli = importlib.import_module("flwr.supernode.cli.flower_supernode")
    main = importlib.import_module("flwr.supernode.main")
    loop = importlib.import_module("flwr.supernode.start_client_internal")
    stock_app = main.create_app
    doorbells: list[Doorbell] = []

    def guarded_app(**arguments: object) -> Guard:
        doorbell = Doorbell(
            application=stock_app(**arguments),
            holds={"/v1/runtime/acquire-task": "task"},
            rings={},
        )
        doorbells.append(doorbell)
        return Guard(application=doorbell, local_paths=TASK_PATHS)

    def nap(seconds: float) -> None:
        # Idle waiting is left to the SuperLink's doorbell; waiting for a reply: a task is there.
        if seconds == STOCK_REPLY_S:
            for doorbell in doorbells:
                doorbell.ring("task")
        time.sleep(_POLL_S if seconds in (STOCK_IDLE_S, STOCK_REPLY_S) else seconds)

    main.create_app = guarded_app  # type: ignore[attr-defined]
    loop.time = SimpleNamespace(sleep=nap)  # type: ignore[attr-defined]
    shorten_pulls(loop)
    offer_parts_twice(importlib.import_module("flwr.supernode.fleet_http_connection"))
    outlast_superlink()
    wait_for(os.environ.get(AFTER))
    cli.flower_supernode()


def sign_off(address: str, node_id: int, *, ca: Path, key: Path) -> None:
    """Tell the SuperLink that a SuperNode has crashed, in the node's own name.

    Flower notices by itself after 60 s, and admits a node with the same key only then.

    Args:
        address: host:port of the SuperLink.
        node_id: the crashed node's.
        ca: certificate of the federation's authority.
        key: file of the node's private key, OpenSSH.
    """
    private = load_ssh_private_key(key.read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise NotEnrolled(key.parent)
    identity = NodeAuthHttpInterceptor(private, private.public_key())
    version = RuntimeVersionHttpInterceptor(component_name="SuperNode")
    with FleetHttpClient.from_server_address(
        address, insecure=False, root_certificates=str(ca), interceptors=[version, identity]
    ) as client:
        client.DeactivateNode(fleet_pb2.DeactivateNodeRequest(node_id=node_id))


@dataclass(slots=True)
class _TaskToken:
    """Adds the token of the task at hand; only AcquireTask goes without."""

    token: str = field(default="", repr=False)

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        if context.rpc_method != ACQUIRE:
            context.request.headers[TASK_TOKEN_HEADER] = self.token
        return call_next(context)


def worker() -> None:
    """Run the department's ClientApp for every message the SuperNode hands over, one at a time.

    The app's module may have a ``prepare()``: what it opens is open before the first message, and
    what it refuses ends the worker at its start.
    """
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    module, _, name = arguments.app.partition(":")
    installed = importlib.import_module(module)
    app: ClientApp = getattr(installed, name)
    if (prepare := getattr(installed, "prepare", None)) is not None:
        prepare()
    token = _TaskToken()
    client = RuntimeHttpClient.from_server_address(
        arguments.runtime,
        insecure=False,
        root_certificates=str(arguments.ca),
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="flwr-clientapp"),
            SuperExecAuthHttpInterceptor(
                master_secret=arguments.secret.read_bytes(), protected_methods={ACQUIRE}
            ),
            token,
        ],
    )
    task = importlib.import_module("flwr.supernode.runtime.run_clientapp")
    shorten_pulls(task, "pull_and_inflate_object_from_tree")
    if arguments.ready is not None:
        arguments.ready.write_text("ready")
    while True:
        token.token = _acquire(client)
        try:
            _serve(client, task, app, frozenset(arguments.allow))
        except _LOST as error:
            log.warning("a task was lost: %s", _where(error))


def _acquire(client: RuntimeHttpClient) -> str:
    """Wait for a task; the SuperNode's doorbell holds the answer while there is none."""
    request = runtime_pb2.AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP])
    while True:
        try:
            answer = client.AcquireTask(request)
        except httpx.TransportError:
            time.sleep(_DISCONNECTED_S)
            continue
        if answer.HasField("task") and answer.token:
            return answer.token
        time.sleep(_POLL_S)


def _serve(
    client: RuntimeHttpClient, task: ModuleType, app: ClientApp, allowed: frozenset[str]
) -> None:
    with _heartbeat(client):
        message, context, _run, bundle = task.pull_task_input(client)
        status = SubStatus.FAILED
        if sha256(bundle.content).hexdigest() not in allowed:
            log.warning("refused a bundle that is not on the list")
            reply = Message(WRONG_APP, reply_to=message)
        else:
            try:
                reply = app(message=message, context=context)
                status = SubStatus.COMPLETED
            except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold a row
                log.error("the app failed: %s", _where(error))  # noqa: TRY400 - as above
                reply = Message(APP_FAILED, reply_to=message)
        task.push_message(client, reply, context)
        task.push_task_output(client, context, status, "")


@contextmanager
def _heartbeat(client: RuntimeHttpClient) -> Iterator[None]:
    """Tell the SuperNode every 20 s that the task goes on; it gives up after 60 s of silence."""
    done = Event()

    def beat() -> None:
        while not done.wait(_BEAT_S):
            try:
                client.SendTaskHeartbeat(runtime_pb2.SendTaskHeartbeatRequest())
            except httpx.HTTPError as error:
                log.warning("a heartbeat was lost: %s", type(error).__name__)

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _where(error: BaseException) -> str:
    """Name an exception's type and place; its message may hold data and is left out."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flower_node worker", allow_abbrev=False)
    parser.add_argument("--runtime", required=True, help="host:port of the SuperNode's runtime API")
    parser.add_argument("--ca", required=True, type=Path, help="certificate of the authority")
    parser.add_argument("--secret", required=True, type=Path, help="file with the SuperExec secret")
    parser.add_argument("--app", required=True, help="installed ClientApp, module:attribute")
    parser.add_argument("--allow", required=True, action="append", help="SHA-256 of a bundle, hex")
    parser.add_argument("--ready", type=Path, help="file to write once the app is imported")
    return parser.parse_args()


if __name__ == "__main__":
    {"supernode": supernode, "worker": worker}[sys.argv.pop(1)]()
