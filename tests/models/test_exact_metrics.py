"""Exact figures agree with their definitions, counted the plain way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import OneClass
from models.evaluate import ks
from models.exact_metrics import binary_metrics, other_metrics

pairs = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=40)


@given(pairs)
def test_ks_is_the_largest_gap_between_the_classes(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.float32)
    scores = np.array([score / 20 for _, score in rows])
    if labels.min() == labels.max():
        with pytest.raises(OneClass):
            ks(labels, scores)
        return
    gaps = [
        abs((scores[labels == 1] <= place).mean() - (scores[labels == 0] <= place).mean())
        for place in scores
    ]
    assert ks(labels, scores) == pytest.approx(max(gaps))


def test_one_class_is_judged_without_a_ranking() -> None:
    found = binary_metrics(np.ones(3, dtype=np.float32), np.array([0.2, 0.5, 1.0]))
    assert (found.auc, found.ks, found.rate, found.clients) == (None, None, 1.0, 3)


@given(pairs)
def test_the_calibration_error_is_what_the_tenths_missed(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.float32)
    scores = np.array([(score + 0.31) / 21 for _, score in rows])
    tenths: dict[int, float] = {}
    for label, score in zip(labels.tolist(), scores.tolist(), strict=True):
        tenth = int(score * 10)  # no score lies on an edge
        tenths[tenth] = tenths.get(tenth, 0.0) + label - score
    missed = sum(map(abs, tenths.values())) / len(rows)
    assert binary_metrics(labels, scores).calibration_error == pytest.approx(missed, abs=1e-9)


def test_a_model_that_is_sure_and_wrong_of_one_class_is_not_called_honest() -> None:
    found = binary_metrics(np.zeros(4, dtype=np.float32), np.ones(4))
    assert found.calibration_error == 1.0


def test_calibration_counts_every_client_once() -> None:
    labels = np.array([0, 1, 1, 0, 1], dtype=np.float32)
    found = binary_metrics(labels, np.array([0.0, 0.1, 0.55, 0.55, 1.0]))
    assert sum(point.share for point in found.calibration) == pytest.approx(1)
    assert found.auc == pytest.approx(5 / 6 - 0.5 / 6)


def test_classes_and_amounts_are_compared_with_the_middle() -> None:
    labels = np.array([0, 2, 2], dtype=np.float32)
    classes = other_metrics(labels, np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0, 0, 1.0]]))
    assert classes.right == pytest.approx(2 / 3)
    assert classes.error == pytest.approx(1 / 3)
    assert classes.error_of_the_middle == pytest.approx(2 / 3)
    assert other_metrics(labels, np.array([0.0, 1.0, 2.0])).right is None
