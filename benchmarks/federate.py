"""A federated training in this process, on rows in memory: the nodes' arithmetic without the wire.

Steps, clipping, lattice, widths of the noise, updates and averages are the product's own. The
sampler alone is another: a rounded normal of the same variance, drawn by torch, some 500 times as
fast as OpenDP's. It serves measurements on public data only: it is no mechanism.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.demo_rows import Rows
from federation.training_plan import COUNT_WEIGHT, TrainingPlan
from federation.updates import (
    UPDATE_BOUND,
    decode_gradient,
    decode_update,
    encode_gradient,
    encode_update,
)
from models.architectures import Architecture, linear_part
from models.averaging import Mask, divided, with_shared
from models.gradients import clipped_sum_over
from models.parameters import initial_vector, last_layer
from models.train import local_steps
from models.warm_start import network_from_linear
from privacy.bounds import bounded_count, bounded_gradient
from privacy.lattice import RealVector
from privacy.mechanisms import add_noise_share, noised_update, release_locally
from privacy.noise_shares import Noise
from privacy.units import ContributionBound, PrivacyUnit

_HERE = ContributionBound(1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Department:
    """Whom one department trains on, and which inputs it holds."""

    rows: Rows = field(repr=False)
    held: Mask = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """The shared weights; of a personal plan each department's own with its last layer, too."""

    weights: RealVector = field(repr=False)
    own: tuple[RealVector, ...] = field(repr=False)


def rounded_normal(seed: int) -> Noise:
    """Return a sampler of the same variance as OpenDP's; no mechanism."""
    lot = torch.Generator().manual_seed(seed)

    def draw(sigma: int, size: int) -> npt.NDArray[np.int64]:
        drawn = torch.randn(size, generator=lot, dtype=torch.float64) * sigma
        return drawn.round_().to(torch.int64).numpy()

    return draw


def federate(
    plan: TrainingPlan,
    architecture: Architecture,
    departments: Sequence[Department],
    noise: Noise | None,
) -> Trained:
    """Train as the journey and the nodes do; None is without any noise."""
    if noise is not None:
        counts = [_count(plan, len(d.rows[1]), noise) for d in departments]
    else:
        counts = [float(len(d.rows[1])) for d in departments]
    shape = linear_part(architecture) if plan.linear_rounds else architecture
    weights = initial_vector(shape)
    velocity, seen = np.zeros_like(weights), np.zeros(len(departments))
    kept: list[RealVector] = []
    own: list[RealVector] = []
    for number in range(plan.rounds):
        if plan.linear_rounds and number == plan.linear_rounds:
            weights = network_from_linear(architecture, np.mean(kept, axis=0))
            shape, velocity, kept = architecture, np.zeros_like(weights), []
        if plan.noise == "local":
            starts = [_with_own(w, weights, shape) for w in own] or [weights] * len(departments)
            updated = [
                _steps(plan, shape, start, d, count, number, noise)
                for start, d, count in zip(starts, departments, counts, strict=True)
            ]
            own = updated if plan.personal else []
            shared = _averaged(plan, shape, updated, counts, departments)
            weights = np.append(shared, weights[len(shared) :])
        else:
            gradient, found = _summed(plan, shape, weights, departments, noise)
            seen = seen + found
            masks = [with_shared(d.held, shape) for d in departments]
            total = np.maximum(seen / (number + 1) @ np.array(masks), 100.0)
            velocity = plan.momentum * velocity + divided(shape, gradient, total)
            weights = weights - plan.rate_of(number) * velocity
        if plan.keeps(number):
            kept.append(weights)
    average = np.mean(kept, axis=0)
    if shape != architecture:
        average = network_from_linear(architecture, average)
    return Trained(weights=average, own=tuple(_with_own(w, average, shape) for w in own))


def _with_own(own: RealVector, shared: RealVector, shape: Architecture) -> RealVector:
    weights = shared.copy()
    weights[last_layer(shape)] = own[last_layer(shape)]
    return weights


def _steps(  # noqa: PLR0917 - one step's facts, called once
    plan: TrainingPlan,
    shape: Architecture,
    start: RealVector,
    department: Department,
    count: float,
    number: int,
    noise: Noise | None,
) -> RealVector:
    noised: Callable[[RealVector], RealVector] = lambda total: total  # noqa: E731 - no noise at all
    if noise is not None:

        def noised(total: RealVector) -> RealVector:
            bounded = bounded_gradient(
                total, clip_norm=plan.clip_norm, unit=PrivacyUnit.CLIENT, bound=_HERE
            )
            return release_locally(bounded, rho=plan.rho_of_step, noise=noise).values

    return local_steps(
        start,
        *department.rows,
        architecture=shape,
        steps=plan.local_steps,
        clip_norm=plan.clip_norm,
        learning_rate=plan.rate_of(number),
        momentum=plan.momentum,
        noisy_count=count,
        noised=noised,
        proximal=plan.proximal,
    )


def _averaged(
    plan: TrainingPlan,
    shape: Architecture,
    updated: Sequence[RealVector],
    counts: Sequence[float],
    departments: Sequence[Department],
) -> RealVector:
    sent = [
        noised_update(
            encode_update(shape, w, count, d.held, personal=plan.personal), bound=UPDATE_BOUND
        ).values
        for w, count, d in zip(updated, counts, departments, strict=True)
    ]
    return decode_update(shape, np.sum(sent, axis=0), personal=plan.personal)


def _summed(
    plan: TrainingPlan,
    shape: Architecture,
    weights: RealVector,
    departments: Sequence[Department],
    noise: Noise | None,
) -> tuple[RealVector, RealVector]:
    sums = []
    for name, department in zip(plan.cohort, departments, strict=True):
        clipped = clipped_sum_over(*department.rows, architecture=shape, clip_norm=plan.clip_norm)(
            weights
        )
        sums.append(encode_gradient(plan, clipped, len(department.rows[1]), name))
    if noise is None:
        total = np.sum(sums, axis=0)
        counts = total[-len(departments) :] / (COUNT_WEIGHT * plan.clip_norm)
        return total[: -len(departments)], counts
    shares = [
        add_noise_share(
            bounded_gradient(
                vector,
                clip_norm=plan.joint_norm,
                unit=PrivacyUnit.CLIENT,
                bound=ContributionBound(plan.bound.departments),
            ),
            rho=plan.rho_of_step,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
            noise=noise,
        ).values
        for vector in sums
    ]
    return decode_gradient(plan, shape, np.sum(shares, axis=0))


def _count(plan: TrainingPlan, clients: int, noise: Noise) -> float:
    everyone = np.zeros(clients, dtype=np.int64)
    bounded = bounded_count(everyone, 1, scale=2**10, unit=PrivacyUnit.CLIENT, bound=_HERE)
    rho = plan.rho_of_count if plan.noise == "local" else plan.rho_of_step
    return float(release_locally(bounded, rho=rho, noise=noise).values[0])
