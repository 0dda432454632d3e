import pytest
import torch
from torch import nn

from models.architectures import Architecture, layer_sizes
from models.errors import InvalidSetting, TooLarge
from models.networks import build, linear_layers


def test_the_largest_network_allowed_is_accepted() -> None:
    assert Architecture(inputs=4096, hidden=(256, 256)).hidden == (256, 256)


@pytest.mark.parametrize(
    ("inputs", "hidden", "what"),
    [
        (4097, (), "inputs"),
        (10, (257,), "hidden width"),
        (10, (8, 257), "hidden width"),
        (10, (8, 8, 8), "hidden layers"),
    ],
)
def test_a_network_beyond_a_limit_is_refused(
    inputs: int, hidden: tuple[int, ...], what: str
) -> None:
    with pytest.raises(TooLarge) as refusal:
        Architecture(inputs=inputs, hidden=hidden)
    assert refusal.value.what == what
    assert refusal.value.value > refusal.value.limit


@pytest.mark.parametrize(
    ("inputs", "hidden"), [(0, ()), (-1, ()), (10, (0,)), (True, ()), (2.0, ())]
)
def test_a_size_that_is_no_positive_integer_is_refused(
    inputs: int, hidden: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidSetting):
        Architecture(inputs=inputs, hidden=hidden)


def test_no_hidden_layer_is_logistic_regression() -> None:
    assert layer_sizes(Architecture(inputs=7)) == ((7, 1),)


def test_hidden_layers_are_joined_by_relu() -> None:
    model = build(Architecture(inputs=5, hidden=(4, 3)), torch.Generator())
    kinds = [type(module) for module in model]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [tuple(layer.weight.shape) for layer in linear_layers(model)] == [(4, 5), (3, 4), (1, 3)]


def test_the_generator_alone_decides_the_hidden_weights() -> None:
    architecture = Architecture(inputs=5, hidden=(4,))
    first, again, other = (
        build(architecture, torch.Generator().manual_seed(seed)).state_dict()["0.weight"]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
