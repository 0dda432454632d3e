import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save as plain_file

from models.architectures import Architecture, size
from models.errors import ModelFileInvalid, NotFinite, WrongShape
from models.evaluate import scores
from models.files import load, save
from models.networks import build
from models.objectives import Objective
from models.parameters import initial_vector, last_layer, load_vector, model_with, vector_of

SHAPES = [
    Architecture(inputs=3),
    Architecture(inputs=3, hidden=(2,)),
    Architecture(inputs=4, hidden=(3, 2)),
    Architecture(inputs=3, hidden=(2,), objective=Objective.MULTICLASS, outputs=4),
    Architecture(inputs=3, objective=Objective.ORDINAL, outputs=2),
    Architecture(inputs=2, objective=Objective.COUNT),
    Architecture(inputs=2, hidden=(3,), objective=Objective.AMOUNT),
]
SMALL = Architecture(inputs=2, hidden=(2,))
finite = st.floats(allow_nan=False, allow_infinity=False)


def counting(d: int) -> np.ndarray:
    return np.arange(1, d + 1, dtype=np.float64)


@pytest.mark.parametrize("architecture", SHAPES)
def test_the_order_is_weight_by_rows_then_bias_from_the_features_to_the_logit(
    architecture: Architecture,
) -> None:
    model = model_with(architecture, counting(size(architecture)))
    expected = 1
    for module in model:
        if not isinstance(module, torch.nn.Linear):
            continue
        for row in module.weight.tolist():
            for entry in row:
                assert entry == expected
                expected += 1
        for entry in module.bias.tolist():
            assert entry == expected
            expected += 1
    assert expected == size(architecture) + 1


@pytest.mark.parametrize("architecture", SHAPES)
@given(data=st.data())
def test_a_vector_comes_back_bit_for_bit(architecture: Architecture, data: st.DataObject) -> None:
    vector = data.draw(arrays(np.float64, size(architecture), elements=finite))
    assert vector_of(model_with(architecture, vector)).tobytes() == vector.tobytes()


def test_the_network_keeps_a_copy() -> None:
    vector = counting(size(SMALL))
    model = model_with(SMALL, vector)
    vector[:] = 0
    assert vector_of(model).tolist() == counting(size(SMALL)).tolist()
    vector_of(model)[:] = 0
    assert vector_of(model).tolist() == counting(size(SMALL)).tolist()


@pytest.mark.parametrize("architecture", SHAPES)
def test_every_department_starts_at_the_same_vector(architecture: Architecture) -> None:
    assert initial_vector(architecture).tobytes() == initial_vector(architecture).tobytes()


@pytest.mark.parametrize("architecture", SHAPES)
def test_the_last_layer_is_the_end_of_the_vector(architecture: Architecture) -> None:
    vector = counting(size(architecture))
    layer = model_with(architecture, vector)[-1]
    own = [*layer.weight.flatten().tolist(), *layer.bias.tolist()]
    assert vector[last_layer(architecture)].tolist() == own


@pytest.mark.parametrize("architecture", SHAPES[:3])
def test_training_starts_at_probability_one_half(architecture: Architecture) -> None:
    features = np.linspace(-3, 3, 5 * architecture.inputs, dtype=np.float32)
    features = features.reshape(5, architecture.inputs)
    assert scores(architecture, initial_vector(architecture), features).tolist() == [0.5] * 5


def test_the_hidden_layers_start_apart_from_each_other() -> None:
    assert len(set(initial_vector(Architecture(inputs=3, hidden=(4,)))[:12])) == 12


@pytest.mark.parametrize("shape", [(8,), (10,), (9, 1), (1, 9), ()])
def test_a_vector_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WrongShape):
        load_vector(build(SMALL, torch.Generator()), np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_everywhere(bad: float, tmp_path: Path) -> None:
    vector = counting(size(SMALL))
    vector[4] = bad
    with pytest.raises(NotFinite):
        load_vector(build(SMALL, torch.Generator()), vector)
    with pytest.raises(NotFinite):
        save(tmp_path / "model", SMALL, vector)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("architecture", SHAPES)
def test_a_saved_model_comes_back_bit_for_bit(architecture: Architecture, tmp_path: Path) -> None:
    path = tmp_path / "model"
    vector = initial_vector(architecture) + 1 / 3
    save(path, architecture, vector)
    loaded, weights = load(path)
    assert loaded == architecture
    assert weights.tobytes() == vector.tobytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_saving_replaces_the_model_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, SMALL, np.zeros(size(SMALL)))
    save(path, SMALL, counting(size(SMALL)))
    assert load(path)[1].tolist() == counting(size(SMALL)).tolist()


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_changed_byte_is_found(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, SMALL, counting(size(SMALL)))
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(ModelFileInvalid):
        load(path)


def test_padding_swapped_for_other_white_space_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, Architecture(inputs=1), counting(2))
    content = path.read_bytes()
    assert b"}} " in content
    path.write_bytes(content.replace(b"}} ", b"}}\t"))
    with pytest.raises(ModelFileInvalid):
        load(path)


@given(length=st.integers(0, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_torn_file_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, SMALL, counting(size(SMALL)))
    content = path.read_bytes()
    path.write_bytes(content[: min(length, len(content) - 1)])
    with pytest.raises(ModelFileInvalid):
        load(path)


def signed(tensors: dict[str, np.ndarray], **changes: str) -> bytes:
    """A file with a right digest, whatever else is wrong with it."""
    nothing = "0" * 64
    description = {
        "format": "infosandbox model 2",
        "sha256": nothing,
        "inputs": "2",
        "hidden": "[2]",
        "objective": "binary",
        "outputs": "1",
    } | changes
    blank = plain_file(tensors, metadata=description)
    return blank.replace(nothing.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


GOOD = counting(size(SMALL))


def test_the_file_format_is_what_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(signed({"weights": GOOD}))
    assert load(path)[0] == SMALL


def test_a_file_from_before_there_were_objectives_is_a_binary_model(tmp_path: Path) -> None:
    nothing = "0" * 64
    old = {"format": "infosandbox model 1", "sha256": nothing, "inputs": "2", "hidden": "[2]"}
    blank = plain_file({"weights": GOOD}, metadata=old)
    digest = hashlib.sha256(blank).hexdigest()
    path = tmp_path / "model"
    path.write_bytes(blank.replace(nothing.encode(), digest.encode(), 1))
    assert load(path)[0] == SMALL


FAULTS = {
    "a NaN": signed({"weights": np.where(GOOD == 3, np.nan, GOOD)}),
    "an infinity": signed({"weights": np.where(GOOD == 3, np.inf, GOOD)}),
    "one number short": signed({"weights": GOOD[:-1]}),
    "a matrix": signed({"weights": GOOD.reshape(3, 3)}),
    "float32": signed({"weights": GOOD.astype(np.float32)}),
    "integers": signed({"weights": GOOD.view(np.int64)}),
    "a second tensor": signed({"weights": GOOD, "more": GOOD}),
    "another tensor": signed({"other": GOOD}),
    "another format": signed({"weights": GOOD}, format="infosandbox model 3"),
    "a fraction of an input": signed({"weights": GOOD}, inputs="2.0"),
    "too many inputs": signed({"weights": GOOD}, inputs="99999"),
    "too many layers": signed({"weights": GOOD}, hidden="[2, 2, 2]"),
    "a width that is no number": signed({"weights": GOOD}, hidden="[true]"),
    "no list of widths": signed({"weights": GOOD}, hidden="7"),
    "a very deep list": signed({"weights": GOOD}, hidden="[" * 100_000),
    "another objective": signed({"weights": GOOD}, objective="ranking"),
    "an objective that needs more outputs": signed({"weights": GOOD}, objective="multiclass"),
    "other outputs": signed({"weights": GOOD}, objective="ordinal", outputs="2"),
    "no metadata": plain_file({"weights": GOOD}),
    "no digest": plain_file(
        {"weights": GOOD}, metadata={"sha256": "", "inputs": "2", "hidden": "[2]"}
    ),
    "nothing at all": b"",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_save_would_not_write_is_refused(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(FAULTS[fault])
    with pytest.raises(ModelFileInvalid):
        load(path)


def test_a_pickled_model_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(build(SMALL, torch.Generator()).state_dict(), buffer)
    path = tmp_path / "model"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ModelFileInvalid):
        load(path)


def test_a_file_too_large_for_any_model_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with path.open("wb") as file:
        file.truncate(16 * 2**20 + 1)
    with pytest.raises(ModelFileInvalid) as refusal:
        load(path)
    assert "larger" in refusal.value.reason
