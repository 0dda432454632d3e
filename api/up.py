"""A firm's federation on one machine, by one command: SuperLink, ServerApp, nodes, workers, API."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from api.auth import write_private
from api.demo.show import say
from api.people.setup_link import SetupLinks, setup_path
from api.processes import ApiPlaces, await_api, ended_by_signals, start_api, undisturbed, watch
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database
from federation.deployment import processes
from federation.deployment.enrolment import read_enrolment
from federation.deployment.sandbox import Sandbox
from federation.errors import SettingsInvalid
from federation.node.settings import load_settings

API_START_S = 120.0
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for.

    port: the API's, on loopback. as_json: print where the console is as one JSON object. out: where
    people read the rest.
    """

    keys: Path
    coordinator: Path
    nodes: tuple[Path, ...]
    tokens: Path
    people: Path | None
    state: Path
    port: int
    as_json: bool
    out: Console


def run_up(options: Options) -> None:
    """Start everything, say where the console is, and watch until Ctrl-C; then stop everything.

    Raises:
        SettingsInvalid: a file is wrong, or a department has no ``node.toml`` or two.
        NotEnrolled, AlreadyRunning, PortInUse, NotReady, ProcessEnded: what did not come up.
    """
    enrolment = read_enrolment(options.keys.resolve())
    nodes = _by_department(options.nodes, enrolment.departments)
    load_coordinator_settings(options.coordinator)
    if not options.tokens.exists():
        write_private(options.tokens, "[]\n")  # people sign in; tokens are for machines
    places = ApiPlaces(
        coordinator=options.coordinator.resolve(),
        tokens=options.tokens.resolve(),
        state=options.state.resolve(),
        people=None if options.people is None else options.people.resolve(),
        port=options.port,
    )
    running = ExitStack()
    with ended_by_signals():
        try:
            api = start_api(places)
            running.callback(processes.stop, [api])
            sandbox = Sandbox.start(
                places.state / "federation",
                enrolment,
                nodes,
                coordinator=places.coordinator,
                progress=lambda text, _part: say(options.out, text),
            )
            running.callback(sandbox.stop)
            address = await_api(api, places, seconds=API_START_S)
            _tell(options, address)
            watch(api.check, sandbox.check, seconds=_LOOK_S)
        finally:
            with undisturbed():
                running.close()


def _by_department(nodes: tuple[Path, ...], departments: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in nodes:
        name = load_settings(path).department
        if name in found:
            raise SettingsInvalid(str(path), f"department: {name} was named before; name it once")
        found[name] = path
    if missing := sorted(set(departments) - set(found)):
        raise SettingsInvalid(missing[0], "has no node.toml; name it with --node")
    return found


def _tell(options: Options, address: str) -> None:
    say(options.out, f"The console is at {address}/")
    engine = open_database(load_coordinator_settings(options.coordinator).database)
    try:
        link = SetupLinks(engine).first(int(time.time()))
    finally:
        engine.dispose()
    setup = None if link is None else f"{address}{setup_path(link)}"
    if options.as_json:
        told = json.dumps({"console": f"{address}/", "setup": setup})
        print(told, flush=True)  # noqa: T201 - the machine's answer
    elif setup is not None:
        say(options.out, "The first privacy officer sets a password, within a day, at")
        say(options.out, f"  {setup}")
    say(options.out, "Ctrl-C stops every process.")
