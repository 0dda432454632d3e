"""The chapters of the demonstration: ask, train, join in a cube, be refused, tell of the model."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rich.console import Console

from api.cli.tables import evaluation_tables
from api.client import Client, Json, Refusal
from api.demo import show
from api.demo.card import evaluation_request, keep_comparison, write_cards
from api.demo.expected import refused, released
from api.demo.folder import DemoFolder
from api.demo.joined import cube_auc
from api.demo.outside import Comparison, Consent, compare, consent_of, held_out_together
from api.demo.prepare import Prepared
from api.demo.steps import Steps
from api.processes import seldom
from consent.store import Register
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database
from federation.deployment.processes import Child
from federation.deployment.sandbox import Sandbox
from federation.plans import AnyPlan, read_plan
from federation.training_plan import TrainingPlan
from models.files import load

_EXACT = "exact, outside the sandbox, on the held-out 30 % of clients"


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
class Stage:
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


def ask(stage: Stage) -> Json:
    """Ask the folder's question; return the released run."""
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


def train(stage: Stage) -> tuple[Json, Comparison]:
    """Train the shared model, and compare it outside the sandbox with what is not offered."""
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


def _compare(run: Json, stage: Stage) -> Comparison:
    plan = read_plan(json.dumps(run["plan"]).encode())
    if not isinstance(plan, TrainingPlan):
        raise TypeError(plan.kind)
    models = load_coordinator_settings(stage.prepared.coordinator).models
    _, weights = load(models / run["result"]["model"])
    consent = _consent(stage, plan)
    return compare(plan, stage.folder.catalogue, weights, stage.prepared.rows, consent)


def _consent(stage: Stage, plan: AnyPlan) -> Consent:
    engine = open_database(load_coordinator_settings(stage.prepared.coordinator).database)
    try:
        return consent_of(Register(engine), stage.folder.catalogue, plan, int(time.time()))
    finally:
        engine.dispose()


def join(stage: Stage, training: Json, comparison: Comparison) -> Json | None:
    """Join the departments' columns in one cube, and ask it what the training learned."""
    request = stage.folder.cube
    if request is None:
        return None
    with stage.steps.step("cube", "Joining the departments in a cube") as tell:
        alive = seldom(stage.check, seconds=2.0)
        run = released(
            stage.client.carry_out("/api/v1/cubes", request.request(), tell, alive=alive),
            "cube.toml",
        )
        tell("Asking the cube, for nothing, and scoring outside the sandbox", 0.9)
        place, target = f"/api/v1/cubes/{run['id']}", stage.folder.training.target
        plan = read_plan(json.dumps(run["plan"]).encode())
        held_out = held_out_together(stage.prepared.rows, _consent(stage, plan))

        def model_of(features: Sequence[str]) -> Json:
            query = urlencode({"target": target, "feature": features}, doseq=True)
            model: Json = stage.client.get(f"{place}/model?{query}")
            return model

        score = cube_auc(model_of, held_out, target)
        pairs = stage.client.get(f"{place}/relations")["pairs"]
    auc_of = {"training": training["label"]["epsilon"], "cube": run["label"]["epsilon"]}
    stage.page.print(show.joined_table(comparison.everyone, score, auc_of))
    stage.page.print(show.relations_table(pairs, stage.folder.catalogue, target))
    show.say(stage.page, show.cost_line(run["label"], stage.client.budget(request.purpose)))
    return {name: run[name] for name in ("id", "plan", "label")} | {
        "auc": score,
        "auc_is": _EXACT,
    }


def make_card(stage: Stage, training: Json, comparison: Comparison) -> Json:
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
        stage.page.print(*evaluation_tables(run["result"], run["plan"]["reason"]))
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


def be_refused(stage: Stage) -> Refusal:
    """Ask what nobody may ask; return the refusal."""
    request = stage.folder.refused
    with stage.steps.step("refusal", "Asking what nobody may ask") as tell:
        alive = seldom(stage.check, seconds=2.0)
        refusal = refused(
            stage.client.carry_out("/api/v1/questions", request.request(), tell, alive=alive),
            "refused.toml",
        )
    stage.page.print(show.refusal_panel(refusal, request.reason))
    return refusal


def report(
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
            "auc_is": _EXACT,
        },
        "refusal": asdict(refusal),
        "seconds": seconds | {"total": round(sum(seconds.values()), 2)},
    }
