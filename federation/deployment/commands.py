"""The command line and environment of every process of a federation. No secret stands in them."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from federation.coordinator.settings import ENVIRONMENT as COORDINATOR
from federation.deployment.enrolment import Enrolment
from federation.deployment.flower_coordinator import AFTER, MODULE, TOKEN_FILE
from federation.deployment.processes import LOOPBACK
from federation.node.settings import ENVIRONMENT as NODE

_NODE_MODULE = "federation.deployment.flower_node"
_SIGN = "open"
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ")
_FLOWER = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_SUPERGRID_API_URL": "http://127.0.0.1:9",  # Flower's hub: nobody is to be asked
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.05",  # the doorbell holds the answers
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start: an absolute program with arguments, and all of its environment."""

    line: Sequence[str]
    environment: Mapping[str, str]


def open_sign(state: Path) -> Path:
    """The file for which SuperExec and SuperNodes wait, once imported, before they connect."""
    return state / _SIGN


def superlink(enrolment: Enrolment, *, state: Path, port: int) -> Command:
    """The guarded SuperLink on loopback; its database is ``state/superlink.db``."""
    keys = enrolment.coordinator
    return Command(
        line=_python(
            MODULE,
            "superlink",
            *_listen(port),
            *_certificate(keys, "superlink"),
            "--enable-supernode-auth",
            "--database",
            str(state / "superlink.db"),
            *_isolated(keys),
            "--disable-runtime-dependency-installation",
        ),
        environment=_environment(state / "superlink", {TOKEN_FILE: str(keys / "control.token")}),
    )


def superexec(enrolment: Enrolment, *, state: Path, port: int, coordinator: Path) -> Command:
    """The SuperExec; the ServerApp it starts finds ``coordinator.toml`` in its environment."""
    keys = enrolment.coordinator
    return Command(
        line=_python(
            MODULE,
            "superexec",
            "--runtime-api-address",
            f"{LOOPBACK}:{port}",
            "--root-certificates",
            str(keys / "ca.crt"),
            "--superexec-auth-secret-file",
            str(keys / "superexec.secret"),
        ),
        environment=_environment(
            state / "superexec", {COORDINATOR: str(coordinator), AFTER: str(open_sign(state))}
        ),
    )


def supernode(keys: Path, *, home: Path, port: int, runtime_port: int, after: Path) -> Command:
    """A department's SuperNode; ``keys`` is the department's enrolment folder."""
    return Command(
        line=_python(
            _NODE_MODULE,
            "supernode",
            "--superlink",
            f"{LOOPBACK}:{port}",
            "--root-certificates",
            str(keys / "ca.crt"),
            "--auth-supernode-private-key",
            str(keys / "flower.key"),
            *_listen(runtime_port),
            *_certificate(keys, "runtime"),
            *_isolated(keys),
        ),
        environment=_environment(home, {AFTER: str(after)}),
    )


def worker(
    keys: Path, *, home: Path, runtime_port: int, node: Path, app: str, bundle: str
) -> Command:
    """A department's worker; ``bundle`` is the SHA-256 it serves, ``home/ready`` its sign."""
    return Command(
        line=_python(
            _NODE_MODULE,
            "worker",
            "--runtime",
            f"{LOOPBACK}:{runtime_port}",
            "--ca",
            str(keys / "ca.crt"),
            "--secret",
            str(keys / "superexec.secret"),
            "--app",
            app,
            "--allow",
            bundle,
            "--ready",
            str(home / "ready"),
        ),
        environment=_environment(home, {NODE: str(node), "OMP_NUM_THREADS": "1"}),
    )


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", module, *arguments]


def _listen(port: int) -> list[str]:
    return ["--host", LOOPBACK, "--port", str(port)]


def _certificate(keys: Path, name: str) -> list[str]:
    return [
        *("--ssl-ca-certfile", str(keys / "ca.crt")),
        *("--ssl-certfile", str(keys / f"{name}.crt")),
        *("--ssl-keyfile", str(keys / f"{name}.key")),
    ]


def _isolated(keys: Path) -> list[str]:
    secret = str(keys / "superexec.secret")
    return ["--isolation", "process", "--superexec-auth-secret-file", secret]


def _environment(home: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Inherit little: no proxy stands between loopback ports, no secret is passed on unseen."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    return {**inherited, **_FLOWER, "PATH": path, "FLWR_HOME": str(home), **extra}
