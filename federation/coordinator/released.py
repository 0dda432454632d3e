"""Carrying a plan's journey out and keeping what it released: one branch for each kind of plan."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from secrets import token_bytes
from typing import Any

from federation.coordinator.code_version import code_version
from federation.coordinator.cube_result import cube_result
from federation.coordinator.desk import Desk
from federation.coordinator.evaluation_result import evaluation_result
from federation.coordinator.model_book import weights_for
from federation.coordinator.question_result import question_result
from federation.coordinator.runs import Run
from federation.coordinator.training_result import training_result
from federation.coordinator.trainings import Trainings
from federation.cube_journey import build_cube
from federation.cube_plan import CubePlan
from federation.evaluation_journey import evaluate_model
from federation.evaluation_plan import EvaluationPlan
from federation.question_journey import ask_question
from federation.question_plan import QuestionPlan
from federation.rounds import Answers, Brief, Leg, drive
from federation.training_journey import train_model
from federation.training_layout import architecture_of
from federation.training_plan import TrainingPlan
from models.files import save


def released(
    brief: Brief, exchange: Callable[[Leg], Answers], run: Run, desk: Desk
) -> dict[str, Any]:
    """Drive the journey of the brief's plan; return what its asker reads, as JSON values.

    A cube's cells and a model's weights are written to the folder of models under the run's name,
    and the registry makes a model the next version of its name.

    Raises:
        DepartmentMissing, DepartmentRefused, ProtocolError: the attempt is over.
    """
    match brief.plan:
        case QuestionPlan() as question:
            releases = drive(ask_question(brief), exchange)
            return question_result(
                question, desk.catalogue, releases, threshold=desk.policy.least_count
            )
        case EvaluationPlan() as evaluation:
            folder = desk.settings.models
            model = weights_for(evaluation, desk.runs, desk.registry, folder)
            scores = drive(evaluate_model(brief, model=model), exchange)
            return evaluation_result(evaluation, desk.catalogue, scores.values.tolist())
        case TrainingPlan() as training:
            trainings = Trainings(desk.engine)
            under = trainings.underway(run.id)
            journey = train_model(
                brief,
                progress=trainings.progress(run.id),
                keep=partial(trainings.keep, run.id, brief.attempt),
                stopped=partial(trainings.stopped, run.id),
                resumption=under.interruptions if under else 0,
            )
            trained = drive(journey, exchange)
            architecture = architecture_of(training, desk.catalogue)
            path = desk.settings.models / f"{run.id}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, architecture, trained.average())
            version = desk.registry.add(
                training.model or training.target,
                run=run.id,
                plan=run.digest,
                file=path.name,
                sha256=sha256(path.read_bytes()).hexdigest(),
                code=code_version(),
                at=int(datetime.now(UTC).timestamp()),
            )
            return training_result(
                training,
                architecture,
                version,
                attempt=brief.attempt,
                rounds_done=trained.done,
            )
        case CubePlan() as cube:
            release = drive(build_cube(brief, shuffle=token_bytes(32)), exchange)
            path = desk.settings.models / f"{run.id}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            return cube_result(cube, desk.catalogue, release, path)
