"""A training round's vector: what the nodes encode is what the coordinator averages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ProtocolError
from federation.updates import (
    MAX_NOISY_COUNT,
    MAX_WEIGHT,
    UPDATE_BOUND,
    decode_update,
    encode_update,
    update_size,
)
from models.architectures import Architecture, size
from models.averaging import average_by_holders
from privacy.lattice import REAL_SCALE, truncate_to_lattice

SHAPE = Architecture(inputs=3, hidden=(2,))
MASKS = [[True, True, False], [True, False, True], [True, True, True]]


@given(
    st.lists(st.floats(1, 1e6), min_size=1, max_size=3),
    st.floats(-10, 10),
)
def test_the_sum_of_updates_is_the_average_over_holders(counts: list[float], base: float) -> None:
    held = [np.array(mask) for mask in MASKS[: len(counts)]]
    updates = [np.linspace(base, base + number + 1, size(SHAPE)) for number in range(len(counts))]
    sent = [
        truncate_to_lattice(encode_update(SHAPE, u, n, h), REAL_SCALE)
        for u, n, h in zip(updates, counts, held, strict=True)
    ]
    assert all(vector.size == update_size(SHAPE) for vector in sent)
    total = np.sum(sent, axis=0)
    expected = average_by_holders(SHAPE, updates, counts, held)
    np.testing.assert_allclose(decode_update(SHAPE, total), expected, atol=0.1)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e300, 1e300))
def test_no_update_passes_its_bound(weight: float, count: float) -> None:
    vector = encode_update(SHAPE, np.full(size(SHAPE), weight), count, np.array(MASKS[2]))
    assert np.abs(vector).max() <= UPDATE_BOUND
    assert UPDATE_BOUND >= MAX_WEIGHT * MAX_NOISY_COUNT / 2**11


def test_a_department_sends_zeros_on_what_it_does_not_hold() -> None:
    vector = encode_update(SHAPE, np.ones(size(SHAPE)), 2048.0, np.array(MASKS[0]))
    assert vector[: size(SHAPE)].tolist() == [1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1]
    assert vector[size(SHAPE) :].tolist() == [1, 1, 0, 1]


def test_what_is_no_sum_of_updates_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_update(SHAPE, np.zeros(update_size(SHAPE), dtype=np.int64))
