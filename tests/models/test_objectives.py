"""Every objective's clipped sums are those of a loop; labels it cannot learn are refused."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.architectures import Architecture, size
from models.errors import InvalidSetting, LabelInvalid, NotFinite, TooLarge
from models.evenness import is_even, product_for
from models.gradients import clipped_sum_over
from models.objectives import MAX_COUNT, MAX_OUTPUTS, Objective, check_labels
from models.packing import LARGEST
from models.threads import torch_threads
from tests.models.gradient_cases import Case, clipped_gradient_sum
from tests.models.objective_cases import (
    OUTPUTS,
    cases,
    clipped_client_by_client,
    crowd_of,
    network,
)

ROUNDING = 1e-12
on_a_grid = st.integers(-16, 16).map(lambda i: i / 8)
anywhere = st.floats(-10, 10, width=32)
objectives = pytest.mark.parametrize("objective", Objective)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@given(case=cases(entries=on_a_grid), clip_norm=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_the_sum_is_that_of_a_loop_over_clients(case: Case, clip_norm: float) -> None:
    np.testing.assert_allclose(
        clipped_gradient_sum(*case, clip_norm),
        clipped_client_by_client(*case, clip_norm),
        rtol=1e-4,
        atol=1e-5 * clip_norm,
    )


@objectives
@pytest.mark.parametrize("hidden", [(), (8, 4)])
@pytest.mark.parametrize("clip_norm", [0.1, 100.0])
def test_the_sum_of_a_crowd_is_that_of_a_loop_too(
    objective: Objective, hidden: tuple[int, ...], clip_norm: float
) -> None:
    case = crowd_of(objective, 150, hidden)
    np.testing.assert_allclose(
        clipped_gradient_sum(*case, clip_norm),
        clipped_client_by_client(*case, clip_norm),
        rtol=1e-4,
        atol=1e-5 * clip_norm,
    )


@given(case=cases(smallest=1, entries=anywhere), clip_norm=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_one_client_moves_the_sum_by_its_own_clipped_gradient(case: Case, clip_norm: float) -> None:
    architecture, weights, features, labels = case
    whole = clipped_gradient_sum(*case, clip_norm)
    rest = clipped_gradient_sum(architecture, weights, features[1:], labels[1:], clip_norm)
    alone = clipped_gradient_sum(architecture, weights, features[:1], labels[:1], clip_norm)
    assert np.linalg.norm(alone) <= clip_norm * (1 + ROUNDING)
    assert np.linalg.norm(whole - rest - alone) <= ROUNDING * clip_norm


@objectives
@pytest.mark.parametrize("hidden", [(), (256, 256)])
def test_the_largest_weights_and_features_overflow_nothing(
    objective: Objective, hidden: tuple[int, ...]
) -> None:
    architecture = network(objective, hidden)
    signs = np.where(np.arange(size(architecture)) % 3 == 0, -1.0, 1.0)
    for sign in (-1, 1):
        features = np.full((2, 3), np.finfo(np.float32).max, np.float32)
        total = clipped_gradient_sum(
            architecture, sign * LARGEST * signs, features, np.ones(2, np.float32), 1.0
        )
        assert np.linalg.norm(total) <= 2 * (1 + ROUNDING)


@objectives
@pytest.mark.parametrize("clip_norm", [1.0, 1e-39, 1e-310])
def test_a_gradient_below_the_normal_floats_is_added_and_clipped(
    objective: Objective, clip_norm: float
) -> None:
    """The first layer's gradient is subnormal, since the second one's weights are."""
    architecture = network(objective, (1,), inputs=1)
    weights = np.full(size(architecture), 0.0)
    weights[0], weights[2 : 2 + OUTPUTS[objective]] = 1.0, 1e-40
    features, labels = np.array([[1e-3], [1.0]], np.float32), np.zeros(2, np.float32)
    expected = clipped_client_by_client(architecture, weights, features, labels, clip_norm)
    found = clipped_gradient_sum(architecture, weights, features, labels, clip_norm)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-44)
    assert np.abs(found).max() > 0


def test_a_gradient_of_zero_stays_zero() -> None:
    for objective, label in [(Objective.COUNT, 1.0), (Objective.AMOUNT, 0.0)]:
        architecture = network(objective)
        zeros, labels = np.zeros((4, 3), np.float32), np.full(4, label, np.float32)
        total = clipped_gradient_sum(architecture, np.zeros(4), zeros, labels, 1.0)
        assert total.tolist() == [0.0] * 4


@objectives
@pytest.mark.parametrize("threads", [1, 2])
def test_the_numbers_of_a_client_depend_on_nobody_else(objective: Objective, threads: int) -> None:
    with torch_threads(threads):
        for hidden in ((), (16,)):
            architecture = network(objective, hidden, inputs=20)
            assert is_even(product_for(architecture), architecture)


BAD = {
    Objective.BINARY: [0.5, -1.0, 2.0],
    Objective.MULTICLASS: [0.5, -1.0, 4.0],
    Objective.ORDINAL: [0.5, -1.0, 4.0],
    Objective.COUNT: [0.5, -1.0, 2.0 * MAX_COUNT],
    Objective.AMOUNT: [1.01, -1.01],
}


@pytest.mark.parametrize(
    ("objective", "bad"),
    [
        (objective, bad)
        for objective, others in BAD.items()
        for bad in [*others, np.nan, np.inf, -np.inf]
    ],
)
def test_a_label_that_cannot_be_learned_is_refused_and_not_repeated(
    objective: Objective, bad: float
) -> None:
    architecture, weights, features, labels = crowd_of(objective, 30)
    labels[17] = bad
    with pytest.raises(LabelInvalid) as refusal:
        clipped_gradient_sum(architecture, weights, features, labels, 1.0)
    assert refusal.value.objective == objective
    said = str(refusal.value).replace(refusal.value.allowed, "")
    assert [word for word in ("17", "30", "nan", "inf", str(bad)) if word in said] == []


@objectives
def test_the_ends_of_the_range_are_labels(objective: Objective) -> None:
    ends = {Objective.BINARY: [0, 1], Objective.COUNT: [0, MAX_COUNT], Objective.AMOUNT: [-1, 1]}
    labels = np.array(ends.get(objective, [0, 3]), np.float32)
    check_labels(labels, objective=objective, outputs=OUTPUTS[objective])
    check_labels(labels[:0], objective=objective, outputs=OUTPUTS[objective])


@objectives
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused(objective: Objective, bad: float) -> None:
    architecture, _, features, labels = crowd_of(objective, 30)
    features[17, 3] = bad
    with pytest.raises(NotFinite):
        clipped_sum_over(features, labels, architecture=architecture, clip_norm=1.0)


@pytest.mark.parametrize(
    ("objective", "outputs"),
    [
        (Objective.BINARY, 2),
        (Objective.COUNT, 2),
        (Objective.AMOUNT, 3),
        (Objective.MULTICLASS, 1),
        (Objective.ORDINAL, 0),
        (Objective.ORDINAL, True),
    ],
)
def test_outputs_that_the_objective_cannot_have_are_refused(
    objective: Objective, outputs: int
) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        Architecture(inputs=3, objective=objective, outputs=outputs)
    assert refusal.value.name == "outputs"


def test_too_many_classes_are_refused() -> None:
    Architecture(inputs=3, objective=Objective.MULTICLASS, outputs=MAX_OUTPUTS)
    with pytest.raises(TooLarge):
        Architecture(inputs=3, objective=Objective.MULTICLASS, outputs=MAX_OUTPUTS + 1)
