"""The federated recipe without noise: what privacy costs is measured against it.

OUTSIDE the sandbox only: demonstrations, tests and benchmarks on public or synthetic data. The
result protects nobody. Of the product only ``api.demo`` may import this module; an import contract
in ``pyproject.toml`` says so.
"""

from collections.abc import Sequence

import numpy as np

from models.architectures import Architecture
from models.averaging import Mask, average_by_holders
from models.errors import InvalidSetting
from models.gradients import Features, Labels
from models.parameters import initial_vector
from models.train import local_steps
from models.vectors import Vector


def train_without_noise(
    parts: Sequence[tuple[Features, Labels]],
    *,
    held: Sequence[Mask],
    architecture: Architecture,
    rounds: int,
    steps: int,
    clip_norm: float,
    learning_rate: float,
    momentum: float,
    proximal: float = 0.0,
    threads: int = 1,
) -> Vector:
    """Weights after ``rounds`` rounds of ``steps`` local steps, averaged by number of rows.

    OUTSIDE the sandbox only. The same recipe as federated training: every part starts a round
    from the common weights, clips, steps with momentum from zero velocity; the new common weights
    are the average over the parts that hold the input, weighted by their exact number of rows; and
    the last half of the rounds is averaged.

    Args:
        parts: for each department (features float32[n, inputs], labels float32[n]), the labels as
            ``models.objectives`` says.
        held: for each department bool[inputs], which inputs it can feed.
        architecture: the network's shape.
        rounds: averaging rounds, at least 1.
        steps: local steps in a round, at least 1.
        clip_norm: bound on one client's gradient norm, > 0.
        learning_rate: > 0.
        momentum: 0 <= momentum < 1.
        proximal: how strongly a part's weights are drawn back to the common ones, >= 0.
        threads: torch threads; set for the whole process while the steps run.

    Returns:
        float64[d] in the order of ``models.parameters``.

    Raises:
        InvalidSetting: a setting is outside its range, or no part has a row.
        WrongShape: an array does not fit the network.
        NotFinite: a feature or the gradient is not finite.
        LabelInvalid: a label is not one that the objective can learn.
    """
    if rounds < 1:
        raise InvalidSetting(name="rounds", value=rounds, allowed="at least 1")
    sizes = [len(labels) for _, labels in parts]
    if sum(sizes) == 0:
        raise InvalidSetting(name="parts", value=0, allowed="at least one part with rows")
    weights = initial_vector(architecture)
    kept = []
    for number in range(rounds):
        updated = [
            local_steps(
                weights,
                features,
                labels,
                architecture=architecture,
                steps=steps,
                clip_norm=clip_norm,
                learning_rate=learning_rate,
                momentum=momentum,
                noisy_count=len(labels),
                noised=lambda total: total,
                proximal=proximal,
                threads=threads,
            )
            for features, labels in parts
        ]
        weights = average_by_holders(architecture, updated, sizes, held)
        if number >= rounds // 2:
            kept.append(weights)
    last_half: Vector = np.mean(kept, axis=0)
    return last_half
