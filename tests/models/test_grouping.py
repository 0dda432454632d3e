"""A client of several rows: summed first, then clipped, and it moves the sum no further than C."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.architectures import Architecture
from models.bookkeeping import SPREAD
from models.errors import TooManyRows, WrongShape
from models.evenness import TILE
from models.gradients import clipped_sum_over
from models.grouping import ABSENT, SLOTS, members_of
from models.objectives import Objective
from models.packing import LARGEST
from models.threads import torch_threads
from tests.models.gradient_cases import Case
from tests.models.objective_cases import cases, clipped_client_by_client, crowd_of

ROUNDING = 1e-11
ONE_ROW_EACH = st.integers(-16, 16).map(lambda i: i / 8)
numbers = st.lists(st.integers(-3, 4), max_size=60).map(lambda some: np.array(some, np.int32))
GroupedSum = Callable[[Case, np.ndarray, float], np.ndarray]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


def grouped_sum(case: Case, clients: np.ndarray, clip_norm: float) -> np.ndarray:
    architecture, weights, features, labels = case
    return clipped_sum_over(
        features, labels, architecture=architecture, clip_norm=clip_norm, clients=clients
    )(weights)


def only(case: Case, rows: np.ndarray) -> Case:
    architecture, weights, features, labels = case
    return architecture, weights, features[rows], labels[rows]


def some_clients(n: int, most: int) -> np.ndarray:
    """Clients of about two rows each, in no order; number 0 has about as many as are wanted."""
    part = torch.rand(n, generator=torch.Generator().manual_seed(n)).numpy()
    clients = (part * n / 2).astype(np.int32)
    clients[clients < most // 2] = 0
    return clients


@given(clients=numbers)
def test_every_row_is_in_its_clients_place_once_and_in_order(clients: np.ndarray) -> None:
    tables = members_of(clients, len(clients))
    rows = [[row for row in member if row != ABSENT] for table in tables for member in table]
    assert sorted(row for client in rows for row in client) == list(range(len(clients)))
    for client in rows:
        assert client == np.flatnonzero(clients == clients[client[0]]).tolist()
    for table in tables:
        slots = table.shape[1]
        room = [smaller for smaller in (0, *SLOTS) if smaller < slots][-1]
        assert ((table != ABSENT).sum(axis=1) > room).all()


def test_the_slots_fill_a_block_without_an_edge() -> None:
    assert [slots for slots in range(1, TILE + 1) if TILE % slots == 0] == list(SLOTS)


@st.composite
def grouped(draw: st.DrawFn, entries: st.SearchStrategy[float]) -> tuple[Case, np.ndarray]:
    case = draw(cases(smallest=1, entries=entries))
    some = st.lists(st.integers(0, 3), min_size=len(case[3]), max_size=len(case[3]))
    return case, np.array(draw(some), np.int32)


@given(pair=grouped(ONE_ROW_EACH), clip_norm=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_the_sum_is_that_of_a_loop_over_clients(
    pair: tuple[Case, np.ndarray], clip_norm: float
) -> None:
    case, clients = pair
    np.testing.assert_allclose(
        grouped_sum(case, clients, clip_norm),
        clipped_client_by_client(*case, clip_norm, clients=clients),
        rtol=1e-5,
        atol=2e-5 * clip_norm,
    )


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("clip_norm", [0.1, 100.0])
def test_the_sum_of_a_crowd_is_that_of_a_loop_too(objective: Objective, clip_norm: float) -> None:
    case, clients = crowd_of(objective, 150, (8, 4)), some_clients(150, 30)
    assert np.bincount(clients).max() > 20
    np.testing.assert_allclose(
        grouped_sum(case, clients, clip_norm),
        clipped_client_by_client(*case, clip_norm, clients=clients),
        rtol=1e-4,
        atol=1e-5 * clip_norm,
    )


def test_a_client_of_the_most_rows_is_summed_too() -> None:
    case, clients = crowd_of(Objective.BINARY, 100, (8,)), np.repeat([7, 8], [96, 4])
    np.testing.assert_allclose(
        grouped_sum(case, clients, 0.1),
        clipped_client_by_client(*case, 0.1, clients=clients),
        rtol=1e-4,
    )


def test_clients_of_one_row_are_what_no_clients_at_all_are() -> None:
    case = crowd_of(Objective.BINARY, 1000, (8,))
    architecture, weights, features, labels = case
    alone = clipped_sum_over(features, labels, architecture=architecture, clip_norm=1.0)(weights)
    assert grouped_sum(case, np.arange(1000, dtype=np.int32), 1.0).tobytes() == alone.tobytes()


def largest_moves(
    gradient_sum: GroupedSum, case: Case, clients: np.ndarray, clip_norm: float
) -> tuple[float, float]:
    """How far the sum, and the sum of the others, move when a client leaves; in clip norms."""
    whole = gradient_sum(case, clients, clip_norm)
    moves, shifts = [], []
    for client in np.unique(clients):
        rest = gradient_sum(only(case, clients != client), clients[clients != client], clip_norm)
        alone = gradient_sum(only(case, clients == client), clients[clients == client], clip_norm)
        moves.append(float(np.linalg.norm(whole - rest)) / clip_norm)
        shifts.append(float(np.linalg.norm(whole - rest - alone)) / clip_norm)
    return max(moves), max(shifts)


@given(pair=grouped(st.floats(-10, 10, width=32)), clip_norm=st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=50)
def test_a_client_with_all_its_rows_moves_the_sum_by_at_most_the_clip_norm(
    pair: tuple[Case, np.ndarray], clip_norm: float
) -> None:
    move, shift = largest_moves(grouped_sum, *pair, clip_norm)
    assert move <= 1 + 1e-8
    assert shift <= ROUNDING


@pytest.mark.parametrize("hidden", [(), (64, 32)])
def test_the_others_stay_in_place_in_a_crowd_that_fills_several_blocks(
    hidden: tuple[int, ...],
) -> None:
    case, clients = crowd_of(Objective.BINARY, 6000, hidden), some_clients(6000, 60)
    whole, largest = grouped_sum(case, clients, 0.01), int(np.bincount(clients).argmax())
    for client in (0, largest, int(clients[0])):
        rest = grouped_sum(only(case, clients != client), clients[clients != client], 0.01)
        alone = grouped_sum(only(case, clients == client), clients[clients == client], 0.01)
        assert np.linalg.norm(alone) <= 0.01 * (1 + 1e-8)
        assert np.linalg.norm(whole - rest - alone) <= 0.01 * 1e-9


def row_by_row(case: Case, _clients: np.ndarray, clip_norm: float) -> np.ndarray:
    return grouped_sum(case, np.arange(len(case[3]), dtype=np.int32), clip_norm)


def without_what_rows_have_in_common(
    case: Case, clients: np.ndarray, clip_norm: float
) -> np.ndarray:
    """The squared norms of the rows are added, as if their gradients stood at right angles."""
    rows = [
        grouped_sum(only(case, np.array([row])), clients[[row]], 1e9) for row in range(len(clients))
    ]
    total = np.zeros(len(case[1]))
    for client in np.unique(clients):
        own = [row for row, number in zip(rows, clients, strict=True) if number == client]
        norm = np.sqrt(sum(row @ row for row in own))
        total += np.sum(own, axis=0) * min(1.0, clip_norm / norm)
    return total


@pytest.mark.parametrize("saboteur", [row_by_row, without_what_rows_have_in_common])
def test_the_neighbor_check_rejects_a_clip_that_is_not_the_clients(saboteur: GroupedSum) -> None:
    case, clients = crowd_of(Objective.BINARY, 30, (8,)), some_clients(30, 6)
    assert largest_moves(grouped_sum, case, clients, 0.1)[0] <= 1 + 1e-8
    assert largest_moves(saboteur, case, clients, 0.1)[0] > 1.1


def opposed(clients: int) -> tuple[Case, np.ndarray]:
    """Clients of two rows each whose gradients are 10^5 clip norms and all but cancel."""
    ends = np.linspace(0.1, 1.0, clients).astype(np.float32)
    labels = np.stack([ends, np.float32(2**-20) - ends], axis=1).reshape(-1)
    features = np.full((2 * clients, 3), LARGEST, np.float32)
    case = Architecture(inputs=3, objective=Objective.AMOUNT), np.zeros(4), features, labels
    return case, np.repeat(np.arange(clients), 2)


def in_full(case: Case, clients: np.ndarray, clip_norm: float) -> np.ndarray:
    """The rows of a client are added to the sum with the factor of their sum alone."""
    architecture, weights, features, labels = case
    total = np.zeros(len(weights))
    for client in np.unique(clients):
        own = [
            clipped_client_by_client(architecture, weights, features[[row]], labels[[row]], 1e30)
            for row in np.flatnonzero(clients == client)
        ]
        factor = min(1.0, clip_norm / float(np.linalg.norm(np.sum(own, axis=0))))
        for row in own:
            total += factor * row
    return total


def test_rows_that_cancel_each_other_leave_no_rounding_behind() -> None:
    case, clients = opposed(12)
    assert largest_moves(grouped_sum, case, clients, 1.0)[1] <= ROUNDING
    assert largest_moves(in_full, case, clients, 1.0)[1] > ROUNDING


def test_rows_that_cancel_each_other_count_as_spread() -> None:
    case, clients = opposed(1)
    apart = sum(np.linalg.norm(grouped_sum(only(case, [row]), clients[:1], 1e30)) for row in (0, 1))
    joined = np.linalg.norm(grouped_sum(case, clients, 1e30))
    assert joined < apart / SPREAD
    found = np.linalg.norm(grouped_sum(case, clients, 1.0))
    assert found == pytest.approx(joined / (apart / SPREAD), rel=1e-6)


def test_a_client_of_too_many_rows_is_refused_and_not_named() -> None:
    case, clients = crowd_of(Objective.BINARY, 120), np.repeat([31, 77], [97, 23])
    with pytest.raises(TooManyRows) as refusal:
        grouped_sum(case, clients, 1.0)
    assert refusal.value.limit == 96
    assert not {"31", "97"} & set(str(refusal.value).replace(":", "").split())


def test_clients_that_do_not_fit_the_rows_are_refused() -> None:
    case = crowd_of(Objective.BINARY, 12)
    for shape in ((11,), (12, 1), ()):
        with pytest.raises(WrongShape):
            grouped_sum(case, np.zeros(shape, np.int32), 1.0)


def test_no_clients_sum_to_zero() -> None:
    case = only(crowd_of(Objective.BINARY, 3, (8,)), np.zeros(0, np.int64))
    assert not grouped_sum(case, np.zeros(0, np.int32), 1.0).any()
