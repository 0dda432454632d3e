"""What one leg costs: a message to three departments and their answers, TLS and node keys on.

Value: a bare Flower app on our configuration (guarded SuperLink with a doorbell, warm workers).
Peer: the same app, the same three nodes and machine, on Flower's default configuration.
The product's own leg adds its cryptography and noise to the value; `product_row` measures it.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)
from flwr.cli.build import build_fab_from_disk

from federation.coordinator.settings import ENVIRONMENT as COORDINATOR
from federation.deployment import commands, processes
from federation.deployment.bundle import build_bundle
from federation.deployment.commands import Command
from federation.deployment.enrolment import Enrolment, enrol
from federation.deployment.flower_coordinator import ControlClient
from federation.deployment.processes import Child
from federation.deployment.sandbox import Sandbox

APP = Path(__file__).parent / "bare_flower"
DEPARTMENTS = ("advisory", "research", "risk")
LEGS = 12
IDLE_S = 20.0
PATIENCE_S = 300.0

Row = dict[str, str | float]


def rows() -> list[Row]:
    """Seconds a leg, and per cent of one core that the federation takes when nobody asks."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        enrolment = enrol("Bench", DEPARTMENTS, here / "keys", now=datetime.now(UTC))
        with _ours(here / "ours", enrolment) as pids:
            leg, idle = _seconds(here / "ours"), _idle_percent(pids)
        with _stock(here / "stock", enrolment) as pids:
            stock_leg, stock_idle = _seconds(here / "stock"), _idle_percent(pids)
    return [
        _row("bare leg, our configuration / Flower's default", leg, "s", stock_leg),
        _row("idle CPU, our configuration / Flower's default", idle, "% of a core", stock_idle),
    ]


def product_row(question: Callable[[], str], *, legs: int, bare: float) -> Row:
    """Time a leg of the product's own questions beside a bare leg.

    Args:
        question: asks a started product sandbox something new, waits for the release and returns
            the run's id.
        legs: how many legs such a question has.
        bare: seconds of the bare leg on our configuration, from the same run.

    Raises:
        ValueError: a run came back twice. The same question is answered from memory, without a leg.
    """
    runs, seconds = set(), []
    for _ in range(LEGS):
        began = time.monotonic()
        runs.add(question())
        seconds.append((time.monotonic() - began) / legs)
    if len(runs) < LEGS:
        raise ValueError("ask a new question each time: a repeated one runs no leg")
    return _row("a leg of a fresh question / a bare leg", median(seconds), "s", bare)


def _row(name: str, value: float, unit: str, peer: float) -> Row:
    return {"name": name, "value": value, "unit": unit, "peer": peer, "ratio": value / peer}


@contextmanager
def _ours(folder: Path, enrolment: Enrolment) -> Iterator[list[int]]:
    folder.mkdir()
    pyproject = folder / "pyproject.toml"
    text = (APP / "pyproject.toml").read_text()
    pyproject.write_text(text.replace('loop = "stock"', 'loop = "short"'))
    os.environ["PYTHONPATH"] = str(APP)  # where the children find the app
    sandbox = Sandbox.start(
        folder / "state",
        enrolment,
        dict.fromkeys(DEPARTMENTS, folder / "node.toml"),
        coordinator=folder / "coordinator.toml",
        app="bare.client_app:app",
        bundle=build_bundle(pyproject),
    )
    try:
        yield list(sandbox.processes().values())
    finally:
        sandbox.stop()


@contextmanager
def _stock(folder: Path, enrolment: Enrolment) -> Iterator[list[int]]:
    """Flower as it comes: its own programs, default isolation and waits, the app's code shipped."""
    port = processes.free_port()
    keys = enrolment.coordinator
    children = [
        _start_stock(
            "flower-superlink", commands.superlink(enrolment, state=folder, port=port), folder
        )
    ]
    control = ControlClient.connect(
        f"{processes.LOOPBACK}:{port}", ca=keys / "ca.crt", token_file=keys / "control.token"
    )
    try:
        processes.wait_until(children[0], lambda: processes.listens(port), seconds=60)
        for name in DEPARTMENTS:
            node = enrolment.department(name)
            control.register_node(_public(node / "flower.key"), name)
            command = commands.supernode(
                node,
                home=folder / name,
                port=port,
                runtime_port=processes.free_port(),
                after=folder,
            )
            children.append(_start_stock("flower-supernode", command, folder))
        control.start_run(build_fab_from_disk(APP))
        yield [child.process.pid for child in children]
    finally:
        control.close()
        family = _family([child.process.pid for child in children])
        processes.stop(children, patience_s=3.0)
        for pid in family:  # Flower's own SuperExec and ServerApp outlive their parents
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _start_stock(program: str, command: Command, folder: Path) -> Child:
    """Start Flower's own program with the arguments ours gets, less the isolation it adds."""
    arguments = list(command.line[command.line.index("-m") + 3 :])
    isolation = arguments.index("--isolation")
    del arguments[isolation : isolation + 4]
    polls = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL"}
    environment = {k: v for k, v in command.environment.items() if k not in polls}
    environment[COORDINATOR] = str(folder / "coordinator.toml")
    return processes.start(
        f"{program}-{processes.free_port()}",
        [program, *arguments],
        environment=environment,
        logs=folder / "logs",
    )


def _public(key: Path) -> str:
    private = load_ssh_private_key(key.read_bytes(), None)
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _seconds(folder: Path) -> float:
    """Wait for the ServerApp's figures; return the middle one."""
    path = folder / "seconds.json"
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.2)
    seconds: list[float] = json.loads(path.read_text())
    return median(seconds)


def _idle_percent(parents: list[int]) -> float:
    """Percent of one core that these processes and all below them take over 20 s."""
    before = _cpu_seconds(parents)
    time.sleep(IDLE_S)
    return 100 * (_cpu_seconds(parents) - before) / IDLE_S


def _cpu_seconds(parents: list[int]) -> float:
    return sum(ticks for _, ticks in _family(parents).values()) / os.sysconf("SC_CLK_TCK")


def _family(parents: list[int]) -> dict[int, tuple[int, int]]:
    """Find these processes and all below them: process id -> (parent, ticks of CPU so far)."""
    everyone: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        everyone[int(path.parent.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    family = set(parents)
    while True:
        below = {pid for pid, (parent, _) in everyone.items() if parent in family}
        if below <= family:
            return {pid: everyone[pid] for pid in family if pid in everyone}
        family |= below
