"""A federation on one machine: SuperLink, SuperExec, and per department a node and a worker."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from federation.deployment import commands, processes
from federation.deployment.bundle import build_bundle, bundle_digest
from federation.deployment.commands import Command
from federation.deployment.enrolment import Enrolment
from federation.deployment.errors import NotEnrolled, NotReady, RunEnded
from federation.deployment.flower_coordinator import ControlClient
from federation.deployment.flower_node import sign_off
from federation.deployment.processes import LOOPBACK, Child
from federation.roster import Roster, open_roster

Progress = Callable[[str, float], None]
"""Called with a short sentence and the part done, 0 to 1."""

CLIENT_APP = "federation.client_app:app"
_LOOK_S = 0.1


def _silent(_text: str, _part: float) -> None:
    pass


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """A running federation. It locks its state folder and never outlives this program.

    state: folder of the database, the logs (``state/logs``) and Flower's own files.
    address: host:port of the SuperLink.
    control: asks the SuperLink with the coordinator's token.
    run_id: Flower's id of the one long-lived run.
    """

    state: Path
    enrolment: Enrolment
    address: str
    control: ControlClient
    run_id: int = 0
    _commands: dict[str, Command] = field(default_factory=dict, repr=False)
    _children: dict[str, Child] = field(default_factory=dict, repr=False)
    _held: ExitStack = field(default_factory=ExitStack, repr=False)
    _deadline_s: float = 120.0

    @classmethod
    def start(
        cls,
        state: Path,
        enrolment: Enrolment,
        departments: Mapping[str, Path],
        *,
        coordinator: Path,
        progress: Progress = _silent,
        port: int = 0,
        app: str = CLIENT_APP,
        bundle: bytes | None = None,
        deadline_s: float = 120.0,
    ) -> Self:
        """Start every process and the run; return when the ServerApp runs and all nodes are online.

        Args:
            state: folder for this federation's files; a queue left by an earlier run is removed.
            enrolment: whose keys to use.
            departments: department -> its ``node.toml``.
            coordinator: the ``coordinator.toml``.
            progress: told what is happening.
            port: the SuperLink's; 0 takes a free one.
            app: the installed ClientApp that workers run, module:attribute.
            bundle: names the apps to Flower; the product's unless given.
            deadline_s: how long each step may take.

        Raises:
            AlreadyRunning: the state folder is in use. PortInUse: the port is taken.
            NotEnrolled: the enrolment lacks a department or its roster.
            NotReady, ProcessEnded, RunEnded, ControlRefused: something did not come up; everything
                that did is stopped again.
        """
        bundle = build_bundle() if bundle is None else bundle
        roster = _roster(enrolment)
        with ExitStack() as held:
            held.enter_context(processes.only_one(state))
            port = processes.free_port(port)
            address = f"{LOOPBACK}:{port}"
            keys = enrolment.coordinator
            control = ControlClient.connect(
                address, ca=keys / "ca.crt", token_file=keys / "control.token"
            )
            held.callback(control.close)
            for leftover in state.glob("superlink.db*"):
                leftover.unlink()
            sandbox = cls(
                state=state,
                enrolment=enrolment,
                address=address,
                control=control,
                _deadline_s=deadline_s,
            )
            held.callback(sandbox._stop_all)
            sandbox._prepare(departments, coordinator, port=port, app=app, bundle=bundle)
            sandbox._bring_up(departments, roster, bundle, progress)
            sandbox._held = held.pop_all()
        return sandbox

    def _prepare(
        self,
        departments: Mapping[str, Path],
        coordinator: Path,
        *,
        port: int,
        app: str,
        bundle: bytes,
    ) -> None:
        self._commands["superlink"] = commands.superlink(
            self.enrolment, state=self.state, port=port
        )
        self._commands["superexec"] = commands.superexec(
            self.enrolment, state=self.state, port=port, coordinator=coordinator.resolve()
        )
        for name, node in departments.items():
            keys, home = self.enrolment.department(name), self.state / name
            runtime_port = processes.free_port()
            self._commands[f"{name}-node"] = commands.supernode(
                keys,
                home=home,
                port=port,
                runtime_port=runtime_port,
                after=commands.open_sign(self.state),
            )
            self._commands[f"{name}-worker"] = commands.worker(
                keys,
                home=home,
                runtime_port=runtime_port,
                node=node.resolve(),
                app=app,
                bundle=bundle_digest(bundle),
            )

    def _bring_up(
        self, departments: Mapping[str, Path], roster: Roster, bundle: bytes, progress: Progress
    ) -> None:
        """Imports take most of the time, so whatever does not wait for another starts at once."""
        progress("Starting the SuperLink and the departments' nodes", 0.0)
        gate = commands.open_sign(self.state)
        gate.unlink(missing_ok=True)
        self._start("superlink")
        self._start("superexec")
        for name in departments:
            self._start(f"{name}-node")
        self._await_superlink()
        progress("Registering the nodes and starting the run", 0.4)
        for keys in roster.departments:
            if keys.department in departments:
                self.control.register_node(keys.flower, keys.department)
        self.run_id = self.control.start_run(bundle)
        gate.touch(mode=0o600)
        for name in departments:
            self._start_worker(name)
        progress("Waiting for the nodes, their workers and the ServerApp", 0.5)
        self._await_everyone(departments)
        progress("Running", 1.0)

    def stop(self) -> None:
        """Stop every process, nodes first, and free the state folder."""
        self._held.close()

    def check(self) -> None:
        """Look whether everything still runs.

        Raises:
            ProcessEnded: names a process that has ended.
            RunEnded: the ServerApp has ended.
        """
        for child in self._children.values():
            child.check()
        status = self.control.run_status(self.run_id)
        if status.status == "finished":
            raise RunEnded(status.sub_status, self._children["superexec"].log)

    def kill_node(self, department: str) -> None:
        """Kill a department's SuperNode and worker at once, as a crash would."""
        processes.kill(self._children.pop(f"{department}-{role}") for role in ("node", "worker"))

    def restart_node(self, department: str) -> None:
        """Start a killed department again; return when its node is online and its worker ready."""
        keys = self.enrolment.department(department)
        (node_id,) = (n.node_id for n in self.control.nodes() if n.name == department)
        sign_off(self.address, node_id, ca=keys / "ca.crt", key=keys / "flower.key")
        self._start(f"{department}-node")
        self._start_worker(department)
        self._await_everyone([department])

    def restart_superlink(self) -> None:
        """Kill the SuperLink and start it on the same port and database; the run goes on."""
        processes.kill([self._children["superlink"]])
        self._start("superlink")
        self._await_superlink()

    def processes(self) -> dict[str, int]:
        """Name the running processes with their ids; a ServerApp is in superexec's group."""
        return {name: child.process.pid for name, child in self._children.items()}

    def _start(self, name: str) -> None:
        command = self._commands[name]
        self._children[name] = processes.start(
            name, command.line, environment=command.environment, logs=self.state / "logs"
        )

    def _start_worker(self, department: str) -> None:
        (self.state / department / "ready").unlink(missing_ok=True)
        self._start(f"{department}-worker")

    def _stop_all(self) -> None:
        superlink = self._children.pop("superlink", None)
        processes.stop(self._children.values(), patience_s=1.0)
        if superlink is not None:
            processes.stop([superlink], patience_s=1.0)

    def _await_superlink(self) -> None:
        port = int(self.address.rpartition(":")[2])
        processes.wait_until(
            self._children["superlink"], lambda: processes.listens(port), seconds=self._deadline_s
        )

    def _await_worker(self, department: str) -> None:
        sign = self.state / department / "ready"
        child = self._children[f"{department}-worker"]
        processes.wait_until(child, sign.exists, seconds=self._deadline_s)

    def _await_everyone(self, departments: Iterable[str]) -> None:
        deadline = time.monotonic() + self._deadline_s
        while True:
            self.check()
            offline = [node.name for node in self.control.nodes() if not node.online]
            if not offline and self.control.run_status(self.run_id).status == "running":
                break
            if time.monotonic() > deadline:
                late = self._children[f"{offline[0]}-node" if offline else "superexec"]
                raise NotReady(late.name, self._deadline_s, late.log)
            time.sleep(_LOOK_S)
        for name in departments:
            self._await_worker(name)


def _roster(enrolment: Enrolment) -> Roster:
    try:
        root = load_pem_public_key((enrolment.coordinator / "root.pub").read_bytes())
        signed = (enrolment.coordinator / "roster.signed").read_bytes()
    except OSError:
        raise NotEnrolled(enrolment.folder) from None
    if not isinstance(root, Ed25519PublicKey):
        raise NotEnrolled(enrolment.folder)
    return open_roster(signed, root)
