import numpy as np
import pytest
import torch

from models.architectures import Architecture
from models.errors import InvalidSetting
from models.evaluate import auc, scores
from models.parameters import initial_vector
from models.reference import train_without_noise
from models.train import local_steps

LINE = Architecture(inputs=3)
ALL = np.ones(3, dtype=bool)
RECIPE = {"clip_norm": 1.0, "learning_rate": 0.5, "momentum": 0.9}
Part = tuple[np.ndarray, np.ndarray]


def part(n: int) -> Part:
    generator = torch.Generator().manual_seed(n)
    features = torch.randn(n, 3, generator=generator).numpy()
    return features, (features[:, 0] - features[:, 1] > 0.3).astype(np.float32)


def local(start: np.ndarray, rows: Part, steps: int) -> np.ndarray:
    return local_steps(
        start,
        *rows,
        architecture=LINE,
        steps=steps,
        noisy_count=len(rows[1]),
        noised=lambda total: total,
        **RECIPE,
    )


def test_a_round_averages_the_parts_by_their_rows() -> None:
    small, large = part(10), part(30)
    found = train_without_noise(
        [small, large], held=[ALL, ALL], architecture=LINE, rounds=1, steps=4, **RECIPE
    )
    start = initial_vector(LINE)
    expected = (10 * local(start, small, 4) + 30 * local(start, large, 4)) / 40
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_next_round_starts_from_the_average() -> None:
    found = train_without_noise(
        [part(10)], held=[ALL], architecture=LINE, rounds=2, steps=3, **RECIPE
    )
    expected = local(local(initial_vector(LINE), part(10), 3), part(10), 3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rounds_of_one_step_are_steps_on_the_joined_rows() -> None:
    small, large = part(10), part(30)
    joined = np.concatenate([small[0], large[0]]), np.concatenate([small[1], large[1]])
    apart, together = (
        train_without_noise(
            parts,
            held=[ALL] * len(parts),
            architecture=LINE,
            rounds=5,
            steps=1,
            **RECIPE | {"momentum": 0.0},
        )
        for parts in ([small, large], [joined])
    )
    np.testing.assert_allclose(apart, together, rtol=1e-9)


def test_a_part_without_rows_changes_nothing() -> None:
    nobody = np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
    alone, beside = (
        train_without_noise(
            parts, held=[ALL] * len(parts), architecture=LINE, rounds=2, steps=2, **RECIPE
        )
        for parts in ([part(10)], [part(10), nobody])
    )
    np.testing.assert_allclose(alone, beside, rtol=1e-12)


def test_it_learns() -> None:
    parts = [part(200), part(300)]
    weights = train_without_noise(
        parts, held=[ALL] * len(parts), architecture=LINE, rounds=4, steps=10, **RECIPE
    )
    features, labels = part(400)
    assert auc(labels, scores(LINE, weights, features)) > 0.98


def test_no_rounds_or_no_rows_are_refused() -> None:
    with pytest.raises(InvalidSetting):
        train_without_noise([part(5)], held=[ALL], architecture=LINE, rounds=0, steps=1, **RECIPE)
    with pytest.raises(InvalidSetting):
        train_without_noise([], held=[], architecture=LINE, rounds=1, steps=1, **RECIPE)
