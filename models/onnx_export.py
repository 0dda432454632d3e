"""A model as an ONNX file, for programs without torch."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import assert_never

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from models.architectures import Architecture, layer_sizes, size
from models.objectives import LARGEST_LOG_RATE, Objective
from models.vectors import Vector, check_vector

OPSET = 17
IR_VERSION = 8
FEATURES = "features"
Constant = tuple[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]]
PREDICTIONS = {
    Objective.BINARY: "probability",
    Objective.MULTICLASS: "probabilities",
    Objective.ORDINAL: "probabilities",
    Objective.COUNT: "rate",
    Objective.AMOUNT: "amount",
}
"""What the output of each objective is called."""


def to_onnx(architecture: Architecture, weights: Vector, *, metadata: Mapping[str, str]) -> bytes:
    """The model as ONNX: takes ``features`` float32[n, inputs], returns what ``scores`` returns.

    The output, float64, is called ``probability`` [n] of a binary model, ``probabilities`` [n, k]
    of classes, in order or not, ``rate`` [n] of counts and ``amount`` [n] of amounts. It is
    computed in float64, as ``models.evaluate.scores`` does, and is the same but for rounding.

    The features are what a node feeds the model: scaled by public bounds, with presence. The
    scaling is not in the file; the metadata are the place to say which plan and catalogue it is of.

    Args:
        architecture: the network's shape and objective, public.
        weights: float64[d] in the order of ``models.parameters``, as public as their release.
        metadata: what the file says about itself, public.

    Returns:
        the file's bytes, the same for the same arguments.

    Raises:
        WrongShape: the weights are not one row of d numbers.
        NotFinite: a weight is NaN or infinite.
    """
    check_vector(weights, size(architecture))
    name = PREDICTIONS[architecture.objective]
    classes = {
        Objective.MULTICLASS: [architecture.outputs],
        Objective.ORDINAL: [architecture.outputs + 1],
    }.get(architecture.objective, [])
    cast = helper.make_node("Cast", [FEATURES], ["signal_0"], to=TensorProto.DOUBLE)
    layers, outputs = _layers(architecture)
    graph = helper.make_graph(
        [cast, *layers, *_link(architecture.objective, outputs, name)],
        "model",
        [_tensor(FEATURES, TensorProto.FLOAT, [architecture.inputs])],
        [_tensor(name, TensorProto.DOUBLE, classes)],
        initializer=[
            numpy_helper.from_array(array, part)
            for part, array in [*_weights(architecture, weights), *_constants(architecture)]
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="infosandbox",
    )
    helper.set_model_props(model, dict(sorted(metadata.items())))
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _tensor(name: str, kind: int, columns: list[int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["n", *columns])


def _layers(architecture: Architecture) -> tuple[list[NodeProto], str]:
    """The linear layers with ReLU between them, and the name of what comes out."""
    nodes = []
    for layer in range(len(layer_sizes(architecture))):
        names = [f"signal_{layer}", f"weight_{layer}", f"bias_{layer}"]
        nodes.append(helper.make_node("Gemm", names, [f"output_{layer}"], transB=1))
        nodes.append(helper.make_node("Relu", [f"output_{layer}"], [f"signal_{layer + 1}"]))
    return nodes[:-1], f"output_{layer}"


def _link(objective: Objective, outputs: str, name: str) -> list[NodeProto]:
    """From the network's outputs to what the model predicts; the names are of ``_constants``."""
    match objective:
        case Objective.BINARY:
            steps = [("Sigmoid", []), ("Squeeze", ["second_axis"])]
        case Objective.MULTICLASS:
            steps = [("Softmax", [])]
        case Objective.ORDINAL:
            return _differences(outputs, name)
        case Objective.COUNT:
            steps = [("Min", ["largest"]), ("Exp", []), ("Squeeze", ["second_axis"])]
        case Objective.AMOUNT:
            steps = [("Max", ["least"]), ("Min", ["largest"]), ("Squeeze", ["second_axis"])]
        case other:
            assert_never(other)
    through = [outputs, *(f"linked_{step}" for step in range(1, len(steps))), name]
    return [
        helper.make_node(kind, [before, *constants], [after])
        for (kind, constants), (before, after) in zip(steps, pairwise(through), strict=True)
    ]


def _differences(outputs: str, name: str) -> list[NodeProto]:
    """The probabilities of classes in order: of being above, sorted, each minus the next."""
    return [
        helper.make_node("Sigmoid", [outputs], ["above"]),
        helper.make_node("TopK", ["above", "questions"], ["falling", "places"], axis=1),
        helper.make_node("Pad", ["falling", "before", "certain"], ["at_least"]),
        helper.make_node("Pad", ["falling", "behind", "impossible"], ["more"]),
        helper.make_node("Sub", ["at_least", "more"], [name]),
    ]


def _weights(architecture: Architecture, weights: Vector) -> Iterator[Constant]:
    start = 0
    for layer, (inputs, outputs) in enumerate(layer_sizes(architecture)):
        middle, stop = start + outputs * inputs, start + outputs * (inputs + 1)
        yield f"weight_{layer}", weights[start:middle].reshape(outputs, inputs)
        yield f"bias_{layer}", weights[middle:stop]
        start = stop


def _constants(architecture: Architecture) -> list[Constant]:
    """What the nodes of ``_link`` need beside the outputs."""
    second_axis = ("second_axis", np.array([1]))
    match architecture.objective:
        case Objective.BINARY:
            return [second_axis]
        case Objective.MULTICLASS:
            return []
        case Objective.ORDINAL:
            return [
                ("questions", np.array([architecture.outputs])),
                ("before", np.array([0, 1, 0, 0])),
                ("behind", np.array([0, 0, 0, 1])),
                ("certain", np.array(1.0)),
                ("impossible", np.array(0.0)),
            ]
        case Objective.COUNT:
            return [second_axis, ("largest", np.array(LARGEST_LOG_RATE))]
        case Objective.AMOUNT:
            return [second_axis, ("least", np.array(-1.0)), ("largest", np.array(1.0))]
        case other:
            assert_never(other)
