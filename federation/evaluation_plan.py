"""An evaluation: how good one released model is, or which fields drive what it says."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from federation.plan_base import BasePlan, Digest, Name
from federation.run_permit import Leg
from federation.training_plan import LEAST_CLIP, TrainingPlan
from privacy.units import ContributionBound

COUNT_WEIGHT = 1 / 2
"""Where a model is explained, a client adds this much of the clip norm to its group's count."""

RunName = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class EvaluationPlan(BasePlan):
    """Every node scores its own clients with the public weights and counts them.

    Each client adds one to one cell of each of some tables, which evaluation_layout lists by what
    the model learns: score and label for yes or no, predicted and true class, predicted band and
    error. So one release gives every figure, and the same of every group. A client counts whose
    target and group are open and present; a feature that is closed or missing is absent, as in the
    training. If the training held clients out, only those count.

    ``training``: the plan of the model. ``run``: that trained it. ``sha256``: of the file of its
    weights, which the coordinator sends and every node checks. ``group``: whose labels are looked
    at one by one. ``bins``: of the scores or of the errors, edges public (see evaluation_layout).
    ``error_cap``: of a count or an amount: a larger error counts as this one, in the target's unit,
    or in natural logarithms where its scale is logarithmic; by default the largest there can be.
    ``personal_attempt``: of the training, under which every department of the cohort keeps the last
    layer of its own that it scores with; of a training without any, None. ``owned``: as in a
    question.

    ``explain``: instead of counting predictions, say which fields drive them. Each client adds how
    far each field moves its score either way, all fields together at most ``clip_norm`` in L2, and
    COUNT_WEIGHT·clip_norm to the count of its group.
    """

    kind: Literal["evaluation"] = "evaluation"
    training: TrainingPlan
    run: RunName
    sha256: Digest
    group: Name | None = None
    bins: int = Field(default=32, ge=8, le=64)
    error_cap: float | None = Field(default=None, gt=0)
    personal_attempt: int | None = Field(default=None, ge=0)
    owned: bool = True
    explain: bool = False
    clip_norm: float = Field(default=2.0, ge=LEAST_CLIP, le=100)

    @model_validator(mode="after")
    def _is_of_this_catalogue(self) -> Self:
        if self.training.catalogue != self.catalogue:
            msg = "the model was trained under another catalogue: train it again under this one"
            raise ValueError(msg)
        if self.group == self.training.target:
            msg = "the group cannot be the model's own target"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _last_layers_are_there(self) -> Self:
        if self.training.personal is (self.personal_attempt is None):
            msg = "personal_attempt belongs to a model with personal last layers, and to no other"
            raise ValueError(msg)
        if self.training.personal and (new := set(self.cohort) - set(self.training.cohort)):
            msg = f"{', '.join(sorted(new))} did not train and has no last layer: leave it out"
            raise ValueError(msg)
        return self

    @property
    def target(self) -> str:
        """What the model predicts."""
        return self.training.target

    @property
    def counted(self) -> tuple[str, ...]:
        """The fields without which a client is not counted at all."""
        return (self.target,) if self.group is None else (self.group, self.target)

    @property
    def legs(self) -> Mapping[Leg, int]:
        """The plan's legs in their order, and the rounds of each."""
        return {"tokens" if self.owned else "check": 1, "sum": 1}

    @property
    def bound(self) -> ContributionBound:
        """How often one unit moves this plan's sum."""
        return ContributionBound(
            departments=1 if self.owned else len(self.cohort), clients=self.clients_per_household
        )

    @property
    def joint_norm(self) -> float:
        """L2 norm that one client may add to one department's sums, where a model is explained.

        Its fields have at most clip_norm = C and its count COUNT_WEIGHT·C, all in one group:
        C·√(1 + 1/4) together.
        """
        return self.clip_norm * math.hypot(1.0, COUNT_WEIGHT)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the plan opens, each once, in alphabetical order."""
        return tuple(sorted({*self.training.fields, *self.counted}))
