"""Packed rows are the same rows: no number of a gradient shows how they are kept."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.architectures import Architecture
from models.errors import NotFinite, WrongShape
from models.evenness import widths
from models.gradients import clipped_sum_over
from models.grouping import Clients
from models.packing import LARGEST, Packed, pack
from models.threads import torch_threads
from tests.models.gradient_cases import crowd

SIGNS = st.sampled_from([-1.0, 0.0, 1.0])
REALS = st.floats(-LARGEST, LARGEST, width=32)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@st.composite
def parts(draw: st.DrawFn) -> list[np.ndarray]:
    rows = draw(st.integers(0, 5))
    widths_ = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    kinds = st.sampled_from([SIGNS, REALS])
    return [draw(arrays(np.float32, (rows, w), elements=draw(kinds))) for w in widths_]


@given(parts=parts())
@settings(deadline=None)
def test_packed_rows_come_out_as_they_came(parts: list[np.ndarray]) -> None:
    whole = np.concatenate(parts, axis=1)
    packed = pack(parts, rows=len(whole), inputs=whole.shape[1])
    assert packed.shape == whole.shape
    np.testing.assert_array_equal(packed.rows(), whole)


def test_what_is_only_a_sign_takes_a_byte() -> None:
    flags = np.array([[1, 0.5], [0, -1], [-1, 2]], dtype=np.float32)
    packed = pack([flags], rows=3, inputs=2)
    assert packed.signs.dtype is torch.int8
    assert packed.sign_places.tolist() == [0]
    assert packed.real_places.tolist() == [1]


def mixed(
    n: int, hidden: tuple[int, ...]
) -> tuple[Architecture, np.ndarray, np.ndarray, np.ndarray]:
    architecture, weights, features, labels = crowd(n, hidden)
    features[:, ::2] = np.sign(features[:, ::2])
    return architecture, weights, features, labels


@pytest.mark.parametrize("hidden", [(), (64, 32)])
def test_the_sum_over_packed_rows_is_that_over_the_rows_bit_for_bit(
    hidden: tuple[int, ...],
) -> None:
    most = widths(Architecture(inputs=50, hidden=hidden))[-1]
    architecture, weights, features, labels = mixed(2 * most + 7, hidden)
    packed = pack([features], rows=len(labels), inputs=50)
    assert len(packed.signs) > 0
    assert len(packed.reals) > 0
    sums = [
        clipped_sum_over(rows, labels, architecture=architecture, clip_norm=1.0)(weights)
        for rows in (features, packed)
    ]
    np.testing.assert_array_equal(*sums)


def test_packed_rows_may_share_a_client() -> None:
    architecture, weights, features, labels = mixed(6, ())
    clients: Clients = np.array([0, 0, 1, 1, 1, 2], dtype=np.int32)
    sums = [
        clipped_sum_over(rows, labels, architecture=architecture, clip_norm=0.1, clients=clients)(
            weights
        )
        for rows in (features, pack([features], rows=6, inputs=50))
    ]
    np.testing.assert_array_equal(*sums)


@pytest.mark.parametrize(
    ("parts", "inputs"),
    [([np.zeros((3, 2))], 3), ([np.zeros((2, 2))], 2), ([np.zeros((3, 2))] * 2, 3), ([], 1)],
)
def test_parts_that_do_not_fit_are_refused(parts: list[np.ndarray], inputs: int) -> None:
    with pytest.raises(WrongShape):
        pack([part.astype(np.float32) for part in parts], rows=3, inputs=inputs)


def test_a_number_that_is_not_finite_is_refused_and_a_large_one_is_cut() -> None:
    with pytest.raises(NotFinite):
        pack([np.array([[np.nan]], dtype=np.float32)], rows=1, inputs=1)
    huge = pack([np.array([[1e30]], dtype=np.float32)], rows=1, inputs=1)
    assert huge.rows().tolist() == [[LARGEST]]


def test_packed_rows_of_another_width_are_refused() -> None:
    architecture, _, features, labels = mixed(3, ())
    packed: Packed = pack([features[:, :4]], rows=3, inputs=4)
    with pytest.raises(WrongShape):
        clipped_sum_over(packed, labels, architecture=architecture, clip_norm=1.0)
