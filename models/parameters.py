"""One flat vector for all parameters of a network, and the file it is kept in.

The order is stable and part of every plan: for each linear layer from the features to the logit,
first its weight [outputs, inputs] row by row, then its bias [outputs].

The file is a safetensors file with one tensor ``weights`` float64[d]. Its metadata hold the
architecture and the SHA-256 of the whole file, taken with the digest's own 64 characters as zeros:
any changed byte is found. That finds accidents; who wrote a file is for the log to say.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_in
from safetensors.numpy import save as file_of
from torch import nn

from models.architectures import Architecture, build, layer_sizes, linear_layers
from models.errors import ModelError, ModelFileInvalid, NotFinite, WrongShape

Vector = npt.NDArray[np.float64]

INITIAL_SEED = 20260101
FORMAT = "infosandbox model 1"
MAX_FILE_BYTES = 16 * 2**20  # the largest network allowed takes 9 MiB

_NO_DIGEST = "0" * 64


def size(architecture: Architecture) -> int:
    """Number of parameters d: sum over the layers of outputs * (inputs + 1)."""
    return sum(outputs * (inputs + 1) for inputs, outputs in layer_sizes(architecture))


def initial_vector(architecture: Architecture) -> Vector:
    """Where every department starts: float64[d], the same for everybody.

    Public: the seed of the hidden layers is fixed and the last layer is zero, so it depends on no
    client.
    """
    return vector_of(build(architecture, torch.Generator().manual_seed(INITIAL_SEED)))


def vector_of(model: nn.Sequential) -> Vector:
    """All parameters of a network made by ``build`` as a new float64[d], in the room's order."""
    parts = [part.detach().reshape(-1) for layer in linear_layers(model) for part in _parts(layer)]
    return np.array(torch.cat(parts).numpy(), dtype=np.float64)


def load_vector(model: nn.Sequential, vector: Vector) -> None:
    """Write a float64[d] into a network made by ``build``; the network keeps a copy.

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    layers = linear_layers(model)
    d = sum(part.numel() for layer in layers for part in _parts(layer))
    check_vector(vector, d)
    source = torch.from_numpy(np.array(vector, dtype=np.float64))
    start = 0
    with torch.no_grad():
        for layer in layers:
            for part in _parts(layer):
                part.copy_(source[start : start + part.numel()].view_as(part))
                start += part.numel()


def model_with(architecture: Architecture, vector: Vector) -> nn.Sequential:
    """A network of this shape that holds a copy of the parameters float64[d].

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    model = build(architecture, torch.Generator())
    load_vector(model, vector)
    return model


def check_vector(vector: Vector, d: int) -> None:
    """Refuse anything but d finite numbers in one row.

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    if vector.shape != (d,):
        raise WrongShape(what="the parameter vector", needed=f"one row of {d} numbers")
    if not np.isfinite(vector).all():
        raise NotFinite(what="the parameter vector", advice="lower the learning rate")


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
    }
    blank = file_of({"weights": np.array(vector, dtype=np.float64)}, metadata=description)
    digest = hashlib.sha256(blank).hexdigest()
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(blank.replace(_NO_DIGEST.encode(), digest.encode(), 1))
    unfinished.replace(path)


def load(path: Path) -> tuple[Architecture, Vector]:
    """Read a model that ``save`` wrote: its architecture and its parameters float64[d].

    Nothing in the file is executed. Everything is checked before anything is used.

    Raises:
        ModelFileInvalid: not a file of this format, too large, changed since it was written, or
            its parameters do not fit its architecture or are not finite.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ModelFileInvalid(path=path.name, reason="it is larger than any model of ours")
    data = path.read_bytes()
    try:
        tensors = tensors_in(data)
        vector = tensors.pop("weights")
        description = _description(data)
        digest = description["sha256"].encode()
        architecture = Architecture(
            inputs=int(description["inputs"]), hidden=tuple(json.loads(description["hidden"]))
        )
    except (
        SafetensorError,
        ModelError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:
        raise ModelFileInvalid(path=path.name, reason="it is not a model of ours") from error
    blank = data.replace(digest, _NO_DIGEST.encode(), 1)
    if digest != hashlib.sha256(blank).hexdigest().encode():
        raise ModelFileInvalid(path=path.name, reason="it has changed since it was written")
    if description.get("format") != FORMAT or vector.dtype != np.float64 or tensors:
        raise ModelFileInvalid(path=path.name, reason=f"its format is not {FORMAT}")
    try:
        check_vector(vector, size(architecture))
    except ModelError as error:
        raise ModelFileInvalid(path=path.name, reason="its parameters do not fit") from error
    return architecture, np.array(vector)


def _description(data: bytes) -> dict[str, str]:
    """The metadata of a file that safetensors has already accepted (it does not hand them out)."""
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return metadata


def _parts(layer: nn.Linear) -> tuple[torch.Tensor, torch.Tensor]:
    return layer.weight, layer.bias
