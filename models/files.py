"""The file a model is kept in. No torch here, and never pickle.

A safetensors file with one tensor ``weights`` float64[d], in the order of ``models.parameters``.
Its metadata hold the architecture, objective included, and the SHA-256 of the whole file, taken
with the digest's own 64 characters as zeros: any changed byte is found. That finds accidents; who
wrote a file is for the log to say.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_in
from safetensors.numpy import save as file_of

from models.architectures import Architecture, size
from models.errors import ModelError, ModelFileInvalid
from models.objectives import Objective
from models.vectors import Vector, check_vector

FORMAT = "infosandbox model 2"
BINARY_FORMAT = "infosandbox model 1"
"""As before there were objectives: a binary model, and the metadata do not say so."""

MAX_FILE_BYTES = 16 * 2**20  # the largest network allowed takes 9 MiB

_NO_DIGEST = "0" * 64


def save(path: Path, architecture: Architecture, vector: Vector) -> None:
    """Write a model to a file, in one move: a process that dies leaves the old or the new one.

    Args:
        path: where to; an existing file is replaced.
        architecture: the network's shape, public.
        vector: float64[d] in the room's order; as public as the release it came from.

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    check_vector(vector, size(architecture))
    description = {
        "format": FORMAT,
        "sha256": _NO_DIGEST,
        "inputs": str(architecture.inputs),
        "hidden": json.dumps(architecture.hidden),
        "objective": architecture.objective.value,
        "outputs": str(architecture.outputs),
    }
    blank = file_of({"weights": np.array(vector, dtype=np.float64)}, metadata=description)
    digest = hashlib.sha256(blank).hexdigest()
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(blank.replace(_NO_DIGEST.encode(), digest.encode(), 1))
    unfinished.replace(path)


def load(path: Path) -> tuple[Architecture, Vector]:
    """Read a model that ``save`` wrote: its architecture and its parameters float64[d].

    Raises:
        ModelFileInvalid: as read_model.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ModelFileInvalid(path=path.name, reason="it is larger than any model of ours")
    return read_model(path.read_bytes(), name=path.name)


def read_model(data: bytes, *, name: str) -> tuple[Architecture, Vector]:
    """Read the bytes of a model's file, under whose name a refusal is told.

    Nothing in the file is executed. Everything is checked before anything is used.

    Raises:
        ModelFileInvalid: not a file of this format, too large, changed since it was written, or
            its parameters do not fit its architecture or are not finite.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ModelFileInvalid(path=name, reason="it is larger than any model of ours")
    try:
        tensors = tensors_in(data)
        vector = tensors.pop("weights")
        description = _description(data)
        digest = description["sha256"].encode()
        if description["format"] == BINARY_FORMAT:
            description |= {"objective": Objective.BINARY, "outputs": "1"}
        architecture = Architecture(
            inputs=int(description["inputs"]),
            hidden=tuple(json.loads(description["hidden"])),
            objective=Objective(description["objective"]),
            outputs=int(description["outputs"]),
        )
    except (
        SafetensorError,
        ModelError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:
        raise ModelFileInvalid(path=name, reason="it is not a model of ours") from error
    blank = data.replace(digest, _NO_DIGEST.encode(), 1)
    if digest != hashlib.sha256(blank).hexdigest().encode():
        raise ModelFileInvalid(path=name, reason="it has changed since it was written")
    if (
        description["format"] not in {FORMAT, BINARY_FORMAT}
        or vector.dtype != np.float64
        or tensors
    ):
        raise ModelFileInvalid(path=name, reason=f"its format is not {FORMAT}")
    try:
        check_vector(vector, size(architecture))
    except ModelError as error:
        raise ModelFileInvalid(path=name, reason="its parameters do not fit") from error
    return architecture, np.array(vector)


def _description(data: bytes) -> dict[str, str]:
    """The metadata of a file that safetensors has already accepted (it does not hand them out)."""
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return metadata
