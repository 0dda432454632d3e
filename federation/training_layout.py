"""What a model's inputs and its target stand for: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. The vector of a training
round is described in :mod:`federation.updates`.
"""

from itertools import accumulate

from consent.catalogue import Catalogue, Field
from federation.errors import PlanInvalid
from federation.training_plan import TrainingPlan
from models.architectures import Architecture, check_linear_start, linear_part
from models.objectives import MAX_COUNT, Objective

BINARY = 2


def width(field: Field) -> int:
    """Return how many inputs of a model a field takes.

    A number and a flag take two (presence, value), a category one for each of its categories.
    """
    return len(field.categories) if field.kind == "category" else 2


def feature_fields(plan: TrainingPlan, catalogue: Catalogue) -> tuple[Field, ...]:
    """Return the fields of the design matrix, in the plan's order."""
    return tuple(catalogue.field(name) for name in plan.features)


def field_slices(plan: TrainingPlan, catalogue: Catalogue) -> list[slice]:
    """Return which inputs of the design matrix each feature takes, in the plan's order."""
    ends = list(accumulate(width(field) for field in feature_fields(plan, catalogue)))
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def objective_of(plan: TrainingPlan, catalogue: Catalogue) -> Objective:
    """Return what the plan learns of its target's field: what it says, or what the kind suggests.

    A flag or two categories: yes or no, the second label being the positive class. More categories:
    which of them. A number: how much, between its public bounds.

    Raises:
        PlanInvalid: the field cannot be learned so.
        UnknownField: the catalogue has no such field.
    """
    field = catalogue.field(plan.target)
    labels = len(field.labels())
    two = field.kind != "number" and labels == BINARY
    if plan.objective is None:
        if field.kind == "number":
            return Objective.AMOUNT
        return Objective.BINARY if two else Objective.MULTICLASS
    match plan.objective:
        case Objective.BINARY if not two:
            problem = "must be a flag or have exactly two categories to be learned as binary"
        case Objective.MULTICLASS if field.kind != "category":
            problem = "must be a category to be learned as multiclass"
        case Objective.ORDINAL if field.kind == "flag" or labels < BINARY:
            problem = "needs categories in their order, or a number with edges, to be ordinal"
        case Objective.COUNT if not _counts(field):
            problem = f"must be a number with bounds from 0 to at most {MAX_COUNT} to be a count"
        case Objective.AMOUNT if field.kind != "number":
            problem = "must be a number to be learned as an amount"
        case _:
            return plan.objective
    raise PlanInvalid(f"target: {field.name} {problem}")


def architecture_of(plan: TrainingPlan, catalogue: Catalogue) -> Architecture:
    """Return the shape of the plan's model.

    Raises:
        PlanInvalid: the target cannot be learned so.
        UnknownField: the catalogue has no such field.
        ModelError: the network is beyond its limits, or cannot begin as a linear model.
    """
    objective = objective_of(plan, catalogue)
    classes = len(catalogue.field(plan.target).labels())
    several = {Objective.MULTICLASS: classes, Objective.ORDINAL: classes - 1}
    architecture = Architecture(
        inputs=sum(width(field) for field in feature_fields(plan, catalogue)),
        hidden=plan.hidden,
        objective=objective,
        outputs=several.get(objective, 1),
    )
    if plan.linear_rounds:
        check_linear_start(architecture)
    return architecture


def check_labels_held(plan: TrainingPlan, catalogue: Catalogue) -> None:
    """Refuse a cohort with a department that holds no labels: it would take part with noise alone.

    Raises:
        PlanInvalid: names who takes part and who cannot.
    """
    holders = catalogue.field(plan.target).departments
    if lacking := [name for name in plan.cohort if name not in holders]:
        able = ", ".join(name for name in plan.cohort if name in holders) or "nobody"
        raise PlanInvalid(
            f"cohort: {', '.join(lacking)} holds no {plan.target}: leave it out; "
            f"{able} can take part"
        )


def architecture_in(plan: TrainingPlan, catalogue: Catalogue, number: int) -> Architecture:
    """Return the shape of what is trained in a round: the plan's model, or first its linear part.

    Raises:
        PlanInvalid, UnknownField, ModelError: see ``architecture_of``.
    """
    architecture = architecture_of(plan, catalogue)
    return linear_part(architecture) if number < plan.linear_rounds else architecture


def _counts(field: Field) -> bool:
    return (
        field.kind == "number"
        and field.lower is not None
        and field.upper is not None
        and field.lower >= 0
        and field.upper <= MAX_COUNT
    )
