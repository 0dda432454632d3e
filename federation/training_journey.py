"""A training's journey: every round sends the weights out and learns from what comes back."""

from collections.abc import Callable

import numpy as np

from federation.errors import ProtocolError, RunStopped
from federation.rounds import Brief, Journey, accepted, agreed, noised_sum
from federation.training_layout import architecture_in
from federation.training_plan import TrainingPlan
from federation.training_progress import Progress, begun, grown_to, moved_to, sent_out
from federation.updates import (
    decode_gradient,
    decode_update,
    gradient_size,
    step_divisor,
    update_size,
)
from models.architectures import Architecture, size
from models.averaging import divided
from privacy.lattice import IntVector


def _forget(_progress: Progress) -> None:
    """Keep nothing: a training that is interrupted is lost."""


def train_model(
    brief: Brief,
    *,
    progress: Progress | None = None,
    keep: Callable[[Progress], None] = _forget,
    stopped: Callable[[], bool] = lambda: False,
    resumption: int = 0,
) -> Journey[Progress]:
    """Train one shared model: every round sends the weights out and learns from what comes back.

    With local steps the departments' weights are averaged; each department's update is private by
    itself before it is masked. With shared noise the coordinator takes the step on the noised sum.
    Either way what it then knows is released and may be stored and published as it is. The weights
    of the last half of the rounds are averaged (DESIGN section 9).

    A round is given its number once: its number is kept before it is sent, and a training that goes
    on after an interruption goes on with the next one. So no node pays for a round twice, and all
    rounds together never cost more than the plan's ρ; the round that was under way is lost.

    Args:
        brief: of the run.
        progress: where to go on; None begins.
        keep: is given the progress before and after every round.
        stopped: asked before every round; True ends the training with the rounds that are done.
        resumption: how often this training was interrupted.

    Raises:
        RunStopped: it was stopped before any round was done.
    """
    plan = brief.plan
    if not isinstance(plan, TrainingPlan):
        raise ProtocolError("this journey is a training's")
    now = progress or _beginning(brief, plan)
    owned: dict[str, bytes] = {}
    if not stopped():
        owned = yield from agreed(brief, owned=plan.owned, number=resumption)
    while now.asked < plan.rounds and not stopped():
        number = now.asked
        now = _grown(brief, plan, now, number)
        weights = now.weights.astype("<f8").tobytes()
        sent = {department: owned.get(department, b"") + weights for department in plan.cohort}
        step = f"round {number + 1} of {plan.rounds}"
        leg = brief.leg("round", number=number, step=step, payloads=sent)
        now = sent_out(now)
        keep(now)
        answers = accepted(leg, (yield leg))
        architecture = architecture_in(plan, brief.catalogue, number)
        total = noised_sum(brief, number, answers, size=_size(plan, architecture))
        now = _learned(brief, plan, architecture, now, total)
        keep(now)
    if not now.done:
        raise RunStopped
    return _grown(brief, plan, now, plan.rounds)


def _beginning(brief: Brief, plan: TrainingPlan) -> Progress:
    from models.parameters import initial_vector  # noqa: PLC0415 - torch, and only trainings need it

    architecture = architecture_in(plan, brief.catalogue, 0)
    return begun(initial_vector(architecture), departments=len(plan.cohort))


def _grown(brief: Brief, plan: TrainingPlan, now: Progress, number: int) -> Progress:
    """Let what the linear rounds found become the network's beginning, once they are over."""
    network = architecture_in(plan, brief.catalogue, number)
    if len(now.weights) == size(network):
        return now
    from models.warm_start import network_from_linear  # noqa: PLC0415 - torch, as above

    return grown_to(now, network_from_linear(network, now.average()))


def _size(plan: TrainingPlan, architecture: Architecture) -> int:
    if plan.noise == "shared":
        return gradient_size(architecture, plan.cohort)
    return update_size(architecture, personal=plan.personal)


def _learned(
    brief: Brief, plan: TrainingPlan, architecture: Architecture, now: Progress, total: IntVector
) -> Progress:
    keep = plan.keeps(now.asked - 1)
    if plan.noise == "local":
        shared = decode_update(architecture, total, personal=plan.personal)
        weights = np.append(shared, now.weights[len(shared) :])
        return moved_to(now, weights, velocity=now.velocity, counts=now.counts, keep=keep)
    gradient, counts = decode_gradient(plan, architecture, total)
    counts = now.counts + counts
    divisor = step_divisor(plan, brief.catalogue, counts, rounds=now.done + 1)
    velocity = plan.momentum * now.velocity + divided(architecture, gradient, divisor)
    weights = now.weights - plan.rate_of(now.asked - 1) * velocity
    if not np.isfinite(weights).all():
        raise ProtocolError("The weights are not all finite. Lower the learning rate.")
    return moved_to(now, weights, velocity=velocity, counts=counts, keep=keep)
