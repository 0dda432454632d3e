"""A training's journey: every round sends the weights out and averages what comes back."""

import numpy as np
import numpy.typing as npt

from federation.errors import ProtocolError
from federation.rounds import Brief, Journey, accepted, checked, noised_sum
from federation.training_layout import architecture_of
from federation.training_plan import TrainingPlan
from federation.updates import decode_update, update_size


def train_model(brief: Brief) -> Journey[npt.NDArray[np.float64]]:
    """Train one shared model: every round sends the weights out and averages what comes back.

    The weights of the last half of the rounds are averaged (DESIGN section 9). Each department's
    update is private by itself before it is masked, so the weights may be published as they are.

    Returns float64 [d], in the order of :mod:`models.parameters`.
    """
    plan = brief.plan
    if not isinstance(plan, TrainingPlan):
        raise ProtocolError("this journey is a training's")
    from models.parameters import initial_vector  # noqa: PLC0415 - torch, and only trainings need it

    architecture = architecture_of(plan, brief.catalogue)
    weights = initial_vector(architecture)
    yield from checked(brief)
    kept: list[npt.NDArray[np.float64]] = []
    for number in range(plan.rounds):
        sent = dict.fromkeys(plan.cohort, weights.astype("<f8").tobytes())
        step = f"round {number + 1} of {plan.rounds}"
        leg = brief.leg("round", number=number, step=step, payloads=sent)
        answers = accepted(leg, (yield leg))
        total = noised_sum(brief, number, answers, size=update_size(architecture))
        weights = decode_update(architecture, total)
        if number >= plan.rounds // 2:
            kept.append(weights)
    average: npt.NDArray[np.float64] = np.mean(kept, axis=0)
    return average
