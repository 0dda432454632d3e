"""A crowd of made-up clients for the tests of clipped gradient sums."""

import numpy as np
import torch

from models.architectures import Architecture, size
from models.gradients import clipped_sum_over
from models.parameters import initial_vector

Case = tuple[Architecture, np.ndarray, np.ndarray, np.ndarray]


def clipped_gradient_sum(
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    clip_norm: float,
) -> np.ndarray:
    clipped_sum = clipped_sum_over(features, labels, architecture=architecture, clip_norm=clip_norm)
    return clipped_sum(weights)


def crowd(n: int, hidden: tuple[int, ...]) -> Case:
    generator = torch.Generator().manual_seed(n)
    architecture = Architecture(inputs=50, hidden=hidden)
    noise = torch.randn(size(architecture), dtype=torch.float64, generator=generator)
    return (
        architecture,
        initial_vector(architecture) + 0.1 * noise.numpy(),
        torch.rand(n, 50, generator=generator).numpy(),
        (torch.rand(n, generator=generator) < 0.5).float().numpy(),
    )
