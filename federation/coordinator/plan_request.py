"""What a request leaves out: the catalogue's name, who takes part, whom it protects, which model.

A request may leave the cohort out (then every department, or every holder of a training's target,
takes part), name a recipe, give ``epsilon`` instead of ``rho``, list names in any order, and name a
model of the registry where an evaluation has its training. It never names the catalogue's digest.
"""

from collections.abc import Iterable, Mapping

from consent.catalogue import Catalogue
from federation.coordinator.cube_request import filled_in
from federation.coordinator.model_book import model_of
from federation.coordinator.policy import Policy
from federation.coordinator.protection import protected
from federation.coordinator.registry import Registry
from federation.coordinator.runs import Runs
from federation.coordinator.spelling import spelled
from federation.errors import PlanInvalid
from federation.recipes import with_recipe
from federation.training_plan import TrainingPlan

MOST_EPSILON = 100


def completed(
    request: Mapping[str, object],
    *,
    catalogue: Catalogue,
    policy: Policy,
    runs: Runs,
    registry: Registry,
) -> dict[str, object]:
    """Return the values of the plan that a request asks for.

    Raises:
        PlanInvalid: both epsilon and rho, or an epsilon out of range.
        UnknownField: with the names there are.
        ModelUnknown: an evaluation of a model that the registry does not have.
    """
    values = {**request, "catalogue": catalogue.digest()}
    if "epsilon" in values:
        epsilon = values.pop("epsilon")
        if "rho" in values or not isinstance(epsilon, int | float):
            raise PlanInvalid("epsilon: give either epsilon, between 0 and 100, or rho")
        if not 0 < epsilon <= MOST_EPSILON:
            raise PlanInvalid("epsilon: give either epsilon, between 0 and 100, or rho")
        values["rho"] = policy.rho(float(epsilon)).value
    target, able = values.get("target"), set(catalogue.departments)
    if values.get("kind") == "evaluation" and "training" not in values:
        training = _name_model(values, runs, registry)
        target, able = training.target, set(training.cohort) if training.personal else able
    if values.get("kind") == "question":
        values = spelled(values, catalogue)
    if isinstance(features := values.get("features"), list | tuple):
        values["features"] = sorted({str(name) for name in features})
    if isinstance(cohort := values.get("cohort"), list | tuple):
        values["cohort"] = sorted({str(name) for name in cohort})
    elif cohort is None:
        needed = (name for name in (target, values.get("group")) if name is not None)
        values["cohort"] = sorted(able.intersection(_holders(map(str, needed), catalogue)))
    if values.get("kind") == "cube":
        values = filled_in(values, catalogue)
    return protected(with_recipe(values), catalogue)


def _name_model(values: dict[str, object], runs: Runs, registry: Registry) -> TrainingPlan:
    """Put the training, the run and the weights of a version where its name stood."""
    name, number = values.pop("model", None), values.pop("version", None)
    if not isinstance(name, str) or not (number is None or isinstance(number, int)):
        raise PlanInvalid("model: name one of the registry, and perhaps its version")
    found = model_of(runs, registry, name, number)
    values["training"] = found.plan.model_dump(mode="json")
    values |= {"run": found.version.run, "sha256": found.version.sha256}
    if found.plan.personal:
        values["personal_attempt"] = (found.run.result or {}).get("attempt")
    return found.plan


def _holders(needed: Iterable[str], catalogue: Catalogue) -> set[str]:
    """Return who holds what a client must have to be counted; a question's masks need everyone."""
    held = (set(catalogue.field(name).departments) for name in needed)
    return set(catalogue.departments).intersection(*held)
