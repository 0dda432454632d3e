"""What a stranger, a coordinator and a crash can do to a running federation. Real processes."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flwr.proto import control_pb2, runtime_pb2
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import (
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE
from flwr.supercore.runtime import RuntimeHttpClient

from federation.deployment import commands, processes
from federation.deployment.bundle import build_bundle
from federation.deployment.enrolment import Enrolment
from federation.deployment.errors import ControlRefused
from federation.deployment.flower_coordinator import ControlClient
from federation.deployment.flower_node import ACQUIRE, APP_FAILED, WRONG_APP
from federation.deployment.guard import BODY_LIMIT

pytestmark = pytest.mark.protocol

Echo = Any  # of conftest.py, which importlib mode keeps from being imported
HERE = Path(__file__).parent
VERSION = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
TASKS = [TaskType.SERVER_APP, TaskType.CLIENT_APP]


def runtime_address(echo: Echo, department: str) -> str:
    line = list(echo.sandbox._commands[f"{department}-node"].line)
    return f"{processes.LOOPBACK}:{line[line.index('--port') + 1]}"


def acquire(address: str, ca: Path, secret: bytes | None) -> int:
    """Ask for a task; return the HTTP status."""
    signed = SuperExecAuthHttpInterceptor(
        master_secret=secret or b"", protected_methods={ACQUIRE} if secret else set()
    )
    with RuntimeHttpClient.from_server_address(
        address, insecure=False, root_certificates=str(ca), interceptors=[VERSION, signed]
    ) as client:
        try:
            client.AcquireTask(runtime_pb2.AcquireTaskRequest(supported_task_types=TASKS))
        except httpx.HTTPStatusError as error:
            return error.response.status_code
    return 200


@pytest.fixture
def stranger(echo: Echo, enrolment: Enrolment) -> Iterator[ControlHttpClient]:
    """Somebody who reaches the port and has the public CA file, and nothing else."""
    ca = str(enrolment.coordinator / "ca.crt")
    with ControlHttpClient.from_server_address(
        echo.sandbox.address, insecure=False, root_certificates=ca, interceptors=[VERSION]
    ) as client:
        yield client


def test_every_department_answers(echo: Echo) -> None:
    answer = echo.ask("hello")
    assert answer.payloads == ["hello"] * len(echo.departments)
    assert answer.errors == []


def test_a_stranger_can_neither_start_nor_list_nor_stop_runs(
    echo: Echo, stranger: ControlHttpClient
) -> None:
    for attempt in (
        lambda: stranger.StartRun(control_pb2.StartRunRequest(federation="@none/default")),
        lambda: stranger.ListRuns(control_pb2.ListRunsRequest()),
        lambda: stranger.RegisterNode(control_pb2.RegisterNodeRequest(public_key=b"mine")),
        lambda: stranger.ListNodes(control_pb2.ListNodesRequest()),
    ):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            attempt()
        assert caught.value.response.status_code == 401
    with pytest.raises(httpx.HTTPStatusError) as caught:
        stranger.StopRun(control_pb2.StopRunRequest(run_id=echo.sandbox.run_id))
    assert caught.value.response.status_code == 404, "nobody stops a run over the network"
    assert echo.sandbox.control.run_status(echo.sandbox.run_id).status == "running"


def test_a_wrong_token_is_refused_and_the_right_one_is_not(
    echo: Echo, enrolment: Enrolment, tmp_path: Path
) -> None:
    ca, right = enrolment.coordinator / "ca.crt", enrolment.coordinator / "control.token"
    wrong = tmp_path / "token"
    wrong.write_text(right.read_text()[:-1])
    client = ControlClient.connect(echo.sandbox.address, ca=ca, token_file=wrong)
    with pytest.raises(ControlRefused) as caught:
        client.nodes()
    assert caught.value.request == "list-nodes"
    client.close()
    client = ControlClient.connect(echo.sandbox.address, ca=ca, token_file=right)
    assert sorted(node.name for node in client.nodes()) == list(echo.departments)
    client.close()


def test_a_stranger_gets_no_server_app_task(echo: Echo, enrolment: Enrolment) -> None:
    address, place = echo.sandbox.address, enrolment.coordinator
    ca, secret = place / "ca.crt", (place / "superexec.secret").read_bytes()
    assert acquire(address, ca, None) == 401
    assert acquire(address, ca, bytes(32)) == 401
    assert acquire(address, ca, secret) == 200


def test_nobody_gets_a_departments_task_with_another_departments_secret(
    echo: Echo, enrolment: Enrolment
) -> None:
    address, place = runtime_address(echo, "risk"), enrolment.department("risk")
    other = (enrolment.department("research") / "superexec.secret").read_bytes()
    assert acquire(address, place / "ca.crt", None) == 401
    assert acquire(address, place / "ca.crt", other) == 401
    assert acquire(address, place / "ca.crt", (place / "superexec.secret").read_bytes()) == 200


def test_no_service_describes_itself(echo: Echo, enrolment: Enrolment) -> None:
    trust = ssl.create_default_context(cafile=enrolment.coordinator / "ca.crt")
    for address in (echo.sandbox.address, runtime_address(echo, "risk")):
        for path in ("/docs", "/openapi.json", "/health", "/v1/fleet/register-node"):
            assert httpx.get(f"https://{address}{path}", verify=trust).status_code == 404


def post(echo: Echo, ca: Path, header: str, chunks: Iterator[bytes]) -> str:
    """Send a raw request until the service answers; return the status line."""
    host, port = echo.sandbox.address.split(":")
    trust = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection((host, int(port)), timeout=60) as plain,
        trust.wrap_socket(plain, server_hostname=host) as wire,
    ):
        wire.sendall(
            b"POST /v1/fleet/pull-messages HTTP/1.1\r\nHost: superlink\r\n"
            + f"Content-Type: {PROTOBUF_MEDIA_TYPE}\r\n{header}\r\n\r\n".encode()
        )
        for chunk in chunks:
            try:
                wire.sendall(chunk)
            except OSError:
                break
        return wire.recv(64).decode().splitlines()[0]


def test_an_oversized_body_is_refused(echo: Echo, enrolment: Enrolment) -> None:
    ca = enrolment.coordinator / "ca.crt"
    declared = post(echo, ca, f"Content-Length: {BODY_LIMIT + 1}", iter(()))
    assert declared.startswith("HTTP/1.1 413")
    megabyte = b"100000\r\n" + bytes(2**20) + b"\r\n"
    chunks = (megabyte for _ in range(BODY_LIMIT // 2**20 + 1))
    assert post(echo, ca, "Transfer-Encoding: chunked", chunks).startswith("HTTP/1.1 413")
    small = post(echo, ca, "Transfer-Encoding: chunked", iter([b"0\r\n\r\n"]))
    assert not small.startswith("HTTP/1.1 413")


def test_a_node_whose_key_is_not_registered_is_refused(
    echo: Echo, enrolment: Enrolment, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for path in enrolment.department("risk").iterdir():
        (keys / path.name).write_bytes(path.read_bytes())
    stranger = ec.generate_private_key(ec.SECP384R1())
    (keys / "flower.key").write_bytes(
        stranger.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    )
    port = int(echo.sandbox.address.rpartition(":")[2])
    command = commands.supernode(
        keys,
        home=tmp_path,
        port=port,
        runtime_port=processes.free_port(),
        after=commands.open_sign(echo.sandbox.state),
    )
    child = processes.start(
        "stranger", command.line, environment=command.environment, logs=tmp_path
    )
    try:
        assert child.process.wait(60) != 0
    finally:
        processes.kill([child])
    assert "No SuperNode found with the given public key" in child.log.read_text() or (
        "[code: 2004]" in child.log.read_text()
    )
    assert len(echo.sandbox.control.nodes()) == len(echo.departments)


def test_departments_refuse_a_bundle_that_is_not_on_their_list(echo: Echo, tmp_path: Path) -> None:
    ours = (HERE / "echo_app" / "pyproject.toml").read_text()
    theirs = tmp_path / "pyproject.toml"
    theirs.write_text(ours.replace("echo_app.server_app:app", "echo_app.intruder:app"))
    echo.sandbox.control.start_run(build_bundle(theirs))
    answer = echo.answer("intruder")
    assert answer.payloads == []
    assert answer.errors == [WRONG_APP.reason] * len(echo.departments)


def coordinator_files(echo: Echo) -> list[Path]:
    state = echo.sandbox.state
    logs = [state / "logs" / f"{name}.log" for name in ("superlink", "superexec")]
    return [*state.glob("superlink.db*"), *logs]


def holders(text: str, files: list[Path]) -> list[str]:
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_the_text_of_an_exception_does_not_leave_the_department(echo: Echo) -> None:
    answer = echo.ask("fail, please", fail=True)
    assert answer.payloads == []
    assert answer.errors == [APP_FAILED.reason] * len(echo.departments)
    assert holders(echo.canary, coordinator_files(echo)) == []
    workers = [echo.sandbox.state / "logs" / f"{name}-worker.log" for name in echo.departments]
    assert holders(echo.canary, workers) == []
    assert len(holders("ValueError at ", workers)) == len(echo.departments)


def test_a_text_that_does_leave_is_found_in_the_superlinks_files(echo: Echo) -> None:
    """The saboteur's twin of the test above: the same search sees what is there."""
    echo.ask("sent-in-the-clear-5512")
    assert holders("sent-in-the-clear-5512", coordinator_files(echo)) != []


def test_the_run_goes_on_when_the_superlink_is_killed_and_comes_back(echo: Echo) -> None:
    run = echo.sandbox.run_id
    echo.sandbox.restart_superlink()
    assert echo.ask("after the crash").payloads == ["after the crash"] * len(echo.departments)
    assert echo.sandbox.control.run_status(run).status == "running"


def test_a_killed_department_comes_back_under_its_own_name(echo: Echo) -> None:
    before = {node.node_id: node.public_key for node in echo.sandbox.control.nodes()}
    echo.sandbox.kill_node("research")
    echo.sandbox.check()
    echo.sandbox.restart_node("research")
    assert echo.ask("back again").payloads == ["back again"] * len(echo.departments)
    assert {n.node_id: n.public_key for n in echo.sandbox.control.nodes()} == before
