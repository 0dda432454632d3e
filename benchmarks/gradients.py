"""What per-client clipping costs: our step beside Opacus and beside a step without privacy.

Four programs take steps of gradient descent with momentum on the same rows with the same network,
in one thread of one run. They take turns of a few steps each, since a round is several steps; the
middle of the turns is reported, in milliseconds of processor time for one step, so that others on
the machine weigh little. None of them draws noise.

* ours: ``models.gradients`` and the update of ``models.train``; the rows are laid out beforehand,
  once for all steps of a round, and what that takes is a row of its own.
* without privacy: what a data scientist would run: float32, mean loss, autograd, SGD.
* Opacus ghost clipping: norms without per-client gradients, then a second backward pass.
* Opacus hooks: every client's gradient is written out.

The three that clip are first held to the same sum. A ratio is our time divided by theirs, and
the bar is what it must not exceed. Last, what it costs that clients have several rows, which are
summed before they are clipped: ours beside ours with one row each.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from models.architectures import Architecture, size
from models.gradients import clipped_sum_over
from models.networks import build
from models.parameters import initial_vector, load_vector
from models.threads import torch_threads
from models.vectors import Vector

try:
    from opacus import GradSampleModule
    from opacus.grad_sample import GradSampleModuleFastGradientClipping
    from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
except ModuleNotFoundError as missing:
    needed = "benchmarks.gradients compares with Opacus: pip install -e '.[bench]'"
    raise SystemExit(needed) from missing

INPUTS = 50
CLIP_NORM = 1.0
TURNS = {1024: 31, 8192: 15, 100_000: 5}
STEPS = {1024: 10, 8192: 5, 100_000: 2}
NETWORKS = {
    "logistic 50-1": Architecture(inputs=INPUTS),
    "MLP 50-64-32-1": Architecture(inputs=INPUTS, hidden=(64, 32)),
}
ROWS_EACH = {4: 8192}
BARS = {"without privacy": 1.5, "Opacus ghost clipping": 0.5, "Opacus hooks": 0.05}
AGREEMENT = 1e-4  # of the sums, relative

Step = Callable[[], None]
Rows = list[Mapping[str, object]]


def rows() -> Rows:
    """Milliseconds of our step (value) and of each other (peer), per network and batch."""
    with torch_threads(1):
        found = [
            row
            for name, architecture in NETWORKS.items()
            for batch in TURNS
            for row in _rows(name, architecture, batch)
        ]
        found += [
            _row_of_several(name, architecture, each, batch)
            for name, architecture in NETWORKS.items()
            for each, batch in ROWS_EACH.items()
        ]
    load = {"name": "load average at the end", "value": os.getloadavg()[0], "unit": "processes"}
    return [*found, load]


def _crowd(architecture: Architecture, batch: int) -> tuple[Tensor, Tensor, Vector]:
    """Features, labels and weights, all made up."""
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(batch, INPUTS, generator=generator)
    labels = (torch.rand(batch, generator=generator) < 0.5).float()
    noise = torch.randn(size(architecture), generator=generator, dtype=torch.float64)
    return features, labels, initial_vector(architecture) + 0.1 * noise.numpy()


def _row_of_several(
    name: str, architecture: Architecture, each: int, batch: int
) -> Mapping[str, object]:
    features, labels, weights = _crowd(architecture, batch)
    steps = [
        _ours(
            clipped_sum_over(
                features.numpy(),
                labels.numpy(),
                architecture=architecture,
                clip_norm=CLIP_NORM,
                clients=clients,
            ),
            weights,
            batch,
        )
        for clients in ((np.arange(batch) // each).astype(np.int32), None)
    ]
    turns = [[_milliseconds(step, STEPS[batch]) for step in steps] for _ in range(TURNS[batch])]
    several, one = map(median, zip(*turns, strict=True))
    return {
        "name": f"clipped step, {name}, {batch} rows, {each} a client, beside one a client",
        "value": round(several, 3),
        "unit": "ms",
        "peer": round(one, 3),
        "ratio": round(several / one, 4),
    }


def _rows(name: str, architecture: Architecture, batch: int) -> Rows:
    features, labels, weights = _crowd(architecture, batch)

    # The first call looks once per process whether the matrix product is even.
    clipped_sum_over(
        features.numpy(), labels.numpy(), architecture=architecture, clip_norm=CLIP_NORM
    )
    start = time.process_time()
    clipped_sum = clipped_sum_over(
        features.numpy(), labels.numpy(), architecture=architecture, clip_norm=CLIP_NORM
    )
    laid_out = (time.process_time() - start) * 1e3
    total = clipped_sum(weights)

    steps = {
        "ours": _ours(clipped_sum, weights, batch),
        "without privacy": _without_privacy(_network(architecture, weights), features, labels),
        "Opacus ghost clipping": _ghost(_network(architecture, weights), features, labels, total),
        "Opacus hooks": _hooks(_network(architecture, weights), features, labels, total),
    }
    turns = [
        [_milliseconds(step, STEPS[batch]) for step in steps.values()] for _ in range(TURNS[batch])
    ]
    middle = dict(zip(steps, map(median, zip(*turns, strict=True)), strict=True))
    ours = middle.pop("ours")
    what = f"{name}, {batch} rows"
    step_rows: Rows = [
        {
            "name": f"clipped step, {what}, beside {peer} (bar {BARS[peer]})",
            "value": round(ours, 3),
            "unit": "ms",
            "peer": round(theirs, 3),
            "ratio": round(ours / theirs, 4),
        }
        for peer, theirs in middle.items()
    ]
    once = {"name": f"rows laid out once, {what}", "value": round(laid_out, 3), "unit": "ms"}
    return [*step_rows, once]


def _ours(clipped_sum: Callable[[Vector], Vector], weights: Vector, batch: int) -> Step:
    state = {"weights": weights, "velocity": np.zeros_like(weights)}

    def step() -> None:
        state["velocity"] = 0.9 * state["velocity"] + clipped_sum(state["weights"]) / batch
        state["weights"] = state["weights"] - 0.1 * state["velocity"]

    return step


def _network(architecture: Architecture, weights: Vector) -> nn.Sequential:
    model = build(architecture, torch.Generator()).float()
    load_vector(model, weights)
    return model


def _descent(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def _without_privacy(model: nn.Module, features: Tensor, labels: Tensor) -> Step:
    optimizer, loss = _descent(model), nn.BCEWithLogitsLoss()

    def step() -> None:
        optimizer.zero_grad()
        loss(model(features).squeeze(1), labels).backward()
        optimizer.step()

    return step


def _hooks(network: nn.Module, features: Tensor, labels: Tensor, total: Vector) -> Step:
    model = GradSampleModule(network)
    optimizer = DPOptimizer(
        _descent(model),
        noise_multiplier=0.0,
        max_grad_norm=CLIP_NORM,
        expected_batch_size=len(labels),
    )
    loss = nn.BCEWithLogitsLoss()

    def step() -> None:
        optimizer.zero_grad()
        loss(model(features).squeeze(1), labels).backward()
        optimizer.step()

    step()
    _agree(model, total, len(labels))
    return step


def _ghost(network: nn.Module, features: Tensor, labels: Tensor, total: Vector) -> Step:
    model = GradSampleModuleFastGradientClipping(network, max_grad_norm=CLIP_NORM)
    optimizer = DPOptimizerFastGradientClipping(
        _descent(model),
        noise_multiplier=0.0,
        max_grad_norm=CLIP_NORM,
        expected_batch_size=len(labels),
    )
    loss = DPLossFastGradientClipping(model, optimizer, nn.BCEWithLogitsLoss())

    def step() -> None:
        optimizer.zero_grad()
        loss(model(features).squeeze(1), labels).backward()
        optimizer.step()

    step()
    _agree(model, total, len(labels))
    return step


def _agree(model: nn.Module, total: Vector, batch: int) -> None:
    """Refuse to time a program that computed something else than our sum."""
    parts = [part.grad.reshape(-1) for part in model.parameters() if part.grad is not None]
    theirs = torch.cat(parts).double().numpy() * batch
    apart = float(np.linalg.norm(theirs - total) / np.linalg.norm(total))
    if not apart <= AGREEMENT:
        message = f"the clipped sums differ by {apart:.1e} of their size: nothing to compare"
        raise SystemExit(message)


def _milliseconds(step: Step, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - start) * 1e3 / times


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
