"""What a training round's vector holds: one truth for the nodes and the coordinator.

A node's vector is n̂·w on the weights it has a say in (one place per parameter), then n̂ on the
inputs it holds and once more for the shared parameters. A node has no say in the first layer's
weights on inputs that it cannot feed; which those are follows from the catalogue and is public.
n̂ is the node's noisy count in units of COUNT_UNIT clients. All of it stands on the lattice of
REAL_SCALE.
"""

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation import training_layout
from federation.errors import ProtocolError
from federation.training_plan import TrainingPlan
from models.architectures import Architecture, size
from models.averaging import Mask, divided, input_of, with_shared
from privacy.lattice import REAL_SCALE, IntVector, RealVector, from_lattice

MAX_WEIGHT = 2.0**8
COUNT_UNIT = 2.0**11
MAX_NOISY_COUNT = 2.0**21
# |n̂·w| <= 2^18, on the lattice 2^38, and 2^42 in the sum of the largest cohort: no wrap at 2^63.
UPDATE_BOUND = MAX_WEIGHT * MAX_NOISY_COUNT / COUNT_UNIT


def update_size(architecture: Architecture) -> int:
    """Return the vector's length: the parameters, the inputs, and one for the shared parameters."""
    return size(architecture) + architecture.inputs + 1


def held_inputs(plan: TrainingPlan, catalogue: Catalogue, department: str) -> Mask:
    """Return bool [inputs]: which inputs of the plan's model a department can feed. Public."""
    fields = training_layout.feature_fields(plan, catalogue)
    held = [department in field.departments for field in fields]
    return np.repeat(held, [training_layout.width(field) for field in fields])


def encode_update(
    architecture: Architecture, weights: RealVector, noisy_count: float, held: Mask
) -> npt.NDArray[np.float64]:
    """Return one node's vector, every place within ±UPDATE_BOUND.

    Args:
        architecture: of the plan; public.
        weights: float64 [d], already noised; clipped to ±MAX_WEIGHT.
        noisy_count: already noised; clipped to [1, MAX_NOISY_COUNT].
        held: bool [inputs] of this department; public.
    """
    count = min(max(noisy_count, 1.0), MAX_NOISY_COUNT) / COUNT_UNIT
    counts = count * with_shared(held, architecture)
    clipped = np.clip(weights, -MAX_WEIGHT, MAX_WEIGHT)
    return np.append(counts[input_of(architecture)] * clipped, counts)


def decode_update(architecture: Architecture, total: IntVector) -> npt.NDArray[np.float64]:
    """Return the average weights float64 [d], each over the departments that hold its input.

    Args:
        architecture: of the plan.
        total: int64 [update_size], the sum over the cohort of the encoded updates on the lattice.

    Raises:
        ProtocolError: no node can have sent so small a count: it is not a sum of updates.
    """
    values = from_lattice(total, REAL_SCALE)
    weights, counts = np.split(values, [size(architecture)])
    if counts[-1] * COUNT_UNIT < 1.0:
        raise ProtocolError("A round's sum is not a sum of updates. Abandon the attempt.")
    return divided(architecture, weights, counts)
