"""What per-client clipping costs: our float64 sum beside a plain float32 torch step, one thread.

The peer is what a data scientist without privacy would run: forward, mean loss, backward and
optimizer step on the same rows with the same network. Both take turns in one run, so a busy
machine slows both; the middle of 60 turns is reported. A ratio of 2 means twice the peer's time.
"""

import json
import time
from collections.abc import Callable
from statistics import median

import torch

from models.architectures import Architecture
from models.gradients import clipped_gradient_sum
from models.networks import build
from models.parameters import initial_vector, model_with
from models.threads import torch_threads

BATCH = 8192
INPUTS = 50
TURNS = 60
NETWORKS = {
    "logistic 50-1": Architecture(inputs=INPUTS),
    "MLP 50-64-32-1": Architecture(inputs=INPUTS, hidden=(64, 32)),
}


def rows() -> list[dict[str, str | float]]:
    """Milliseconds of our sum (value), of the plain step (peer), and their ratio, per network."""
    with torch_threads(1):
        return [_row(name, architecture) for name, architecture in NETWORKS.items()]


def _row(name: str, architecture: Architecture) -> dict[str, str | float]:
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(BATCH, INPUTS, generator=generator)
    labels = (torch.rand(BATCH, generator=generator) < 0.5).float()
    model = model_with(architecture, initial_vector(architecture))
    features_in, labels_in = features.numpy(), labels.numpy()

    plain = build(architecture, generator).float()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    loss = torch.nn.BCEWithLogitsLoss()

    def plain_step() -> None:
        optimizer.zero_grad()
        loss(plain(features).squeeze(1), labels).backward()
        optimizer.step()

    def ours() -> None:
        clipped_gradient_sum(model, features_in, labels_in, 1.0)

    turns = [(_milliseconds(ours), _milliseconds(plain_step)) for _ in range(TURNS)]
    value, peer = (median(column) for column in zip(*turns, strict=True))
    return {
        "name": f"clipped gradient sum, {name}, {BATCH} rows, beside a plain torch step",
        "value": round(value, 3),
        "unit": "ms",
        "peer": round(peer, 3),
        "ratio": round(value / peer, 2),
    }


def _milliseconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
