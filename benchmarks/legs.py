"""What one leg costs: a message to three departments and their answers, TLS and node keys on.

A bare Flower app on our configuration (guarded SuperLink with a doorbell, warm workers), the
product's own question there, and the same bare app on Flower's default configuration, all with
three nodes on this machine in one run. The product's leg adds permits, consent, rows, noise, masks.
"""

import json
import os
import signal
import time
import tomllib
from collections.abc import Iterator
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

from api.demo.folder import read_folder
from api.demo.prepare import prepare
from federation.coordinator.desk import Desk, open_desk, plan_of, submit
from federation.coordinator.runs import RunState
from federation.coordinator.settings import ENVIRONMENT as COORDINATOR
from federation.coordinator.settings import load_coordinator_settings
from federation.deployment import commands, processes
from federation.deployment.bundle import build_bundle
from federation.deployment.commands import Command
from federation.deployment.enrolment import Enrolment, enrol
from federation.deployment.flower_coordinator import ControlClient
from federation.deployment.processes import Child
from federation.deployment.sandbox import Sandbox
from federation.rounds import legs_of

APP = Path(__file__).parent / "bare_flower"
DEMO = Path(__file__).parents[1] / "demo"
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
            leg, idle = median(_seconds(here / "ours")), _idle_percent(pids)
        del os.environ["PYTHONPATH"]
        with _product(here / "product") as (desk, pids):
            product_leg, product_idle = _question_leg(desk), _idle_percent(pids)
        with _stock(here / "stock", enrolment) as pids:
            stock_leg, stock_idle = median(_seconds(here / "stock")), _idle_percent(pids)
    return [
        _row("bare leg, our configuration / Flower's default", leg, "s", stock_leg),
        _row("a leg of the demo's question / a bare leg, ours", product_leg, "s", leg),
        _row("a leg of the demo's question / Flower's default", product_leg, "s", stock_leg),
        _row("idle CPU, our configuration / Flower's default", idle, "% of a core", stock_idle),
        _row("idle CPU, the product / Flower's default", product_idle, "% of a core", stock_idle),
    ]


def bare_legs(*, legs: int, training: str) -> list[float]:
    """Return the seconds of each bare leg on our configuration, each node training in it."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        enrolment = enrol("Bench", DEPARTMENTS, here / "keys", now=datetime.now(UTC))
        with _ours(here / "ours", enrolment, legs=legs, training=training):
            seconds = _seconds(here / "ours")
    del os.environ["PYTHONPATH"]
    return seconds


def _question_leg(desk: Desk) -> float:
    """Ask the demo's question anew each time (another ρ) and return the median seconds of a leg."""
    request = tomllib.loads((DEMO / "question.toml").read_text())
    seconds = []
    for number in range(LEGS + 1):
        plan = plan_of(request | {"rho": 0.001 + number * 1e-6}, desk)
        began = time.monotonic()
        run = submit(plan, desk, asker="benchmark").run.id
        while (state := desk.runs.get(run).state) in (RunState.ACCEPTED, RunState.RUNNING):
            time.sleep(0.01)
        if state is not RunState.RELEASED:
            raise RuntimeError(desk.runs.get(run).refusal)
        seconds.append((time.monotonic() - began) / legs_of(plan))
    return median(seconds[1:])  # the first also says hello and brings the whole register


@contextmanager
def _product(folder: Path) -> Iterator[tuple[Desk, list[int]]]:
    """The product on the demo's data: the whole path of a question but the HTTP door."""
    folder.mkdir()
    prepared = prepare(read_folder(DEMO), folder, now=datetime.now(UTC), progress=_quiet)
    sandbox = Sandbox.start(
        folder / "federation",
        prepared.enrolment,
        prepared.nodes,
        coordinator=prepared.coordinator,
    )
    try:
        desk = open_desk(load_coordinator_settings(prepared.coordinator))
        yield desk, list(sandbox.processes().values())
    finally:
        sandbox.stop()


def _quiet(_text: str, _part: float) -> None:
    pass


def _row(name: str, value: float, unit: str, peer: float) -> Row:
    return {"name": name, "value": value, "unit": unit, "peer": peer, "ratio": value / peer}


@contextmanager
def _ours(
    folder: Path, enrolment: Enrolment, *, legs: int = LEGS, training: str = ""
) -> Iterator[list[int]]:
    folder.mkdir()
    pyproject = folder / "pyproject.toml"
    text = (APP / "pyproject.toml").read_text()
    text = text.replace('loop = "stock"', 'loop = "short"').replace("legs = 12", f"legs = {legs}")
    pyproject.write_text(text.replace('training = ""', f"training = {json.dumps(training)}"))
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


def _seconds(folder: Path) -> list[float]:
    """Wait for the ServerApp's figures, one for each leg."""
    path = folder / "seconds.json"
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.2)
    seconds: list[float] = json.loads(path.read_text())
    return seconds


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
