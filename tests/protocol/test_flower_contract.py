"""What we rely on inside flwr, so that an upgrade fails here and not at a department.

Every private name that `flower_coordinator`, `flower_node` and `flower_waits` use is held to its
signature, and every habit of Flower that they build on is read from its source.
"""

import inspect
import re
from importlib import import_module, metadata
from io import BytesIO
from types import ModuleType
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from flwr.app import Error
from flwr.common.constant import ErrorCode
from flwr.proto import control_pb2, fleet_pb2, node_pb2, runtime_pb2
from flwr.supercore.constant import TASK_TOKEN_HEADER, TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufClient
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from federation.deployment import flower_node
from federation.deployment.bundle import build_bundle
from federation.deployment.flower_coordinator import (
    CONTROL_PATHS,
    FLEET_PATHS,
    SERVER_APP_PATHS,
    TASK_PATHS,
    guarded_superlink,
    node_key_pem,
)
from federation.deployment.flower_waits import PULLS, RETRY_CAP_S


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def source(module: str, name: str) -> str:
    return inspect.getsource(getattr(import_module(module), name))


def paths_of(routers: list[object]) -> set[str]:
    app = FastAPI()
    for router in routers:
        app.include_router(router)  # type: ignore[arg-type]
    return {
        context.route.path
        for context in iter_route_contexts(app.routes)
        if isinstance(context.route, APIRoute)
    }


def test_this_is_the_version_that_was_read() -> None:
    assert metadata.version("flwr") == "1.41.0"


def test_every_path_that_the_guards_let_through_exists() -> None:
    control = import_module("flwr.superlink.routers.control").router
    fleet = import_module("flwr.superlink.routers.fleet.router").router
    runtime = import_module("flwr.supercore.routers.runtime.router").router
    offered = paths_of([control, fleet, runtime])
    assert offered >= CONTROL_PATHS | FLEET_PATHS | TASK_PATHS | SERVER_APP_PATHS
    guard = guarded_superlink(control, b"token")
    doorbell = guard.application
    bells = doorbell.holds | doorbell.rings | doorbell.parts  # type: ignore[attr-defined]
    assert offered >= bells.keys()


def test_the_superlink_is_made_from_a_parsed_configuration() -> None:
    cli = import_module("flwr.superlink.cli.flower_superlink")
    assert parameters(cli._parse_superlink_lifespan_config) == []
    assert inspect.isclass(cli.SuperLinkLifespan)
    create_app = import_module("flwr.superlink.main").create_app
    assert parameters(create_app) == ["config", "superlink_lifespan_class"]
    config = import_module("flwr.superlink.config_loader").SuperLinkLifespanConfig
    assert {"host", "port", "ssl_keyfile", "ssl_certfile"} <= set(config.__annotations__)


def test_a_task_is_handed_out_against_the_secret_and_worked_on_against_its_token() -> None:
    """The guard leaves these checks to Flower, so they must be on every route it lets through."""
    router = import_module("flwr.supercore.routers.runtime.router")
    secret = import_module("flwr.supercore.dependencies.runtime").SuperExecAuthDependency
    token = import_module("flwr.supercore.dependencies.runtime").get_task
    app = FastAPI()
    app.include_router(router.router)
    checked = {}
    for context in iter_route_contexts(app.routes):
        route = context.route
        if isinstance(route, APIRoute):
            calls = [dependency.call for dependency in route.dependant.dependencies]
            checked[route.path] = token in calls or any(isinstance(c, secret) for c in calls)
    assert all(checked[path] for path in TASK_PATHS | SERVER_APP_PATHS)


def test_fleet_requests_are_checked_for_a_registered_key() -> None:
    main = import_module("flwr.superlink.main")
    auth = import_module("flwr.superlink.routers.fleet.node_auth")
    assert auth.NodeAuthMiddleware in [layer.cls for layer in main._get_middleware()]
    text = source("flwr.superlink.routers.fleet.node_auth", "NodeAuthMiddleware")
    assert "/v1/fleet/" in inspect.getsource(auth)
    assert "authenticate_node" in text


def test_an_answer_with_nothing_in_it_is_empty_on_the_wire() -> None:
    """The doorbell tells a poll for nothing by its empty body."""
    for answer in (
        fleet_pb2.PullMessagesResponse(),
        runtime_pb2.PullAppMessagesResponse(),
        runtime_pb2.AcquireTaskResponse(),
    ):
        assert answer.SerializeToString() == b""


def test_clients_wait_longer_than_a_doorbell_holds() -> None:
    timeout = inspect.signature(ProtobufClient.__init__).parameters["timeout"].default
    assert timeout > 10 * flower_node.Doorbell(application=None, holds={}, rings={}).hold_s  # type: ignore[arg-type]


def test_the_supernode_sleeps_where_we_shorten_it() -> None:
    module = import_module("flwr.supernode.start_client_internal")
    text = inspect.getsource(module)
    naps = {float(seconds) for seconds in re.findall(r"time\.sleep\(([\d.]+)\)", text)}
    assert naps == {flower_node.STOCK_IDLE_S, flower_node.STOCK_REPLY_S}
    assert set(re.findall(r"\btime\.(\w+)", text)) == {"sleep"}
    assert "contents = pull_objects(" in text


def test_a_supernode_naps_for_a_reply_only_when_a_task_waits() -> None:
    text = source("flwr.supernode.start_client_internal", "start_client_internal")
    assert text.index("_pull_and_store_message(") < text.index("_push_messages(")
    waiting = source("flwr.supernode.start_client_internal", "_push_messages")
    assert "get_messages_legacy(is_reply=True)" in waiting


def test_the_supernodes_service_is_made_by_a_function_looked_up_late() -> None:
    text = source("flwr.supernode.cli.flower_supernode", "_start_supernode_http_api")
    assert "from flwr.supernode.main import" in text
    create_app = import_module("flwr.supernode.main").create_app
    assert parameters(create_app) == ["state_factory", "superexec_auth_secret"]
    assert parameters(import_module("flwr.supernode.cli.flower_supernode").flower_supernode) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pull_task_input", ["client"]),
        ("push_message", ["client", "message", "context"]),
        ("push_task_output", ["client", "context", "sub_status", "details"]),
    ],
)
def test_the_worker_speaks_to_the_supernode_as_flwr_clientapp_does(
    name: str, expected: list[str]
) -> None:
    module: ModuleType = import_module("flwr.supernode.runtime.run_clientapp")
    assert parameters(getattr(module, name)) == expected


def test_pulls_take_our_waits() -> None:
    worker = import_module("flwr.supernode.runtime.run_clientapp")
    grid = import_module("flwr.superlink.grid.http_grid")
    node = import_module("flwr.supernode.start_client_internal")
    assert grid.pull_objects is node.pull_objects is pull_objects
    for function in (pull_objects, worker.pull_and_inflate_object_from_tree):
        assert set(PULLS) <= set(parameters(function))


def test_the_runtime_client_knows_the_methods_and_headers() -> None:
    assert parameters(RuntimeHttpClient.from_server_address)[:4] == [
        "server_address",
        "insecure",
        "root_certificates",
        "interceptors",
    ]
    assert f'rpc_method="{flower_node.ACQUIRE}"' in inspect.getsource(RuntimeHttpClient)
    assert parameters(SuperExecAuthHttpInterceptor) == ["master_secret", "protected_methods"]
    assert parameters(RuntimeHttpClient.SendTaskHeartbeat) == ["self", "request"]
    assert TASK_TOKEN_HEADER
    assert TaskType.CLIENT_APP


def test_a_node_can_be_signed_off_in_its_own_name() -> None:
    assert parameters(NodeAuthHttpInterceptor) == ["private_key", "public_key"]
    assert parameters(FleetHttpClient.DeactivateNode) == ["self", "request"]
    assert "node_id" in fleet_pb2.DeactivateNodeRequest.DESCRIPTOR.fields_by_name


def test_the_control_client_knows_the_methods_and_fields() -> None:
    for method in ("StartRun", "ListRuns", "RegisterNode", "ListNodes"):
        assert parameters(getattr(ControlHttpClient, method)) == ["self", "request"]
    assert {"fab", "federation"} <= set(control_pb2.StartRunRequest.DESCRIPTOR.fields_by_name)
    assert {"public_key", "name"} <= set(control_pb2.RegisterNodeRequest.DESCRIPTOR.fields_by_name)
    assert {"node_id", "name", "public_key", "status"} <= set(
        node_pb2.NodeInfo.DESCRIPTOR.fields_by_name
    )


def test_the_superexec_starts_what_its_plugin_supports_and_hides_output_unless_told() -> None:
    plugin = import_module("flwr.supercore.superexec.plugin").AutoExecPlugin
    assert isinstance(plugin.suppress_output, bool)
    assert TaskType.SERVER_APP in plugin.supported_task_types
    text = inspect.getsource(plugin.__mro__[1])
    assert "self.suppress_output" in text
    assert "self.supported_task_types" in text
    assert parameters(import_module("flwr.supercore.cli.flower_superexec").flower_superexec) == []


def test_the_superexec_starts_a_server_app_by_a_plain_command() -> None:
    text = source("flwr.supercore.superexec.executor.subprocess_executor", "SubprocessExecutor")
    assert "subprocess.Popen(args)" in text
    assert '"--token",\n            spec.token,' in text


def test_the_server_app_is_one_command_that_takes_a_token() -> None:
    cli = import_module("flwr.superlink.cli.flwr_serverapp")
    assert parameters(cli.flwr_serverapp) == []
    try_obtain = import_module("flwr.common.args").try_obtain_flwr_app_token
    parsed = cli._parse_args_run_flwr_serverapp().parse_args(["--token", "abc"])
    assert try_obtain(parsed) == "abc"


def test_retries_read_their_longest_wait_from_one_name() -> None:
    module = import_module("flwr.supercore.retry.http_retry")
    assert module.MAX_RETRY_DELAY > RETRY_CAP_S
    made = inspect.getsource(module.make_simple_http_retry_invoker)
    assert "return RetryInvoker(" in made
    assert "exponential(max_delay=MAX_RETRY_DELAY)" in made
    assert "should_giveup=_should_giveup" in made


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("flwr.superlink.grid.http_grid", "_try_push_messages"),
        ("flwr.supernode.fleet_http_connection", "push_object"),
    ],
)
def test_whoever_pushes_a_part_looks_its_function_up_late(module: str, function: str) -> None:
    text = inspect.getsource(import_module(module))
    assert "make_push_object_fn_protobuf(" in text[text.index(f"def {function}(") :]


def test_flower_names_a_node_by_its_key_in_pem() -> None:
    to_bytes = import_module("flwr.supercore.primitives.asymmetric").public_key_to_bytes
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    openssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert node_key_pem(openssh) == to_bytes(key)


def test_flower_reads_our_bundle_and_finds_no_code() -> None:
    bundle = build_bundle()
    assert bundle == build_bundle()
    metadata_of = import_module("flwr.cli.config_utils").get_fab_metadata
    assert metadata_of(bundle) == ("infosandbox/infosandbox", "1.0.0")
    components = import_module("flwr.cli.config_utils").get_fab_config(bundle)["tool"]["flwr"][
        "app"
    ]
    assert components["components"] == {
        "serverapp": "federation.server_app:app",
        "clientapp": "federation.client_app:app",
    }
    with ZipFile(BytesIO(bundle)) as archive:
        assert sorted(archive.namelist()) == [".info/CONTENT", "pyproject.toml"]


def test_the_workers_error_replies_have_a_fixed_text() -> None:
    for error in (flower_node.WRONG_APP, flower_node.APP_FAILED):
        assert isinstance(error, Error)
        assert error.reason
    assert flower_node.WRONG_APP.code == ErrorCode.INVALID_FAB
