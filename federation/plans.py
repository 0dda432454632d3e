"""Plans: what is asked, frozen before anyone looks at data. A plan's SHA-256 is its name.

A plan travels from the asker through the coordinator to every node of its cohort, and each of them
checks the same bytes. Public keys and bounds are not repeated in it: the plan names the digest of
the catalogue they stand in, and a node with another catalogue refuses. All of a plan is public.
"""

import math
from hashlib import sha256
from typing import Annotated

import rfc8785
from pydantic import Field, TypeAdapter, ValidationError

from federation.cube_plan import CubePlan
from federation.errors import PlanInvalid
from federation.evaluation_plan import EvaluationPlan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan

AnyPlan = QuestionPlan | TrainingPlan | CubePlan | EvaluationPlan
_PLAN: TypeAdapter[AnyPlan] = TypeAdapter(Annotated[AnyPlan, Field(discriminator="kind")])


def canonical(plan: AnyPlan) -> bytes:
    """Return the plan as RFC 8785 canonical JSON: equal plans have equal bytes."""
    return rfc8785.dumps(plan.model_dump(mode="json"))


def digest(plan: AnyPlan) -> bytes:
    """Return the plan's name: the SHA-256 of its canonical JSON, 32 bytes."""
    return sha256(canonical(plan)).digest()


def read_plan(data: bytes | dict[str, object]) -> AnyPlan:
    """Parse a plan from JSON bytes or a mapping.

    Raises:
        PlanInvalid: an unknown key, a value out of range or a plan that contradicts itself.
    """
    try:
        return _PLAN.validate_json(data) if isinstance(data, bytes) else _PLAN.validate_python(data)
    except ValidationError as error:
        raise PlanInvalid(explain(error)) from None


def owners_save(plan: AnyPlan) -> float:
    """Return how many times as wide the noise would be if no client had one owner; 1 if none has.

    A sum over n departments has noise in proportion to the k = n departments a client moves, a
    local step in proportion to the root of what ρ is divided by.
    """
    match plan:
        case TrainingPlan(owned=True, noise="local"):
            return math.sqrt(len(plan.cohort))
        case QuestionPlan(owned=True) | EvaluationPlan(owned=True) | TrainingPlan(owned=True):
            return float(len(plan.cohort))
        case _:
            return 1.0


_PLAIN = {
    "missing": "is missing; add it",
    "extra_forbidden": "is no key here; remove it or correct its spelling",
}


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with each place of a plan, without repeating long inputs."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = (".".join(str(part) for part in e["loc"]) or "plan" for e in found)
    reasons = (_PLAIN.get(e["type"], e["msg"].removeprefix("Value error, ")) for e in found)
    return "; ".join(f"{place}: {reason}" for place, reason in zip(places, reasons, strict=True))
