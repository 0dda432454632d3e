"""A model card: all that the firm knows of one version, as JSON values. Everything is public.

Nothing in it is measured for the card: it tells what was released, priced and logged before. What
nobody stated is "not stated".
"""

import json
import math
from typing import Any

from consent.catalogue import Catalogue, Field
from consent.levels import Level
from federation.coordinator.desk import Desk
from federation.coordinator.documents import Documents
from federation.coordinator.intervals import NOT_STATED
from federation.coordinator.model_book import Model
from federation.coordinator.model_limits import limits_of
from federation.coordinator.registry import Stage
from federation.coordinator.sweeps import Sweeps
from federation.coordinator.withdrawals import withdrawn_since
from federation.evaluation_plan import EvaluationPlan
from federation.plans import read_plan
from federation.training_layout import architecture_of
from federation.training_plan import TrainingPlan
from privacy.errors import PrivacyError
from privacy.loss import Delta, Rho
from privacy.odds import odds_of_release
from privacy.odds_text import sentences
from privacy.units import PrivacyUnit

FORMAT = "infosandbox/model-card/v1"
OUTSIDE = "computed outside the sandbox, exactly, on public data"

Json = dict[str, Any]

_RECIPE = (
    "rounds",
    "local_steps",
    "clip_norm",
    "learning_rate",
    "momentum",
    "linear_rounds",
    "noise",
    "owned",
    "proximal",
    "personal",
    "holdout",
)


def card_of(model: Model, desk: Desk) -> Json:
    """Return the card of one released version."""
    plan, version, label = model.plan, model.version, model.label
    catalogue = _catalogue_of(plan, desk)
    evaluations = _evaluations(model, desk, explain=False)
    comparison = desk.registry.comparison(version.run)
    stage = model.stage
    return {
        "format": FORMAT,
        "name": version.name,
        "version": version.version,
        "stage": Stage.ON_TRIAL.value if stage is None else stage.stage.value,
        "stage_set_by": NOT_STATED if stage is None else stage.who,
        "stage_reason": NOT_STATED if stage is None else stage.reason,
        "created_at": version.created_at,
        "predicts": _field(plan.target, catalogue),
        "purpose": _purpose(plan, catalogue),
        "reason": plan.reason,
        "took_part": list(plan.cohort),
        "fields": [_field(name, catalogue) for name in plan.features],
        "privacy": _privacy(label) | _tuned(version.run, desk),
        "recipe": _recipe(model, catalogue),
        "evaluations": evaluations,
        "explanations": _evaluations(model, desk, explain=True),
        "comparison": NOT_STATED if comparison is None else comparison | {"how": OUTSIDE},
        "limits": limits_of(plan, evaluations, compared=comparison is not None),
        "lineage": {
            "run": version.run,
            "plan": version.plan,
            "catalogue": plan.catalogue,
            "catalogue_in_force": plan.catalogue == desk.catalogue.digest(),
            "consent_epoch": label["consent_epoch"],
            "log_index": label.get("log_index", NOT_STATED),
            "weights": version.sha256,
            "code": version.code,
            "withdrawn_since": withdrawn_bucket(version.run, desk),
            "retrain": f"infosandbox model retrain {version.name} --version {version.version}",
        },
    }


def withdrawn_bucket(run: str, desk: Desk) -> str:
    """Return roughly how many of a release's clients have withdrawn since, as a power of ten."""
    buckets = (past.clients for past in withdrawn_since(desk) if past.run == run)
    return next(buckets, NOT_STATED)


def request_again(plan: TrainingPlan) -> Json:
    """Return the request that trains a version's model anew, under today's catalogue and consent.

    The same request in the same consent epoch is answered by the same run, for nothing.
    """
    values: Json = json.loads(plan.model_dump_json(exclude_unset=False))
    del values["catalogue"]
    return {key: value for key, value in values.items() if value is not None}


def _catalogue_of(plan: TrainingPlan, desk: Desk) -> Catalogue | None:
    """Return the catalogue that a plan names, in force or an earlier one."""
    if plan.catalogue == desk.catalogue.digest():
        return desk.catalogue
    for document in Documents(desk.engine).all():
        if document.kind == "catalogue":
            found = Catalogue.model_validate_json(json.dumps(document.body))
            if found.digest() == plan.catalogue:
                return found
    return None


def _field(name: str, catalogue: Catalogue | None) -> Json:
    if catalogue is None:
        keys = ("title", "title_zh", "kind", "labels", "level", "level_title", "level_title_zh")
        return {"name": name, **dict.fromkeys((*keys, "purposes", "departments"), NOT_STATED)}
    found: Field = catalogue.field(name)
    level = Level(found.level)
    return {
        "name": name,
        "title": found.title,
        "title_zh": found.title_zh or found.title,
        "kind": found.kind,
        "labels": list(found.labels()),
        "level": int(level),
        "level_title": level.title,
        "level_title_zh": level.title_zh,
        "purposes": list(found.purposes),
        "departments": list(found.departments),
    }


def _purpose(plan: TrainingPlan, catalogue: Catalogue | None) -> Json:
    if catalogue is None:
        return {"name": plan.purpose, "title": NOT_STATED, "title_zh": NOT_STATED}
    found = catalogue.purpose(plan.purpose)
    return {"name": found.name, "title": found.title, "title_zh": found.title_zh or found.title}


def _privacy(label: Json) -> Json:
    keys = (
        "privacy_unit",
        "neighboring_relation",
        "contribution_bound",
        "rho",
        "epsilon",
        "delta",
        "mechanism",
        "library",
        "model",
        "share_tolerance",
        "who_saw_what",
        "unprotected",
        "pool",
        "approver",
        "retention",
        "tuning_on_real_data",
    )
    told = {key: label.get(key, NOT_STATED) for key in keys}
    return told | {"odds": _odds(label)}


def _tuned(run: str, desk: Desk) -> Json:
    """Say that a version was one of several recipes that were tried on real data, if it was."""
    found = Sweeps(desk.engine).of_training(run)
    if found is None:
        return {}
    tried = f"one of {len(found.plans)} recipes of sweep {found.id}, each priced by itself"
    return {"tuning_on_real_data": tried}


def _odds(label: Json) -> Json | str:
    try:
        odds = odds_of_release(Rho(label["rho"]), Delta(label["delta"]))
    except PrivacyError:
        return NOT_STATED
    unit = PrivacyUnit(label["privacy_unit"])
    return {"en": list(sentences(odds, "en", unit)), "zh": list(sentences(odds, "zh", unit))}


def _recipe(model: Model, catalogue: Catalogue | None) -> Json:
    plan = model.plan
    shape: Json = {"objective": plan.objective or NOT_STATED, "inputs": NOT_STATED}
    if catalogue is not None:
        architecture = architecture_of(plan, catalogue)
        shape = {"objective": architecture.objective.value, "inputs": architecture.inputs}
    return shape | {"hidden": list(plan.hidden)} | {key: getattr(plan, key) for key in _RECIPE}


def _evaluations(model: Model, desk: Desk, *, explain: bool) -> list[Json]:
    """Return every released evaluation of a version, newest first, with what each cost.

    explain: those that say which fields drive the scores; otherwise those that judge them.
    """
    found = []
    for past in desk.runs.released():
        plan = read_plan(past.plan)
        if not isinstance(plan, EvaluationPlan) or plan.run != model.version.run:
            continue
        if plan.explain is not explain:
            continue
        run = desk.runs.get(past.id)
        label = run.label or {}
        result = {k: v for k, v in (run.result or {}).items() if k != "counts"}
        told = {key: label.get(key, NOT_STATED) for key in ("rho", "epsilon", "delta")}
        found.append(
            {
                "run": past.id,
                "released_at": past.at,
                "consent_epoch": past.epoch,
                "log_index": past.log_index,
                "took_part": list(plan.cohort),
                "owned": plan.owned,
                **{key: _finite(value) for key, value in told.items()},
                "result": result,
            }
        )
    return found


def _finite(value: object) -> object:
    return NOT_STATED if isinstance(value, float) and not math.isfinite(value) else value
