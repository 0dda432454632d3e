from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from models.architectures import Architecture, size
from models.errors import LabelInvalid, NotFinite, OneClass, WrongShape
from models.evaluate import auc, scores
from models.objectives import Objective
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
    with pytest.raises(LabelInvalid):
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


ROWS = np.array([[1.0, 2.0], [0.0, 0.0], [-1e30, 1e30], [-3.0, 0.25]], dtype=np.float32)


def drawn(objective: Objective, outputs: int = 1) -> tuple[Architecture, np.ndarray]:
    """A linear model whose outputs differ from row to row and cross each other."""
    architecture = Architecture(inputs=2, objective=objective, outputs=outputs)
    return architecture, np.sin(np.arange(1.0, size(architecture) + 1))


def outputs_of(weights: np.ndarray, outputs: int) -> np.ndarray:
    matrix, bias = weights[: 2 * outputs].reshape(outputs, 2), weights[2 * outputs :]
    return ROWS.astype(np.float64) @ matrix.T + bias


def test_classes_get_the_softmax_of_their_outputs() -> None:
    architecture, weights = drawn(Objective.MULTICLASS, 4)
    found = scores(architecture, weights, ROWS)
    np.testing.assert_allclose(found, softmax(outputs_of(weights, 4), axis=1), atol=1e-12)


def test_classes_in_order_get_differences_of_being_above() -> None:
    weights = np.array([0.0, 0.0, 0.0, 0.0, 2.0, -1.0])  # above 0: likely, above 1: unlikely
    found = scores(Architecture(inputs=2, objective=Objective.ORDINAL, outputs=2), weights, ROWS)
    above = expit([2.0, -1.0])
    np.testing.assert_allclose(found[0], [1 - above[0], above[0] - above[1], above[1]])


def test_answers_that_cross_still_make_probabilities() -> None:
    architecture, weights = drawn(Objective.ORDINAL, 3)
    above = expit(outputs_of(weights, 3))
    assert (np.diff(above, axis=1) > 0).any()
    found = scores(architecture, weights, ROWS)
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found @ np.arange(4), above.sum(axis=1), err_msg="the mean stays")


def test_a_rate_is_the_exponential_of_its_logarithm_and_never_overflows() -> None:
    architecture, weights = drawn(Objective.COUNT)
    found = scores(architecture, np.abs(weights), ROWS)
    expected = np.exp(np.minimum(outputs_of(np.abs(weights), 1)[:, 0], np.log(2.0**20)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.max() == pytest.approx(2**20)
    assert found.max() <= 2**20


def test_an_amount_stays_within_its_bounds() -> None:
    architecture, weights = drawn(Objective.AMOUNT)
    expected = outputs_of(weights, 1)[:, 0].clip(-1, 1)
    np.testing.assert_allclose(scores(architecture, weights, ROWS), expected)


@pytest.mark.parametrize("objective", Objective)
def test_no_rows_have_no_scores(objective: Objective) -> None:
    outputs = {Objective.MULTICLASS: 3, Objective.ORDINAL: 2}.get(objective, 1)
    architecture = Architecture(inputs=2, hidden=(3,), objective=objective, outputs=outputs)
    found = scores(architecture, initial_vector(architecture), np.zeros((0, 2), np.float32))
    assert found.shape == ((0, 3) if outputs > 1 else (0,))


def test_rows_that_cannot_be_scored_are_refused() -> None:
    architecture = Architecture(inputs=2, hidden=(3,))
    weights = initial_vector(architecture)
    with pytest.raises(NotFinite):
        scores(architecture, weights, np.full((4, 2), np.nan, np.float32))
    with pytest.raises(WrongShape):
        scores(architecture, weights, np.zeros((4, 3), np.float32))
    with pytest.raises(WrongShape):
        scores(architecture, np.zeros(size(architecture) - 1), np.zeros((4, 2), np.float32))
