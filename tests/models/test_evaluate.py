from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.architectures import Architecture, size
from models.errors import LabelNotBinary, NotFinite, OneClass, WrongShape
from models.evaluate import auc, scores
from models.parameters import initial_vector

rows = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(0, 5)), min_size=2, max_size=40)


def columns(pairs: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, ranks = zip(*pairs, strict=True)
    assume(len(set(labels)) == 2)
    return np.array(labels), np.array(ranks) / 7


@given(pairs=rows)
def test_the_area_is_the_share_of_pairs_ranked_rightly(pairs: list[tuple[float, int]]) -> None:
    labels, ranked = columns(pairs)
    won = [
        Fraction(int(np.sign(one - zero)) + 1, 2)
        for one in ranked[labels == 1]
        for zero in ranked[labels == 0]
    ]
    assert auc(labels, ranked) == float(sum(won) / len(won))


@given(pairs=rows)
def test_turning_the_labels_around_turns_the_area_around(pairs: list[tuple[float, int]]) -> None:
    labels, ranked = columns(pairs)
    assert auc(labels, ranked) + auc(1 - labels, ranked) == pytest.approx(1, abs=1e-15)


@given(pairs=rows)
def test_only_the_order_of_the_scores_matters(pairs: list[tuple[float, int]]) -> None:
    labels, ranked = columns(pairs)
    assert auc(labels, ranked) == auc(labels, np.exp(ranked))


def test_the_ends_of_the_scale() -> None:
    labels = np.array([0.0, 0.0, 1.0])
    assert auc(labels, np.array([0.1, 0.2, 0.9])) == 1.0
    assert auc(labels, np.array([0.8, 0.9, 0.1])) == 0.0
    assert auc(labels, np.array([0.5, 0.5, 0.5])) == 0.5


@pytest.mark.parametrize("labels", [[0.0, 0.0], [1.0, 1.0], []])
def test_one_class_cannot_be_ranked(labels: list[float]) -> None:
    with pytest.raises(OneClass):
        auc(np.array(labels), np.zeros(len(labels)))


def test_arrays_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(LabelNotBinary):
        auc(np.array([0.0, 2.0]), np.zeros(2))
    with pytest.raises(NotFinite):
        auc(np.array([0.0, 1.0]), np.array([0.5, np.nan]))
    with pytest.raises(WrongShape):
        auc(np.array([0.0, 1.0]), np.zeros(3))
    with pytest.raises(WrongShape):
        auc(np.zeros((2, 1)), np.zeros((2, 1)))


def test_a_logistic_score_is_the_sigmoid_of_the_line() -> None:
    features = np.array([[1.0, 2.0], [0.0, 0.0], [-1e30, 0.0]], dtype=np.float32)
    found = scores(Architecture(inputs=2), np.array([0.5, -1.0, 0.25]), features)
    np.testing.assert_allclose(found, [1 / (1 + np.exp(1.25)), 1 / (1 + np.exp(-0.25)), 0.0])
    assert found.dtype == np.float64


def test_no_rows_have_no_scores() -> None:
    architecture = Architecture(inputs=2, hidden=(3,))
    found = scores(architecture, initial_vector(architecture), np.zeros((0, 2), np.float32))
    assert found.shape == (0,)


def test_rows_that_cannot_be_scored_are_refused() -> None:
    architecture = Architecture(inputs=2, hidden=(3,))
    weights = initial_vector(architecture)
    with pytest.raises(NotFinite):
        scores(architecture, weights, np.full((4, 2), np.nan, np.float32))
    with pytest.raises(WrongShape):
        scores(architecture, weights, np.zeros((4, 3), np.float32))
    with pytest.raises(WrongShape):
        scores(architecture, np.zeros(size(architecture) - 1), np.zeros((4, 2), np.float32))
