"""What the asker of a training reads: the released model's description, and where it stands."""

from typing import Any

from federation.coordinator.registry import Version
from federation.training_plan import TrainingPlan
from models.architectures import Architecture


def training_result(
    plan: TrainingPlan,
    architecture: Architecture,
    version: Version,
    *,
    attempt: int,
    rounds_done: int,
) -> dict[str, Any]:
    """Describe a released model. Its weights stand in a safetensors file beside the database.

    The attempt is the one under which departments keep personal last layers. Fewer rounds done than
    the plan has: it was stopped, or rounds were lost to interruptions.
    """
    return {
        "kind": plan.kind,
        "target": plan.target,
        "features": list(plan.features),
        "inputs": architecture.inputs,
        "hidden": list(architecture.hidden),
        "cohort": list(plan.cohort),
        "attempt": attempt,
        "rounds": plan.rounds,
        "rounds_done": rounds_done,
        "local_steps": plan.local_steps,
        "name": version.name,
        "version": version.version,
        "model": version.file,
        "sha256": version.sha256,
        "code": version.code,
    }
