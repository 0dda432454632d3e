"""What a training round's vector holds: one truth for the nodes and the coordinator.

With local steps a node's vector is n̂·w on the weights it has a say in (one place per parameter),
then n̂ on the inputs it holds and once more for the shared parameters. A node has no say in the
first layer's weights on inputs that it cannot feed; which those are follows from the catalogue and
is public. n̂ is the node's noisy count in units of COUNT_UNIT clients. A personal last layer is
left out.

With shared noise it is the sum of the clients' clipped gradients and one place for each department,
in which a department puts COUNT_WEIGHT·C for each of its clients. Noise is added to all of it.

All of it stands on the lattice of REAL_SCALE.
"""

import math

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation import training_layout
from federation.errors import ProtocolError
from federation.training_plan import COUNT_WEIGHT, TrainingPlan
from models.architectures import Architecture, layer_sizes, size
from models.averaging import Mask, divided, input_of, with_shared
from privacy.lattice import REAL_SCALE, IntVector, RealVector, from_lattice

MAX_WEIGHT = 2.0**8
COUNT_UNIT = 2.0**11
MAX_NOISY_COUNT = 2.0**21
# |n̂·w| <= 2^18, on the lattice 2^38, and 2^42 in the sum of the largest cohort: no wrap at 2^63.
UPDATE_BOUND = MAX_WEIGHT * MAX_NOISY_COUNT / COUNT_UNIT


def update_size(architecture: Architecture, *, personal: bool = False) -> int:
    """Return the vector's length: the parameters, the inputs, and one for the shared parameters."""
    return shared_size(architecture, personal=personal) + architecture.inputs + 1


def shared_size(architecture: Architecture, *, personal: bool) -> int:
    """Return how many parameters the departments share: all, or all below the last layer."""
    if not personal:
        return size(architecture)
    inputs, outputs = layer_sizes(architecture)[-1]
    return size(architecture) - outputs * (inputs + 1)


def gradient_size(architecture: Architecture, cohort: tuple[str, ...]) -> int:
    """Return the length of a round's vector with shared noise."""
    return size(architecture) + len(cohort)


def held_inputs(plan: TrainingPlan, catalogue: Catalogue, department: str) -> Mask:
    """Return bool [inputs]: which inputs of the plan's model a department can feed. Public."""
    fields = training_layout.feature_fields(plan, catalogue)
    held = [department in field.departments for field in fields]
    return np.repeat(held, [training_layout.width(field) for field in fields])


def encode_update(
    architecture: Architecture,
    weights: RealVector,
    noisy_count: float,
    held: Mask,
    *,
    personal: bool = False,
) -> npt.NDArray[np.float64]:
    """Return one node's vector, every place within ±UPDATE_BOUND.

    Args:
        architecture: of the plan; public.
        weights: float64 [d], already noised; clipped to ±MAX_WEIGHT.
        noisy_count: already noised; clipped to [1, MAX_NOISY_COUNT].
        held: bool [inputs] of this department; public.
        personal: whether the last layer stays on the node.
    """
    count = min(max(noisy_count, 1.0), MAX_NOISY_COUNT) / COUNT_UNIT
    counts = count * with_shared(held, architecture)
    clipped = np.clip(weights, -MAX_WEIGHT, MAX_WEIGHT)
    weighted = counts[input_of(architecture)] * clipped
    return np.append(weighted[: shared_size(architecture, personal=personal)], counts)


def decode_update(
    architecture: Architecture, total: IntVector, *, personal: bool = False
) -> npt.NDArray[np.float64]:
    """Return the average weights, each over the departments that hold its input.

    They are float64 [d], or fewer by the last layer if that stays on the nodes.

    Args:
        architecture: of the plan.
        total: int64 [update_size], the sum over the cohort of the encoded updates on the lattice.
        personal: whether the last layer stays on the nodes.

    Raises:
        ProtocolError: no node can have sent so small a count: it is not a sum of updates.
    """
    values = from_lattice(total, REAL_SCALE)
    shared, counts = np.split(values, [shared_size(architecture, personal=personal)])
    weights = np.zeros(size(architecture))
    weights[: len(shared)] = shared
    if counts[-1] * COUNT_UNIT < 1.0:
        raise ProtocolError("A round's sum is not a sum of updates. Abandon the attempt.")
    return divided(architecture, weights, counts)[: len(shared)]


def encode_gradient(
    plan: TrainingPlan, gradient_sum: RealVector, clients: int, department: str
) -> npt.NDArray[np.float64]:
    """Return one node's vector of a round with shared noise, before the noise.

    Guarantee: a client whose gradient has norm at most C moves it by at most C·√(1 + COUNT_WEIGHT²)
    (``TrainingPlan.joint_norm``), for the gradient and the count are orthogonal.

    Args:
        plan: public.
        gradient_sum: float64 [d], of gradients clipped to the plan's norm; sensitive.
        clients: how many they are of; sensitive.
        department: whose; public.
    """
    counts = np.zeros(len(plan.cohort))
    counts[plan.cohort.index(department)] = COUNT_WEIGHT * plan.clip_norm * clients
    return np.append(gradient_sum, counts)


def decode_gradient(
    plan: TrainingPlan, architecture: Architecture, total: IntVector
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the noised gradient float64 [d] and the noisy count of each department, float64 [n].

    Args:
        plan: with shared noise.
        architecture: of the plan.
        total: int64 [gradient_size], the noised sum over the cohort on the lattice.
    """
    gradient, counts = np.split(from_lattice(total, REAL_SCALE), [size(architecture)])
    return gradient, counts / (COUNT_WEIGHT * plan.clip_norm)


def step_divisor(
    plan: TrainingPlan, catalogue: Catalogue, counts: RealVector, *, rounds: int
) -> npt.NDArray[np.float64]:
    """Return by how many clients each input's gradient is divided: float64 [inputs + 1].

    It is the noisy count of the departments that hold the input, the mean over the rounds so far;
    at least twice its own standard error, so that noise alone never makes a long step.

    Args:
        plan: with shared noise.
        catalogue: that the plan names.
        counts: float64 [n], the sum of the noisy counts of ``rounds`` rounds.
        rounds: so many.
    """
    sigma = plan.joint_norm * plan.bound.departments / math.sqrt(2 * plan.rho_of_step.value)
    shares = len(plan.cohort) / (len(plan.cohort) - plan.tolerance)
    error = sigma * math.sqrt(shares / rounds) / (COUNT_WEIGHT * plan.clip_norm)
    held = [np.append(held_inputs(plan, catalogue, d), True) for d in plan.cohort]
    total = counts / rounds @ np.array(held, dtype=np.float64)
    return np.maximum(total, 2 * error)
