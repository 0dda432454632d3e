"""Networks of every objective with made-up clients, and the loop that clips them one by one."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional

from models.architectures import Architecture, size
from models.bookkeeping import SPREAD
from models.networks import linear_layers
from models.objectives import LARGEST_LOG_RATE, Objective
from models.parameters import initial_vector, model_with
from tests.models.gradient_cases import Case

OUTPUTS = {
    Objective.BINARY: 1,
    Objective.MULTICLASS: 4,
    Objective.ORDINAL: 3,
    Objective.COUNT: 1,
    Objective.AMOUNT: 1,
}
LABELS = {
    Objective.BINARY: st.sampled_from([0.0, 1.0]),
    Objective.MULTICLASS: st.integers(0, 3).map(float),
    Objective.ORDINAL: st.integers(0, 3).map(float),
    Objective.COUNT: st.integers(0, 2**20).map(float),
    Objective.AMOUNT: st.floats(-1, 1, width=32),
}


def network(objective: Objective, hidden: tuple[int, ...] = (), inputs: int = 3) -> Architecture:
    return Architecture(
        inputs=inputs, hidden=hidden, objective=objective, outputs=OUTPUTS[objective]
    )


@st.composite
def cases(draw: st.DrawFn, *, smallest: int = 0, entries: st.SearchStrategy[float]) -> Case:
    objective = draw(st.sampled_from(Objective))
    architecture = network(objective, draw(st.sampled_from([(), (4,), (4, 2)])))
    n = draw(st.integers(smallest, 8))
    return (
        architecture,
        draw(arrays(np.float64, size(architecture), elements=entries)),
        draw(arrays(np.float32, (n, 3), elements=entries)),
        draw(arrays(np.float32, n, elements=LABELS[objective])),
    )


def crowd_of(objective: Objective, n: int, hidden: tuple[int, ...] = ()) -> Case:
    generator = torch.Generator().manual_seed(n)
    architecture = network(objective, hidden, inputs=20)
    noise = torch.randn(size(architecture), dtype=torch.float64, generator=generator)
    part = torch.rand(n, generator=generator).numpy()
    scale = {Objective.AMOUNT: 1.0, Objective.COUNT: 9.0}.get(objective, 0.0)
    labels = part if scale == 1 else np.floor(part * (scale or OUTPUTS[objective]))
    return (
        architecture,
        initial_vector(architecture) + 0.1 * noise.numpy(),
        torch.rand(n, 20, generator=generator).numpy(),
        labels.astype(np.float32),
    )


def loss(outputs: Tensor, label: float, objective: Objective) -> Tensor:
    """The loss of one row as the page says it, for torch to differentiate."""
    target = torch.tensor(label, dtype=torch.float64)
    match objective:
        case Objective.BINARY:
            return functional.binary_cross_entropy_with_logits(outputs[0], target)
        case Objective.MULTICLASS:
            return functional.cross_entropy(outputs.unsqueeze(0), target.long().unsqueeze(0))
        case Objective.ORDINAL:
            above = (target > torch.arange(len(outputs))).double()
            return functional.binary_cross_entropy_with_logits(outputs, above, reduction="sum")
        case Objective.COUNT:
            log_rate = outputs[0].clamp(max=LARGEST_LOG_RATE)
            beyond = (outputs[0] - LARGEST_LOG_RATE).clamp(min=0)
            return log_rate.exp() + np.exp(LARGEST_LOG_RATE) * beyond - target * outputs[0]
        case Objective.AMOUNT:
            return (outputs[0] - target) ** 2 / 2


def row_gradient(
    model: torch.nn.Sequential, row: np.ndarray, label: float, objective: Objective
) -> np.ndarray:
    outputs = model(torch.tensor(row, dtype=torch.float64))
    parameters = [part for layer in linear_layers(model) for part in (layer.weight, layer.bias)]
    parts = torch.autograd.grad(loss(outputs, label, objective), parameters)
    return torch.cat([part.reshape(-1) for part in parts]).numpy()


def clipped_client_by_client(
    architecture: Architecture,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    clip_norm: float,
    *,
    clients: np.ndarray | None = None,
) -> np.ndarray:
    model = model_with(architecture, weights)
    total = np.zeros(size(architecture))
    if clients is None:
        clients = np.arange(len(labels))
    for client in np.unique(clients):
        rows = [
            row_gradient(model, row, float(label), architecture.objective)
            for row, label in zip(
                features[clients == client], labels[clients == client], strict=True
            )
        ]
        gradient = np.sum(rows, axis=0)
        norm = np.linalg.norm(gradient)
        if len(rows) > 1:
            norm = max(norm, sum(map(np.linalg.norm, rows)) / SPREAD)
        total += gradient if norm <= clip_norm else gradient * (clip_norm / norm)
    return total
