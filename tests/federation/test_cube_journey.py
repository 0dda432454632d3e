import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from federation.cube_layout import cube_layout, sensitivity, standard_error
from federation.errors import DepartmentRefused, PlanInvalid, ProtocolError
from federation.messages import Answer
from federation.rounds import Leg
from privacy.bounds import TABLE_SCALE
from tests.federation.cube_cases import SOURCES, cube_plan, plain_join, released, silence

TWO = {"age": "advisory", "defaulted": "risk", "education": "risk"}


def replaced(firm: Any, leg: str, department: str, payload: Any) -> Any:
    """Carry legs honestly, but change what one department answers in one leg."""

    def exchange(asked: Leg) -> Mapping[str, Answer]:
        answers = dict(firm.exchange(asked))
        if next(iter(asked.asks.values())).leg == leg:
            changed = payload(answers[department].payload)
            answers[department] = answers[department].model_copy(update={"payload": changed})
        return answers

    return exchange


def test_a_cube_without_noise_is_the_plain_join(firm: Any) -> None:
    silence(firm)
    plan = cube_plan(firm)
    expected = plain_join(firm, plan)
    assert expected.max() > 5
    np.testing.assert_array_equal(released(firm, plan), expected)


def test_many_parts_add_up_to_the_same_cube(firm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("federation.cube_plan.PART_ROWS", 300)
    silence(firm)
    plan = cube_plan(firm)
    assert plan.legs["matrices"] == 4
    np.testing.assert_array_equal(released(firm, plan), plain_join(firm, plan))


def test_two_departments_of_three_are_joined_with_the_third_as_dealer(firm: Any) -> None:
    silence(firm)
    plan = cube_plan(firm, sources=TWO, dealer="research")
    asked: list[tuple[str, str]] = []

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        asked.extend((d, ask.leg) for d, ask in leg.asks.items())
        return firm.exchange(leg)

    np.testing.assert_array_equal(released(firm, plan, exchange), plain_join(firm, plan))
    assert [leg for d, leg in asked if d == "research"] == ["matrices"]


def test_the_dealer_opens_no_row(firm: Any) -> None:
    (firm.folder / "research" / "data" / "clients.parquet").unlink()
    silence(firm)
    plan = cube_plan(firm, sources=TWO, dealer="research")
    np.testing.assert_array_equal(released(firm, plan), plain_join(firm, plan))


def test_a_level_lowered_between_tokens_and_matrices_is_honored(firm: Any) -> None:
    silence(firm)
    plan = cube_plan(firm)
    before = plain_join(firm, plan)

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        answers = firm.exchange(leg)
        if next(iter(leg.asks.values())).leg == "tokens":
            lowered = [c for c, level in firm.levels.items() if level == 4][:9]
            firm.levels |= dict.fromkeys(lowered[:5], 1) | dict.fromkeys(lowered[5:], 0)
            firm.epoch += 1
        return answers

    found = released(firm, plan, exchange)
    np.testing.assert_array_equal(found, plain_join(firm, plan))
    assert found.sum() < before.sum()


def furthest_neighbor(firm: Any, plan: Any) -> float:
    """Run the whole protocol with and without some clients; return the largest L2 distance."""
    silence(firm)
    whole = released(firm, plan)
    full = {d: dict(rows) for d, rows in firm.rows.items()}
    moved = 0.0
    # known to all with everything open, to two, to one; some fields absent; nothing open
    for attempt, client in enumerate(["CL00069", "CL00004", "CL00001", "CL00039", "CL00120"], 1):
        for department, rows in full.items():
            firm.write(department, {c: r for c, r in rows.items() if c != client})
        without = released(firm, plan, attempt=attempt)
        moved = max(moved, float(np.linalg.norm(whole - without)))
    return moved * TABLE_SCALE


def test_no_client_moves_a_cube_further_than_declared_and_one_goes_that_far(firm: Any) -> None:
    plan = cube_plan(firm)
    moved = furthest_neighbor(firm, plan)
    assert moved <= sensitivity(plan)
    assert moved > 0.999 * sensitivity(plan)  # the client with every field open
    too_small = math.sqrt(len(plan.sources)) * TABLE_SCALE  # the saboteur: one table a field
    assert not moved <= too_small


def noise_ratio(firm: Any, plan: Any, **changes: Any) -> float:
    """Variance of a cube's noise, in units of what the plan states."""
    noise = released(firm, plan, **changes) - plain_join(firm, plan)
    return float(np.mean(noise**2) / standard_error(plan) ** 2)


def within(ratios: list[float], cells: int) -> bool:
    """A mean of squares of normals is within 6.2 of its deviations, but once in 1e9."""
    return abs(float(np.mean(ratios)) - 1) < 6.2 * math.sqrt(2 / (cells * len(ratios)))


@pytest.mark.statistical
def test_a_cube_carries_the_noise_it_states(firm: Any) -> None:
    plan = cube_plan(firm, rho=0.5)
    cells = cube_layout(plan, firm.catalogue).cells
    assert within([noise_ratio(firm, plan, attempt=number) for number in range(40)], cells)
    object.__setattr__(  # the saboteur: one department leaves its share out
        firm.nodes["risk"], "noise", lambda _sigma, size: np.zeros(size, np.int64)
    )
    assert not within([noise_ratio(firm, plan, attempt=n) for n in range(40, 80)], cells)


def test_two_cubes_at_once_do_not_mix(firm: Any) -> None:
    silence(firm)
    first, second = cube_plan(firm), cube_plan(firm, rho=7.0)
    results: list[Any] = []

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        if next(iter(leg.asks.values())).leg == "matrices" and not results:
            results.append(released(firm, second))
        return firm.exchange(leg)

    results.append(released(firm, first, exchange))
    for found in results:
        np.testing.assert_array_equal(found, plain_join(firm, first))


def test_tokens_sent_twice_are_refused(firm: Any) -> None:
    exchange = replaced(firm, "tokens", "risk", lambda payload: payload + payload[:16])
    with pytest.raises(ProtocolError, match="twice"):
        released(firm, cube_plan(firm), exchange)


def test_more_tokens_than_the_plan_allows_are_refused(firm: Any) -> None:
    many = np.arange(16 * 1025, dtype=np.uint32).astype("<u4").view(np.uint8)[: 16 * 1025]
    exchange = replaced(firm, "tokens", "risk", lambda _payload: many.tobytes())
    with pytest.raises(ProtocolError, match="more tokens"):
        released(firm, cube_plan(firm), exchange)


@pytest.mark.parametrize("leg", ["matrices", "shares"])
def test_a_department_that_answers_with_another_length_is_refused(firm: Any, leg: str) -> None:
    silence(firm)
    exchange = replaced(firm, leg, "risk", lambda payload: payload[:-8])
    with pytest.raises(ProtocolError, match="another length"):
        released(firm, cube_plan(firm), exchange)


def test_an_altered_envelope_does_not_open(firm: Any) -> None:
    flipped = replaced(
        firm, "matrices", "risk", lambda payload: bytes([payload[0] ^ 1]) + payload[1:]
    )
    with pytest.raises(DepartmentRefused, match="does not open"):
        released(firm, cube_plan(firm), flipped)
    assert firm.traces("advisory")[2] == 0.0  # given back: no noise was drawn


def test_envelopes_of_another_plan_do_not_open(firm: Any) -> None:
    kept: list[bytes] = []
    first = replaced(firm, "matrices", "risk", lambda p: kept.append(p) or p)
    silence(firm)
    released(firm, cube_plan(firm), first)
    other = replaced(firm, "matrices", "risk", lambda _payload: kept[0])
    with pytest.raises(DepartmentRefused, match="does not open"):
        released(firm, cube_plan(firm, rho=7.0), other)


def test_a_firm_with_more_clients_than_planned_for_is_refused(make_firm: Any) -> None:
    firm = make_firm(2200, levels=lambda _number: 4)
    with pytest.raises((DepartmentRefused, PlanInvalid), match="more clients"):
        released(firm, cube_plan(firm, sources=SOURCES))
