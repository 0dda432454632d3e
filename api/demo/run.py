"""The demonstration from start to end: enroll, start, tell the chapters in order, then stay up."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from api.client import Client
from api.demo import chapters, show
from api.demo.chapters import Options, Stage
from api.demo.folder import DemoFolder, read_folder
from api.demo.people import seed_people
from api.demo.prepare import fresh_state, prepare
from api.demo.steps import Steps
from api.people.roles import Role
from api.processes import (
    ApiPlaces,
    await_api,
    ended_by_signals,
    start_api,
    undisturbed,
    watch,
)
from federation.coordinator.settings import load_coordinator_settings
from federation.deployment import processes
from federation.deployment.sandbox import Sandbox

API_START_S = 60.0
_LOOK_S = 1.0


def run_demo(options: Options) -> None:
    """Tell the whole story; without ``once``, stay up until Ctrl-C. Every process is stopped.

    Raises:
        DemoError, ConsentError, FederationError: what went wrong and what to do.
        KeyboardInterrupt: it was interrupted before the end of the story.
    """
    folder = read_folder(options.folder)
    steps = Steps(console=options.err)
    with ended_by_signals(), fresh_state(options.state) as state:
        running = ExitStack()
        try:
            _story(options, folder, state, steps, running)
        finally:
            with undisturbed():
                running.close()


def _story(
    options: Options, folder: DemoFolder, state: Path, steps: Steps, running: ExitStack
) -> None:
    with steps.step("enroll", "Enrolling the departments") as tell:
        prepared = prepare(folder, state, now=datetime.now(UTC), progress=tell)
    with steps.step("start", "Starting the federation") as tell:
        places = ApiPlaces(coordinator=prepared.coordinator, tokens=prepared.tokens, state=state)
        api = start_api(places)
        running.callback(processes.stop, [api])
        sandbox = Sandbox.start(
            state / "federation",
            prepared.enrolment,
            prepared.nodes,
            coordinator=prepared.coordinator,
            progress=tell,
        )
        running.callback(sandbox.stop)
        tell("Waiting for the API", 0.95)
        address = await_api(api, places, seconds=API_START_S)
    token = prepared.token_files[Role.ANALYST].read_text(encoding="utf-8").strip()
    client = Client.connect(address, token)
    running.callback(client.http.close)
    stage = Stage(
        options=options,
        folder=folder,
        prepared=prepared,
        sandbox=sandbox,
        api=api,
        client=client,
        steps=steps,
    )
    question = chapters.ask(stage)
    training, comparison = chapters.train(stage)
    cube = chapters.join(stage, training, comparison)
    refusal = chapters.be_refused(stage)
    model = chapters.make_card(stage, training, comparison)
    if options.as_json:
        report = chapters.report(question, training, comparison, refusal, steps.seconds)
        report |= {"cube": cube, "model": model}
        print(json.dumps(report, ensure_ascii=False), flush=True)  # noqa: T201 - the machine's answer
    if not options.once:
        for line in show.where_lines(address, prepared.token_files):
            show.say(stage.page, line)
        _open_console(stage, address)
        show.say(stage.page, "Ctrl-C stops every process.")
        _stay(stage)


def _open_console(stage: Stage, address: str) -> None:
    """Make an account for every role, and say where to sign in and how, once."""
    with stage.steps.step("accounts", "Making accounts") as tell:
        settings = load_coordinator_settings(stage.prepared.coordinator)
        seeded = seed_people(settings, now=datetime.now(UTC), tell=tell)
    stage.page.print(show.people_table(seeded))
    show.say(stage.page, f"The console is at {address}/ and is in English and in Chinese.")


def _stay(stage: Stage) -> None:
    """Watch every process until Ctrl-C, which is how a demonstration ends."""
    try:
        watch(stage.check, seconds=_LOOK_S)
    except KeyboardInterrupt:
        stage.options.err.print("Stopping every process")
