from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from federation.errors import ProtocolError
from federation.secure_aggregation.triples import (
    Words,
    correction,
    indicators,
    left_share,
    masked,
    product,
    random_matrix,
    right_share,
)

SECRETS = [bytes([n]) * 32 for n in range(3)]
words = st.integers(0, 2**32 - 1)


def matrices(columns: int, most: int = 2**32 - 1) -> Any:
    return arrays(np.uint32, (9, columns), elements=st.integers(0, most))


def shares_of(x: Words, y: Words, masks: tuple[Words, Words], s: Words) -> tuple[Words, Words]:
    a, b = masks
    left = left_share(a, masked(y, b), s)
    return left, right_share(masked(x, a), y, correction(a, b, s))


@given(matrices(3), matrices(4))
def test_a_product_is_exact_modulo_two_to_the_32(left: Words, right: Words) -> None:
    exact = left.astype(object).T @ right.astype(object)
    assert product(left, right).tolist() == (exact % 2**32).tolist()


def test_the_largest_numbers_in_a_whole_part_are_exact() -> None:
    full = np.full((2**15, 2), 2**32 - 1, dtype=np.uint32)
    assert product(full, full).tolist() == [[2**15, 2**15]] * 2  # (−1)·(−1) in every row


@given(matrices(3, 1), matrices(4, 1), matrices(3), matrices(4), st.data())
def test_two_shares_add_up_to_the_product_of_the_rows(
    x: Words, y: Words, a: Words, b: Words, data: st.DataObject
) -> None:
    s = data.draw(arrays(np.uint32, (3, 4), elements=words))
    left, right = shares_of(x, y, (a, b), s)
    assert (left + right).tolist() == (x.T.astype(np.int64) @ y).tolist()


@given(matrices(3, 1), matrices(4, 1))
def test_with_other_masks_the_same_message_stands_for_any_rows(x: Words, other: Words) -> None:
    x, other = x[:, :3], other[:, :3]
    a = random_matrix(SECRETS[0], context=(b"a",), rows=9, columns=3)
    seen = masked(x, a)
    assert masked(other, other - seen).tolist() == seen.tolist()


def test_keystreams_differ_by_secret_and_by_use() -> None:
    uses = [(s, (u, v)) for s in SECRETS for u in (b"left", b"right") for v in (b"0", b"1")]
    made = [random_matrix(s, context=c, rows=4, columns=2).tobytes() for s, c in uses]
    assert len(set(made)) == len(uses)
    again = random_matrix(uses[0][0], context=uses[0][1], rows=4, columns=2)
    assert again.tobytes() == made[0]


def looks_uniform(sent: Words) -> bool:
    """Every bit of the words is set half of the time, within 6.8 deviations: 1e-9 in all."""
    ones = [int(((sent.ravel() >> np.uint32(bit)) & 1).sum()) for bit in range(32)]
    return all(abs(n - sent.size / 2) < 6.8 * (sent.size / 4) ** 0.5 for n in ones)


@pytest.mark.statistical
def test_what_is_sent_looks_uniform_whatever_the_rows_are() -> None:
    bits = np.ones((5000, 4), dtype=np.uint32)
    mask = random_matrix(SECRETS[1], context=(b"x",), rows=5000, columns=4)
    assert looks_uniform(masked(bits, mask))
    assert not looks_uniform(masked(bits, np.zeros_like(mask)))  # the saboteur: no mask


def test_a_client_has_one_1_for_each_field_it_opens() -> None:
    codes = np.array([[0, 2], [-1, 1], [-1, -1]], dtype=np.int16)
    assert indicators(codes, (2, 3)).tolist() == [[1, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0] * 5]


def test_matrices_that_do_not_fit_are_refused() -> None:
    sizes = [np.zeros((n, 2), dtype=np.uint32) for n in (3, 4)]
    for left, right in pairwise([*sizes, sizes[0]]):
        with pytest.raises(ProtocolError):
            product(left, right)
    with pytest.raises(ProtocolError):
        random_matrix(b"short", context=(), rows=1, columns=1)
