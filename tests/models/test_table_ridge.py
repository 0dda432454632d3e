import numpy as np
import pytest
import torch

from models.table_ridge import Coding, Ridge, fit
from models.tables import Table
from tests.models.test_table_margins import with_noise

LABELS = 4, 3, 2
CODINGS = tuple(
    Coding(labels=tuple(map(str, range(labels))), ordered=labels != 3) for labels in LABELS
)


def crowd(size: int) -> list[Table]:
    """Indicators of two fields and a target that depends on both, one of them ordered."""
    number = np.arange(size)
    first, second = number % 4, (number // 4) % 3
    chance = (number * 7919 % 10_007) / 10_007
    target = (chance < 0.2 + 0.15 * first + 0.1 * (second == 2)).astype(int)
    return [
        np.eye(labels)[codes] for labels, codes in zip(LABELS, (first, second, target), strict=True)
    ]


def fitted(fields: list[Table], sigma: float, *, seed: int | None = None) -> Ridge:
    """Fit a model of the fields' tables; with a seed, noise lies on them."""
    histograms = [field.sum(axis=0) for field in fields]
    crosstabs = {(i, j): fields[i].T @ fields[j] for i, j in ((0, 1), (0, 2), (1, 2))}
    if seed is not None:
        lot = torch.Generator().manual_seed(seed)
        histograms = [with_noise(table, sigma, lot) for table in histograms]
        crosstabs = {pair: with_noise(table, sigma, lot) for pair, table in crosstabs.items()}
    return fit(histograms, crosstabs, codings=CODINGS, label=1, sigma=sigma)


def test_a_ridge_without_noise_finds_what_the_target_depends_on() -> None:
    ridge = fitted(crowd(60_000), 0.0)
    assert np.allclose(np.diff(ridge.weights[:4]), 0.15, atol=0.02)
    assert ridge.weights[6] - ridge.weights[4] == pytest.approx(0.1, abs=0.02)
    assert (ridge.deviations == 0).all()


def test_scores_have_the_mean_of_the_target_and_odds_that_rise_with_them() -> None:
    fields = crowd(60_000)
    ridge = fitted(fields, 0.0)
    scores = ridge.base + np.hstack(fields[:2]) @ ridge.weights
    target = fields[2][:, 1]
    assert scores.mean() == pytest.approx(target.mean())
    told = 1 / (1 + np.exp(-(ridge.intercept + ridge.slope * scores)))
    for some in np.array_split(np.argsort(scores), 4):
        assert told[some].mean() == pytest.approx(target[some].mean(), abs=0.03)


def test_more_noise_pulls_the_weights_to_zero_and_says_so() -> None:
    fields = [np.repeat(field, 100, axis=0) for field in crowd(6_000)]
    found = [fitted(fields, sigma) for sigma in (0.0, 300.0, 3e3, 3e4)]
    lengths = [float(np.linalg.norm(ridge.weights)) for ridge in found]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < lengths[0] / 4
    assert (found[1].deviations > 0).all()


def test_deviations_are_about_what_the_noise_does() -> None:
    fields = crowd(60_000)
    found = [fitted(fields, 300.0, seed=seed) for seed in range(40)]
    seen = np.std([ridge.weights for ridge in found], axis=0)
    told = np.mean([ridge.deviations for ridge in found], axis=0)
    assert (seen < 2 * told).all()
    assert (told < 6 * seen).all()


def test_a_target_that_nobody_has_tells_no_odds() -> None:
    fields = crowd(6_000)
    fields[2] = np.eye(2)[np.zeros(6_000, dtype=int)]
    ridge = fitted(fields, 0.0)
    assert (ridge.slope, ridge.intercept) == (0.0, 0.0)


def test_fields_of_the_same_labels_share_their_weights_when_little_is_known() -> None:
    number = np.arange(60_000)
    first, second = np.eye(4)[number % 4], np.eye(4)[number // 4 % 4]
    chance = (number * 7919 % 10_007) / 10_007
    target = np.eye(2)[(chance < 0.2 + 0.15 * (number % 4)).astype(int)]
    fields = [first, second, target]
    crosstabs = {(i, j): fields[i].T @ fields[j] for i, j in ((0, 1), (0, 2), (1, 2))}
    same = Coding(labels=("a", "b", "c", "d"), ordered=True)
    other = Coding(labels=("e", "f", "g", "h"), ordered=True)

    def of_second(coding: Coding, sigma: float) -> float:
        codings = (same, coding, Coding(labels=("no", "yes"), ordered=True))
        histograms = [field.sum(axis=0) for field in fields]
        found = fit(histograms, crosstabs, codings=codings, label=1, sigma=sigma)
        return float(found.weights[7] - found.weights[4])

    assert of_second(same, 300.0) > of_second(other, 300.0) + 0.01
    assert of_second(same, 0.0) == pytest.approx(of_second(other, 0.0), abs=0.01)
