import numpy as np
import pytest
import torch

from models.architectures import Architecture
from models.errors import InvalidSetting
from models.evaluate import auc, scores
from models.objectives import Objective
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


LEARNED = {
    Objective.BINARY: lambda line: line > 0.3,
    Objective.MULTICLASS: lambda line: np.digitize(line, [-0.8, 0.8]),
    Objective.ORDINAL: lambda line: np.digitize(line, [-0.8, 0.8]),
    Objective.COUNT: lambda line: np.round(np.exp(line / 2)),
    Objective.AMOUNT: lambda line: np.clip(line / 4, -1, 1),
}


@pytest.mark.parametrize("objective", Objective)
def test_it_learns_whatever_the_objective_is(objective: Objective) -> None:
    outputs = {Objective.MULTICLASS: 3, Objective.ORDINAL: 2}.get(objective, 1)
    architecture = Architecture(inputs=3, hidden=(8,), objective=objective, outputs=outputs)
    parts = []
    for n in (200, 300, 400):
        features, _ = part(n)
        labels = LEARNED[objective](features[:, 0] - features[:, 1])
        parts.append((features, labels.astype(np.float32)))
    features, labels = parts.pop()
    weights = train_without_noise(
        parts, held=[ALL, ALL], architecture=architecture, rounds=8, steps=20, **RECIPE
    )
    found = scores(architecture, weights, features)
    if found.ndim > 1:
        assert (found.argmax(axis=1) == labels).mean() > 0.9
    else:
        assert np.corrcoef(found, labels)[0, 1] > 0.85


def test_the_proximal_term_is_that_of_the_local_steps() -> None:
    found = train_without_noise(
        [part(10)], held=[ALL], architecture=LINE, rounds=1, steps=5, proximal=2.0, **RECIPE
    )
    start = initial_vector(LINE)
    assert np.linalg.norm(found - start) < np.linalg.norm(local(start, part(10), 5) - start)


def test_no_rounds_or_no_rows_are_refused() -> None:
    with pytest.raises(InvalidSetting):
        train_without_noise([part(5)], held=[ALL], architecture=LINE, rounds=0, steps=1, **RECIPE)
    with pytest.raises(InvalidSetting):
        train_without_noise([], held=[], architecture=LINE, rounds=1, steps=1, **RECIPE)
