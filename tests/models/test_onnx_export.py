"""The exported model predicts what the model predicts, for every objective."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.architectures import Architecture, size
from models.errors import NotFinite, WrongShape
from models.evaluate import scores
from models.objectives import Objective
from models.onnx_export import PREDICTIONS, to_onnx
from tests.models.objective_cases import network

hidden_layers = pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
objectives = pytest.mark.parametrize("objective", Objective)


def drawn(objective: Objective, hidden: tuple[int, ...]) -> tuple[Architecture, np.ndarray]:
    architecture = network(objective, hidden, inputs=12)
    generator = torch.Generator().manual_seed(7)
    return architecture, torch.randn(
        size(architecture), dtype=torch.float64, generator=generator
    ).numpy()


def predicted(file: bytes, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {"features": rows})[0]


@objectives
@hidden_layers
def test_another_program_predicts_the_same(objective: Objective, hidden: tuple[int, ...]) -> None:
    architecture, weights = drawn(objective, hidden)
    file = to_onnx(architecture, weights, metadata={})
    generator = torch.Generator().manual_seed(8)
    for n in (1, 500, 0):
        rows = (torch.rand(n, 12, generator=generator) * 2 - 1).numpy()
        expected = scores(architecture, weights, rows)
        found = predicted(file, rows)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_two_classes_in_order_are_two_probabilities() -> None:
    architecture = Architecture(inputs=2, objective=Objective.ORDINAL, outputs=1)
    rows = np.array([[0.5, -1.0]], np.float32)
    found = predicted(to_onnx(architecture, np.array([1.0, 2.0, 0.5]), metadata={}), rows)
    np.testing.assert_allclose(found, [[1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(1.0))]])


@objectives
@hidden_layers
def test_the_file_is_valid_and_says_what_it_is(
    objective: Objective, hidden: tuple[int, ...]
) -> None:
    file = to_onnx(*drawn(objective, hidden), metadata={"plan": "abc", "code": "1"})
    model = onnx.load_from_string(file)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "plan": "abc",
        "code": "1",
    }
    assert [value.name for value in model.graph.input] == ["features"]
    assert [value.name for value in model.graph.output] == [PREDICTIONS[objective]]


def test_the_same_model_is_the_same_file() -> None:
    model = drawn(Objective.BINARY, (16,))
    one = to_onnx(*model, metadata={"a": "1", "b": "2"})
    assert one == to_onnx(*model, metadata={"b": "2", "a": "1"})


def test_weights_that_are_no_model_are_not_exported() -> None:
    architecture, weights = drawn(Objective.BINARY, ())
    with pytest.raises(WrongShape):
        to_onnx(architecture, weights[:-1], metadata={})
    with pytest.raises(NotFinite):
        to_onnx(architecture, weights * np.nan, metadata={})
