"""The models side by side, as the training room shows them. Everything is public."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.web.language import Language
from api.web.words import asked, plan_in
from federation.coordinator.desk import Desk
from federation.coordinator.intervals import NOT_STATED
from federation.coordinator.model_book import Model, models_of
from federation.coordinator.withdrawals import withdrawn_since
from federation.evaluation_plan import EvaluationPlan
from federation.plans import read_plan

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """One version of the registry.

    text: what was asked. auc: its newest noised AUC with its interval, or None. withdrawn: roughly
    how many of its clients have withdrawn since. comparison: each department alone, together, and
    without privacy, where a demonstration has computed it.
    """

    model: Model
    text: str
    auc: Json | None
    withdrawn: str
    comparison: Json | None

    @property
    def left(self) -> bool:
        """Whether anyone has withdrawn since."""
        return self.withdrawn not in ("0", NOT_STATED)


def model_lines(desk: Desk, language: Language, *, limit: int) -> list[ModelLine]:
    """Return the newest released versions."""
    models = models_of(desk.runs, desk.registry)[:limit]
    found, gone = _aucs(desk), {one.run: one.clients for one in withdrawn_since(desk)}
    return [
        ModelLine(
            model=model,
            text=asked(plan_in(model.run), desk.catalogue, language),
            auc=found.get(model.version.run),
            withdrawn=gone.get(model.version.run, NOT_STATED),
            comparison=_everyone(desk.registry.comparison(model.version.run)),
        )
        for model in models
    ]


def _aucs(desk: Desk) -> dict[str, Json]:
    """Return each model's AUC as its newest evaluation released it, by the run that trained it."""
    found: dict[str, Json] = {}
    for past in desk.runs.released():
        plan = read_plan(past.plan)
        if isinstance(plan, EvaluationPlan) and not plan.explain and plan.run not in found:
            metrics = (desk.runs.get(past.id).result or {})["everyone"].get("metrics", {})
            if "auc" in metrics:
                found[plan.run] = metrics["auc"]
    return found


def _everyone(comparison: Json | None) -> Json | None:
    rows = () if comparison is None else comparison["rows"]
    return next((row for row in rows if row["department"] is None), None)
