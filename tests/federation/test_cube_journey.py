import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from federation.alignment import read_tokens
from federation.cube_layout import sensitivity, standard_error
from federation.errors import DepartmentRefused, PlanInvalid, ProtocolError
from federation.messages import Answer
from federation.rounds import Leg
from privacy.bounds import TABLE_SCALE
from privacy.mechanisms import draw_noise
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


def lists_seen(firm: Any, plan: Any, **changes: Any) -> dict[str, set[bytes]]:
    """Return the tokens that the coordinator sees, by department, and check the cube they give."""
    seen: dict[str, set[bytes]] = {}

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        answers = firm.exchange(leg)
        if next(iter(leg.asks.values())).leg == "tokens":
            for department, answer in answers.items():
                table = read_tokens(answer.payload)
                seen[department] = {row.tobytes() for row in table}
                assert len(seen[department]) == len(table)
        return answers

    np.testing.assert_array_equal(released(firm, plan, exchange, **changes), plain_join(firm, plan))
    return seen


def test_a_padded_cube_is_the_same_and_its_lists_have_one_public_length(firm: Any) -> None:
    silence(firm)
    plain, padded = cube_plan(firm), cube_plan(firm, padded=True)
    open_lists, lists = lists_seen(firm, plain), lists_seen(firm, padded)
    assert {len(each) for each in lists.values()} == {padded.listed}
    assert len({len(each) for each in open_lists.values()}) > 1  # the saboteur: no padding
    for a, b in (("advisory", "research"), ("advisory", "risk"), ("research", "risk")):
        true, told = len(open_lists[a] & open_lists[b]), len(lists[a] & lists[b])
        assert true <= told < true + 2 * padded.window
        assert told != true
    assert lists_seen(firm, padded, attempt=1) == lists  # nothing to average out


def test_a_padded_department_that_sends_fewer_tokens_is_refused(firm: Any) -> None:
    exchange = replaced(firm, "tokens", "risk", lambda payload: payload[16:])
    with pytest.raises(ProtocolError, match="more or fewer"):
        released(firm, cube_plan(firm, padded=True), exchange)


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


def test_a_level_raised_between_tokens_and_matrices_opens_nothing_yet(firm: Any) -> None:
    silence(firm)
    plan = cube_plan(firm)
    before = plain_join(firm, plan)

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        answers = firm.exchange(leg)
        if next(iter(leg.asks.values())).leg == "tokens":
            firm.levels |= dict.fromkeys(firm.levels, 4)
            firm.epoch += 1
        return answers

    np.testing.assert_array_equal(released(firm, plan, exchange), before)


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


def noise_is_whole(firm: Any, plan: Any, *, attempt: int) -> bool:
    """Whether a cube is the plain join plus one full share of noise from every department."""
    drawn: dict[str, Any] = {}
    sigma = round(standard_error(plan) * TABLE_SCALE / math.sqrt(len(plan.cohort)))
    for department, node in firm.nodes.items():

        def kept(width: int, size: int, department: str = department) -> Any:
            drawn[department] = draw_noise(width, size)
            return drawn[department] if width == sigma else drawn[department] * 0

        if node.noise is not spared:
            object.__setattr__(node, "noise", kept)
    noise = (released(firm, plan, attempt=attempt) - plain_join(firm, plan)) * TABLE_SCALE
    return set(drawn) == set(plan.cohort) and np.allclose(noise, sum(drawn.values()), rtol=1e-9)


def spared(_sigma: int, size: int) -> Any:
    return np.zeros(size, np.int64)


def test_a_cube_is_the_join_and_the_noise_of_every_department(firm: Any) -> None:
    plan = cube_plan(firm, rho=0.5)
    assert noise_is_whole(firm, plan, attempt=0)
    object.__setattr__(firm.nodes["risk"], "noise", spared)  # the saboteur: a share is missing
    assert not noise_is_whole(firm, plan, attempt=1)


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
    with pytest.raises(ProtocolError, match="more or fewer"):
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
