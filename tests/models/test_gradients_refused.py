"""Rows, weights and settings that a clipped gradient sum refuses, saying nothing about a row."""

import numpy as np
import pytest

from models.errors import InvalidSetting, LabelInvalid, ModelError, NotFinite, WrongShape
from models.gradients import clipped_sum_over
from models.packing import LARGEST
from tests.models.gradient_cases import clipped_gradient_sum, crowd


def test_the_rows_are_copied() -> None:
    architecture, weights, features, labels = crowd(30, ())
    clipped_sum = clipped_sum_over(features, labels, architecture=architecture, clip_norm=0.1)
    kept = clipped_sum(weights).tobytes()
    features[:], labels[:] = 0, 0
    assert clipped_sum(weights).tobytes() == kept


def test_a_feature_beyond_the_largest_counts_as_the_largest() -> None:
    architecture, weights, features, labels = crowd(30, (8,))
    features[3], features[4] = np.float32(1e30), np.float32(-1e30)
    far = clipped_gradient_sum(architecture, weights, features, labels, 1.0)
    features[3], features[4] = LARGEST, -LARGEST
    assert clipped_gradient_sum(architecture, weights, features, labels, 1.0).tolist() == list(far)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_refused(bad: float) -> None:
    architecture, weights, features, labels = crowd(30, ())
    features[17, 3] = bad
    with pytest.raises(NotFinite) as refusal:
        clipped_gradient_sum(architecture, weights, features, labels, 1.0)
    assert refusal.value.what == "features"
    assert_says_nothing_about_rows(refusal.value, ["17", "30", "nan", "inf"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.5, 2.0])
def test_a_label_that_is_neither_zero_nor_one_is_refused(bad: float) -> None:
    architecture, weights, features, labels = crowd(30, ())
    labels[17] = bad
    with pytest.raises(LabelInvalid) as refusal:
        clipped_gradient_sum(architecture, weights, features, labels, 1.0)
    assert_says_nothing_about_rows(refusal.value, ["17", "30", "nan", "inf", "-1", "0.5", "2"])


@pytest.mark.parametrize(
    ("features_shape", "labels_shape"), [((30, 49), (30,)), ((30,), (30,)), ((30, 50), (31,))]
)
def test_arrays_that_do_not_fit_are_refused(
    features_shape: tuple[int, ...], labels_shape: tuple[int, ...]
) -> None:
    architecture, weights, _, _ = crowd(1, ())
    features, labels = np.zeros(features_shape, np.float32), np.zeros(labels_shape, np.float32)
    with pytest.raises(WrongShape) as refusal:
        clipped_gradient_sum(architecture, weights, features, labels, 1.0)
    assert_says_nothing_about_rows(refusal.value, ["30", "31"])


def assert_says_nothing_about_rows(error: ModelError, secrets: list[str]) -> None:
    said = f"{error} {error!r} {vars(error)}"
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, np.nan, np.inf])
def test_a_clip_norm_that_bounds_nothing_is_refused(clip_norm: float) -> None:
    with pytest.raises(InvalidSetting):
        clipped_gradient_sum(*crowd(3, ()), clip_norm)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.nan, NotFinite),
        (np.inf, NotFinite),
        (1.001 * LARGEST, InvalidSetting),
        (-1e300, InvalidSetting),
    ],
)
@pytest.mark.parametrize("n", [0, 30])
def test_weights_that_would_overflow_are_refused_whatever_the_rows(
    bad: float, error: type[ModelError], n: int
) -> None:
    architecture, weights, features, labels = crowd(n, ())
    weights[7] = bad
    with pytest.raises(error):
        clipped_gradient_sum(architecture, weights, features, labels, 1.0)


def test_weights_of_another_network_are_refused() -> None:
    architecture, weights, features, labels = crowd(3, (4,))
    with pytest.raises(WrongShape):
        clipped_gradient_sum(architecture, weights[:-1], features, labels, 1.0)
