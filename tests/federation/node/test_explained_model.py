"""The guarantee of an explained model: a client moves all fields and the count jointly by <= Δ."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.evaluation_layout import evaluation_tables, join_payload
from federation.evaluation_plan import COUNT_WEIGHT, EvaluationPlan
from federation.node.admission import admit
from federation.node.evaluation_task import evaluation_sum
from federation.node.features import design
from federation.node.opening import opened
from federation.plans import read_plan
from federation.training_layout import architecture_of, feature_fields, field_slices
from models.architectures import size
from models.explain import attributions
from models.files import save
from privacy.bounds import bounded_gradient
from privacy.lattice import REAL_SCALE, truncate_to_lattice
from privacy.units import ContributionBound, PrivacyUnit

NOW = 1_800_000_000
Sums = npt.NDArray[np.int64]


@pytest.fixture
def model(tmp_path: Path, make_firm: Any) -> tuple[Any, bytes]:
    """A firm, and the file of a small network of age and education."""
    firm = make_firm(60, levels=lambda _number: 4)
    training = firm.plan(kind="training", features=("age", "education"), hidden=(4,))
    architecture = architecture_of(training, firm.catalogue)
    path = tmp_path / "m.safetensors"
    save(path, architecture, 3 * np.sin(np.arange(1.0, 1 + size(architecture))))
    return firm, path.read_bytes()


def planned(firm: Any, file: bytes, **changes: Any) -> EvaluationPlan:
    training = firm.plan(kind="training", features=("age", "education"), hidden=(4,))
    values = {
        "kind": "evaluation",
        "catalogue": firm.catalogue.digest(),
        "purpose": "review",
        "cohort": training.cohort,
        "training": training.model_dump(mode="json"),
        "run": "0123456789abcdef",
        "sha256": sha256(file).hexdigest(),
        "group": "education",
        "explain": True,
        "owned": False,
        "clip_norm": 0.5,
        "rho": 8.0,
        "reason": "a test",
    }
    plan = read_plan(values | changes)
    assert isinstance(plan, EvaluationPlan)
    return plan


def exact(firm: Any, plan: EvaluationPlan, file: bytes, attempt: int) -> Sums:
    """The cohort's sums before noise, in lattice points."""
    total = np.zeros(evaluation_tables(plan, firm.catalogue).size, dtype=np.int64)
    for department in plan.cohort:
        ask = firm.ask(plan, "sum", department, permit=firm.permit(plan, "sum", attempt=attempt))
        leg = admit(firm.nodes[department], ask, NOW)
        total += evaluation_sum(firm.nodes[department], leg, plan, join_payload(file, b"")).values
    return total


def moved(
    firm: Any, plan: EvaluationPlan, file: bytes, *, declared: EvaluationPlan | None = None
) -> list[float]:
    """How far, in sensitivities, the sums move when each of some clients leaves everywhere."""
    block = evaluation_tables(declared or plan, firm.catalogue)
    before = exact(firm, plan, file, 1000)
    distances = []
    for number, client in enumerate(("CL00001", "CL00006", "CL00009", "CL00030")):
        for department, rows in firm.rows.items():
            firm.write(department, {c: row for c, row in rows.items() if c != client})
        firm.epoch += 1
        after = exact(firm, plan, file, 2000 + number)
        distances.append(float(np.linalg.norm(before - after)) / block.sensitivity)
    return distances


@pytest.mark.parametrize("clip_norm", [0.01, 0.5, 100.0])
def test_removing_a_client_everywhere_moves_the_sums_by_at_most_their_sensitivity(
    model: tuple[Any, bytes], clip_norm: float
) -> None:
    firm, file = model
    distances = moved(firm, planned(firm, file, clip_norm=clip_norm), file)
    assert 0.3 < max(distances) <= 1  # a client that nobody clips adds less


def test_a_node_that_clips_to_another_norm_than_the_plan_s_breaks_the_bound(
    model: tuple[Any, bytes],
) -> None:
    firm, file = model
    plan = planned(firm, file)
    looser = planned(firm, file, clip_norm=100.0)
    assert max(moved(firm, looser, file, declared=plan)) > 1


def jointly(rows: npt.NDArray[np.float64], clip_norm: float) -> Sums:
    """One department's sums of rows that are clipped, with their count: as the node adds them."""
    norms = np.linalg.norm(rows, axis=1)
    clipped = rows * (clip_norm / np.maximum(norms, clip_norm))[:, None]
    weighed = np.full((len(rows), 1), COUNT_WEIGHT * clip_norm)
    points = truncate_to_lattice(np.hstack([clipped, weighed]), REAL_SCALE)
    return np.asarray(points.sum(axis=0))


def each_by_itself(rows: npt.NDArray[np.float64], clip_norm: float) -> Sums:
    """A saboteur, who clips every field by itself."""
    weighed = np.full((len(rows), 1), COUNT_WEIGHT * clip_norm)
    points = truncate_to_lattice(np.hstack([np.minimum(rows, clip_norm), weighed]), REAL_SCALE)
    return np.asarray(points.sum(axis=0))


def worst(sums: Callable[..., Sums], rows: npt.NDArray[np.float64], clip_norm: float) -> float:
    """How far, in sensitivities, the loss of any one row moves the sums."""
    declared = bounded_gradient(
        np.zeros(rows.shape[1] + 1),
        clip_norm=clip_norm * float(np.hypot(1, COUNT_WEIGHT)),
        unit=PrivacyUnit.CLIENT,
        bound=ContributionBound(1),
    ).sensitivity
    whole = sums(rows, clip_norm)
    without = (sums(np.delete(rows, at, axis=0), clip_norm) for at in range(len(rows)))
    return max(float(np.linalg.norm(whole - rest)) / declared for rest in without)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(st.floats(0, 1e6), min_size=4, max_size=4), min_size=1, max_size=6).map(
        np.array
    ),
    clip_norm=st.floats(2**-10, 100),
)
def test_no_client_however_extreme_moves_the_sums_further(
    rows: npt.NDArray[np.float64], clip_norm: float
) -> None:
    assert worst(jointly, rows, clip_norm) <= 1


def test_clipping_each_field_by_itself_is_not_enough() -> None:
    assert worst(each_by_itself, np.full((3, 4), 9.0), 1.0) > 1


def test_the_sums_are_the_local_explanations_of_the_same_clients(model: tuple[Any, bytes]) -> None:
    firm, file = model
    plan = planned(firm, file, clip_norm=100.0)
    sums = exact(firm, plan, file, 0).reshape(3, 3) / REAL_SCALE
    counts = sums[:, -1] / (COUNT_WEIGHT * 100.0)
    architecture = architecture_of(plan.training, firm.catalogue)
    weights = 3 * np.sin(np.arange(1.0, 1 + size(architecture)))
    expected, clients = np.zeros(2), 0
    for department in plan.cohort:
        ask = firm.ask(plan, "sum", department, permit=firm.permit(plan, "sum", attempt=1))
        leg = admit(firm.nodes[department], ask, NOW)
        records = opened(firm.nodes[department], leg)
        there = records.complete(("defaulted", "education"))
        rows = design(records.columns, feature_fields(plan.training, firm.catalogue))[there]
        shares = attributions(
            architecture, weights, rows, groups=field_slices(plan.training, firm.catalogue)
        )
        expected, clients = expected + np.abs(shares).sum(axis=0), clients + len(rows)
    np.testing.assert_allclose(sums[:, :-1].sum(axis=0), expected, atol=clients * 2.0**-19)
    assert counts.sum() == pytest.approx(clients)
    assert expected.min() > 1
