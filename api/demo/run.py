"""The demonstration's story, in order: enroll, start, ask, train, be refused; then stay up."""

import json
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from api.cli.tables import evaluation_table
from api.client import Client, Json, Refusal
from api.demo import show
from api.demo.card import evaluation_request, keep_comparison, write_cards
from api.demo.expected import refused, released
from api.demo.folder import DemoFolder, read_folder
from api.demo.outside import Comparison, compare, consent_of
from api.demo.people import seed_people
from api.demo.prepare import Prepared, fresh_state, prepare
from api.demo.steps import Steps
from api.people.roles import Role
from api.processes import (
    ApiPlaces,
    await_api,
    ended_by_signals,
    seldom,
    start_api,
    undisturbed,
)
from consent.store import Register
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database
from federation.deployment import processes
from federation.deployment.processes import Child
from federation.deployment.sandbox import Sandbox
from federation.plans import read_plan
from federation.training_plan import TrainingPlan
from models.files import load

API_START_S = 60.0
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for. ``out`` takes the answers, ``err`` the progress."""

    folder: Path
    state: Path
    once: bool
    as_json: bool
    out: Console
    err: Console


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Everything that runs while the story is told."""

    options: Options
    folder: DemoFolder
    prepared: Prepared
    sandbox: Sandbox
    api: Child
    client: Client
    steps: Steps

    def check(self) -> None:
        """Raise ProcessEnded or RunEnded if something that should run does not."""
        self.api.check()
        self.sandbox.check()

    @property
    def page(self) -> Console:
        """Where people read: with ``--json``, standard output is the machine's."""
        return self.options.err if self.options.as_json else self.options.out


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
    stage = _Stage(
        options=options,
        folder=folder,
        prepared=prepared,
        sandbox=sandbox,
        api=api,
        client=client,
        steps=steps,
    )
    question = _ask(stage)
    training, comparison = _train(stage)
    refusal = _be_refused(stage)
    model = _card(stage, training, comparison)
    for line in show.where_lines(address, prepared.token_files):
        show.say(stage.page, line)
    if options.as_json:
        report = _report(question, training, comparison, refusal, steps.seconds) | {"model": model}
        print(json.dumps(report, ensure_ascii=False), flush=True)  # noqa: T201 - the machine's answer
    if not options.once:
        _open_console(stage, address)
        show.say(stage.page, "Ctrl-C stops every process.")
        _stay(stage)


def _open_console(stage: _Stage, address: str) -> None:
    """Make an account for every role, and say where to sign in and how, once."""
    with stage.steps.step("accounts", "Making accounts") as tell:
        settings = load_coordinator_settings(stage.prepared.coordinator)
        seeded = seed_people(settings, now=datetime.now(UTC), tell=tell)
    stage.page.print(show.people_table(seeded))
    show.say(stage.page, f"The console is at {address}/ and is in English and in Chinese.")


def _ask(stage: _Stage) -> Json:
    request = stage.folder.question
    with stage.steps.step("question", "Asking a question") as tell:
        alive = seldom(stage.check, seconds=2.0)
        run = released(
            stage.client.carry_out("/api/v1/questions", request.request(), tell, alive=alive),
            "question.toml",
        )
    stage.page.print(show.question_table(run["result"], stage.folder.catalogue, request.reason))
    show.say(stage.page, show.cost_line(run["label"], stage.client.budget(request.purpose)))
    return run


def _train(stage: _Stage) -> tuple[Json, Comparison]:
    request = stage.folder.training
    with stage.steps.step("training", "Training the shared model") as tell:
        alive = seldom(stage.check, seconds=2.0)
        run = released(
            stage.client.carry_out("/api/v1/trainings", request.request(), tell, alive=alive),
            "training.toml",
        )
    with stage.steps.step("outside", "Comparing, outside the sandbox") as tell:
        tell("Training each department alone, and all without noise", 0.1)
        comparison = _compare(run, stage)
    stage.page.print(show.auc_table(comparison, run["label"]["epsilon"]))
    show.say(stage.page, show.cost_line(run["label"], stage.client.budget(request.purpose)))
    return run, comparison


def _compare(run: Json, stage: _Stage) -> Comparison:
    settings = load_coordinator_settings(stage.prepared.coordinator)
    plan = read_plan(json.dumps(run["plan"]).encode())
    if not isinstance(plan, TrainingPlan):
        raise TypeError(plan.kind)
    _, weights = load(settings.models / run["result"]["model"])
    engine = open_database(settings.database)
    try:
        consent = consent_of(Register(engine), stage.folder.catalogue, plan, int(time.time()))
    finally:
        engine.dispose()
    return compare(plan, stage.folder.catalogue, weights, stage.prepared.rows, consent)


def _card(stage: _Stage, training: Json, comparison: Comparison) -> Json:
    """Evaluate the model, put the exact comparison beside it, and write its card as a page."""
    with stage.steps.step("evaluation", "Evaluating the shared model") as tell:
        alive = seldom(stage.check, seconds=2.0)
        run = stage.client.carry_out(
            "/api/v1/evaluations", evaluation_request(training), tell, alive=alive
        )
    evaluated = not isinstance(run, Refusal) and run["state"] == "released"
    if isinstance(run, Refusal):  # a folder's departments need not answer evaluations
        show.say(stage.page, f"The model was not evaluated: {run.text or run.title}")
    elif evaluated:
        stage.page.print(evaluation_table(run["result"], run["plan"]["reason"]))
        show.say(stage.page, show.cost_line(run["label"], stage.client.budget(run["purpose"])))
    database = load_coordinator_settings(stage.prepared.coordinator).database
    keep_comparison(database, training, comparison)
    cards = write_cards(stage.client, training, stage.prepared.state / "cards")
    for language, path in cards.items():
        show.say(stage.page, f"The model's card ({language}) is {path}")
    return {
        **{key: training["result"][key] for key in ("name", "version", "sha256", "code")},
        "evaluation": run["result"]["everyone"]
        if evaluated and not isinstance(run, Refusal)
        else None,
        "card": {language: str(path) for language, path in cards.items()},
    }


def _be_refused(stage: _Stage) -> Refusal:
    request = stage.folder.refused
    with stage.steps.step("refusal", "Asking what nobody may ask") as tell:
        alive = seldom(stage.check, seconds=2.0)
        refusal = refused(
            stage.client.carry_out("/api/v1/questions", request.request(), tell, alive=alive),
            "refused.toml",
        )
    stage.page.print(show.refusal_panel(refusal, request.reason))
    return refusal


def _stay(stage: _Stage) -> None:
    """Watch every process until Ctrl-C, which is how a demonstration ends."""
    try:
        while True:
            stage.check()
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        stage.options.err.print("Stopping every process")


def _report(
    question: Json,
    training: Json,
    comparison: Comparison,
    refusal: Refusal,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Compose the JSON object: the released parts as the API gave them, the rest marked exact."""
    everyone = comparison.everyone
    return {
        "question": {name: question[name] for name in ("id", "plan", "result", "label")},
        "training": {
            **{name: training[name] for name in ("id", "plan", "result", "label")},
            "epsilon": training["label"]["epsilon"],
            "delta": training["label"]["delta"],
            "auc_alone": everyone.alone,
            "auc_federated": everyone.federated,
            "auc_without_noise": everyone.without_noise,
            "auc_by_department": {d: asdict(s) for d, s in comparison.departments.items()},
            "auc_is": "exact, outside the sandbox, on the held-out 30 % of clients",
        },
        "refusal": asdict(refusal),
        "seconds": seconds | {"total": round(sum(seconds.values()), 2)},
    }
