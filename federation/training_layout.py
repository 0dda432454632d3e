"""What a model's inputs stand for: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. The vector of a training
round is described in :mod:`federation.updates`.
"""

from consent.catalogue import Catalogue, Field
from federation.errors import PlanInvalid
from federation.training_plan import TrainingPlan
from models.architectures import Architecture

BINARY = 2


def width(field: Field) -> int:
    """Return how many inputs of a model a field takes.

    A number and a flag take two (presence, value), a category one for each of its categories.
    """
    return len(field.categories) if field.kind == "category" else 2


def feature_fields(plan: TrainingPlan, catalogue: Catalogue) -> tuple[Field, ...]:
    """Return the fields of the design matrix, in the plan's order."""
    return tuple(catalogue.field(name) for name in plan.features)


def target_field(plan: TrainingPlan, catalogue: Catalogue) -> Field:
    """Return what the model learns; its second label is the positive class.

    Raises:
        PlanInvalid: it is neither a flag nor a category of two.
    """
    field = catalogue.field(plan.target)
    if field.kind == "number" or len(field.labels()) != BINARY:
        raise PlanInvalid(f"target: {field.name} must be a flag or have exactly two categories")
    return field


def architecture_of(plan: TrainingPlan, catalogue: Catalogue) -> Architecture:
    """Return the shape of the plan's model.

    Raises:
        PlanInvalid: the target is not binary.
        UnknownField: the catalogue has no such field.
    """
    target_field(plan, catalogue)
    inputs = sum(width(field) for field in feature_fields(plan, catalogue))
    return Architecture(inputs=inputs, hidden=plan.hidden)
