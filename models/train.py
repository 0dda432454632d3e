"""A department's own training steps: full-batch gradient descent with momentum."""

import math
from collections.abc import Callable

import numpy as np

from models.architectures import Architecture
from models.errors import InvalidSetting
from models.gradients import Features, Labels, clipped_sum_over
from models.grouping import Clients
from models.packing import Packed
from models.threads import torch_threads
from models.vectors import Vector, check_vector


def local_steps(
    weights: Vector,
    features: Features | Packed,
    labels: Labels,
    *,
    architecture: Architecture,
    steps: int,
    clip_norm: float,
    learning_rate: float,
    momentum: float,
    noisy_count: float,
    noised: Callable[[Vector], Vector],
    proximal: float = 0.0,
    clients: Clients | None = None,
    threads: int = 1,
) -> Vector:
    """Weights after ``steps`` steps on all rows; the velocity starts at zero.

    Each step: g = noised(clipped gradient sum) / max(noisy_count, 1)
    + proximal * (current weights - start), then the heavy ball (Polyak 1964):
    velocity = momentum * velocity + g, weights = weights - learning_rate * velocity.

    The proximal term holds a department whose clients are unlike the others' near where all began
    (FedProx: Li et al. 2020, "Federated optimization in heterogeneous networks"). It is taken of
    weights that are public already, after the noise, so it costs no privacy.

    ``noised`` is the only way privacy enters. This function protects nobody: with a ``noised``
    that hands its argument back, the result reveals rows. With one that releases the sum through
    ``privacy.mechanisms.release_locally`` and a released ``noisy_count``, everything after it is
    post-processing and the result costs steps * rho (plus the count's rho) and no more.

    Args:
        weights: float64[d] to start from, public.
        features: float32[n, inputs], or packed, sensitive; n may be 0, then the steps are noise.
        labels: float32[n], as ``models.objectives`` says, sensitive. The caller drops rows without
            a label.
        architecture: the network's shape and objective, public.
        steps: how many, public, at least 1.
        clip_norm: bound on one client's gradient norm, public, > 0.
        learning_rate: public, > 0.
        momentum: public, 0 <= momentum < 1.
        noisy_count: a released number of clients; at most 1 or negative counts as 1.
        noised: takes the clipped gradient sum float64[d] and returns it released, float64[d].
        proximal: how strongly the weights are drawn back to the start, public, >= 0.
        clients: int32[n], the same number for rows of the same client, sensitive; None says that
            each row is a client.
        threads: torch threads, public; set for the whole process while the steps run.

    Returns:
        float64[d], the weights after the last step. Averaging over rounds is the caller's.

    Raises:
        InvalidSetting: a public setting is outside its range.
        WrongShape: an array does not fit the network, or ``noised`` changed the shape.
        NotFinite: weights, features, the gradient or what ``noised`` returned is not finite.
        LabelInvalid: a label is not one that the objective can learn.
        TooManyRows: a client has more than 96 rows.
    """
    _check_recipe(steps, learning_rate, momentum, noisy_count, proximal)
    start = np.array(weights, dtype=np.float64)
    current = start
    velocity = np.zeros_like(current)
    divisor = max(noisy_count, 1.0)
    with torch_threads(threads):
        clipped_sum = clipped_sum_over(
            features, labels, architecture=architecture, clip_norm=clip_norm, clients=clients
        )
        for _ in range(steps):
            released = noised(clipped_sum(current))
            check_vector(released, len(current))
            pull = released / divisor + proximal * (current - start)
            velocity = momentum * velocity + pull
            current = current - learning_rate * velocity
    return current


def _check_recipe(
    steps: int, learning_rate: float, momentum: float, noisy_count: float, proximal: float
) -> None:
    if steps < 1:
        raise InvalidSetting(name="steps", value=steps, allowed="at least 1")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise InvalidSetting(name="learning_rate", value=learning_rate, allowed="a positive number")
    if not 0 <= momentum < 1:
        raise InvalidSetting(name="momentum", value=momentum, allowed="0 <= momentum < 1")
    if not math.isfinite(noisy_count):
        raise InvalidSetting(name="noisy_count", value=noisy_count, allowed="a finite number")
    if not (math.isfinite(proximal) and proximal >= 0):
        raise InvalidSetting(name="proximal", value=proximal, allowed="0 or a positive number")
