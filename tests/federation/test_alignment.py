import hmac
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.alignment import Tokens, owners, plan_key, row_places, tokens
from federation.errors import PlanInvalid, ProtocolError

VECTORS = Path(__file__).parents[1] / "vectors"
KEY = bytes(range(32))
DEPARTMENTS = ("advisory", "research", "risk")

client_ids = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=30)
# few values in the upper half, so that whole upper halves collide while the tokens differ
token = st.tuples(st.integers(0, 2), st.integers(0, 40)).map(
    lambda halves: halves[0].to_bytes(8, "big") + halves[1].to_bytes(8, "big")
)
token_sets = st.dictionaries(
    st.sampled_from((*DEPARTMENTS, "sales")), st.lists(token, unique=True, max_size=60), max_size=4
)


def table(rows: Sequence[bytes]) -> Tokens:
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 16)


def naive_owners(lists: Mapping[str, Sequence[bytes]]) -> dict[bytes, str]:
    holders: dict[bytes, list[str]] = {}
    for department in sorted(lists):
        for row in lists[department]:
            holders.setdefault(row, []).append(department)
    return {row: who[int.from_bytes(row[8:], "big") % len(who)] for row, who in holders.items()}


def owned(lists: Mapping[str, Sequence[bytes]]) -> dict[bytes, list[str]]:
    """Which departments are told that they own a token, by the code under test."""
    flags = owners({department: table(rows) for department, rows in lists.items()})
    told: dict[bytes, list[str]] = {row: [] for rows in lists.values() for row in rows}
    for department, rows in lists.items():
        for row, own in zip(rows, flags[department], strict=True):
            if own:
                told[row].append(department)
    return told


def test_hmac_gives_the_published_codes() -> None:
    for case in json.loads((VECTORS / "rfc4231_hmac_sha256.json").read_text())["cases"]:
        key, data = bytes.fromhex(case["key"]), bytes.fromhex(case["data"])
        size = len(case["mac"]) // 2  # the fifth case is truncated to 16 bytes, as tokens are
        assert hmac.digest(key, data, "sha256")[:size].hex() == case["mac"]


@settings(deadline=None)
@given(key=st.binary(min_size=32, max_size=32), ids=client_ids)
def test_tokens_are_truncated_hmacs_in_sorted_order(key: bytes, ids: list[str]) -> None:
    listed = tokens(key, ids)
    expected = [hmac.digest(key, client.encode(), "sha256")[:16] for client in ids]
    assert [row.tobytes() for row in listed.tokens] == sorted(expected)
    assert [expected[i] for i in listed.order] == sorted(expected)
    assert listed.tokens.shape == (len(ids), 16)


@settings(deadline=None)
@given(ids=client_ids, data=st.data())
def test_the_sent_order_does_not_depend_on_the_row_order(
    ids: list[str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(ids))
    assert (tokens(KEY, ids).tokens == tokens(KEY, shuffled).tokens).all()


@settings(deadline=None)
@given(ids=client_ids, data=st.data())
def test_flags_come_back_to_their_rows(ids: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    listed = tokens(KEY, ids)
    by_token = {
        hmac.digest(KEY, client.encode(), "sha256")[:16]: flag
        for client, flag in zip(ids, wanted, strict=True)
    }
    sent = np.array([by_token[row.tobytes()] for row in listed.tokens], dtype=np.bool_)
    assert listed.to_rows(sent).tolist() == wanted


def test_flags_for_other_tokens_are_refused() -> None:
    listed = tokens(KEY, ["a", "b"])
    for flags in (np.zeros(3, np.bool_), np.zeros((2, 1), np.bool_), np.zeros(2, np.uint8)):
        with pytest.raises(ProtocolError, match="one ownership flag"):
            listed.to_rows(flags)


def test_departments_agree_on_a_clients_token_and_nobody_else_does() -> None:
    mine, yours = tokens(KEY, ["client", "mine"]), tokens(KEY, ["yours", "client"])
    common = {row.tobytes() for row in mine.tokens} & {row.tobytes() for row in yours.tokens}
    assert common == {hmac.digest(KEY, b"client", "sha256")[:16]}
    without_key = tokens(bytes(32), ["client"])
    assert without_key.tokens.tobytes() not in common


def test_tokens_of_two_plans_cannot_be_linked_by_equality() -> None:
    first, second = (plan_key(KEY, bytes([n]) * 32) for n in (1, 2))
    ids = [f"client {i}" for i in range(1000)]
    rows = [{row.tobytes() for row in tokens(key, ids).tokens} for key in (first, second)]
    assert not rows[0] & rows[1]
    assert plan_key(KEY, bytes(32)) == plan_key(KEY, bytes(32)) != plan_key(bytes(32), bytes(32))


@pytest.mark.parametrize(("key", "plan"), [(b"", bytes(32)), (bytes(31), bytes(32)), (KEY, b"x")])
def test_keys_and_digests_of_another_length_are_refused(key: bytes, plan: bytes) -> None:
    with pytest.raises(ProtocolError, match="32 bytes"):
        plan_key(key, plan)


def test_a_token_key_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolError, match="32 bytes"):
        tokens(b"short", ["a"])


@pytest.mark.parametrize("ids", [["CANARY", "b", "CANARY"], ["CANARY", ""], ["CANARY\ud800"]])
def test_broken_ids_are_refused_without_being_quoted(ids: list[str]) -> None:
    with pytest.raises(ProtocolError) as refusal:
        tokens(KEY, ids)
    assert "CANARY" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_token_list_does_not_show_itself() -> None:
    assert repr(tokens(KEY, ["a"])) == "TokenList()"


@settings(deadline=None)
@given(lists=token_sets)
def test_every_token_has_exactly_one_owner_and_it_is_the_naive_one(
    lists: dict[str, list[bytes]],
) -> None:
    assert owned(lists) == {row: [owner] for row, owner in naive_owners(lists).items()}


@settings(deadline=None)
@given(lists=token_sets, data=st.data())
def test_owners_do_not_depend_on_the_sent_order(
    lists: dict[str, list[bytes]], data: st.DataObject
) -> None:
    shuffled = {d: data.draw(st.permutations(rows)) for d, rows in reversed(lists.items())}
    assert owned(shuffled) == owned(lists)


def rank_owners(lists: Mapping[str, Sequence[bytes]]) -> dict[bytes, list[str]]:
    """A saboteur: shares out by the token's rank among all, which everyone's presence shifts."""
    ranks = {row: i for i, row in enumerate(sorted({r for rows in lists.values() for r in rows}))}
    holders = {row: sorted(d for d, rows in lists.items() if row in rows) for row in ranks}
    return {row: [who[ranks[row] % len(who)]] for row, who in holders.items()}


def without(lists: Mapping[str, Sequence[bytes]], gone: bytes) -> dict[str, list[bytes]]:
    return {d: [row for row in rows if row != gone] for d, rows in lists.items()}


@settings(deadline=None)
@given(lists=token_sets.filter(lambda lists: any(lists.values())), data=st.data())
def test_removing_one_client_changes_no_other_clients_owner(
    lists: dict[str, list[bytes]], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted({row for rows in lists.values() for row in rows})))
    before = owned(lists)
    del before[gone]
    assert owned(without(lists, gone)) == before


def test_the_stability_test_catches_owners_by_rank() -> None:
    rows = [n.to_bytes(16, "big") for n in range(6)]
    lists = {"advisory": rows, "risk": rows}
    before = rank_owners(lists)
    del before[rows[0]]
    assert rank_owners(without(lists, rows[0])) != before


@settings(deadline=None)
@given(lists=token_sets.filter(lambda lists: any(lists.values())), data=st.data())
def test_one_client_moves_an_owned_count_by_one(
    lists: dict[str, list[bytes]], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted({row for rows in lists.values() for row in rows})))

    def counted(data: Mapping[str, Sequence[bytes]], *, owned_only: bool) -> int:
        flags = owners({d: table(rows) for d, rows in data.items()})
        return sum(int(f.sum()) if owned_only else f.size for f in flags.values())

    moved = counted(lists, owned_only=True) - counted(without(lists, gone), owned_only=True)
    holders = sum(gone in rows for rows in lists.values())
    unowned = counted(lists, owned_only=False) - counted(without(lists, gone), owned_only=False)
    assert moved == 1
    assert unowned == holders  # the saboteur: without owners one client moves k sums


def divided_evenly(flags: Mapping[str, npt.NDArray[np.bool_]]) -> bool:
    """Of 30,000 shared clients each of three owns a third, within 6.4 deviations: 5e-10 in all."""
    spread = 6.4 * (30_000 * (1 / 3) * (2 / 3)) ** 0.5
    return all(abs(int(own.sum()) - 10_000) < spread for own in flags.values())


@pytest.mark.statistical
def test_shared_clients_are_divided_evenly() -> None:
    key = plan_key(KEY, os.urandom(32))
    shared = tokens(key, [f"client {i}" for i in range(30_000)]).tokens
    assert divided_evenly(owners(dict.fromkeys(DEPARTMENTS, shared)))
    by_four = {d: shared[:, 15] % 4 == i for i, d in enumerate(DEPARTMENTS)}
    assert not divided_evenly(by_four)  # the saboteur: shares for a fourth who is not there


def test_a_token_sent_twice_is_refused() -> None:
    twice = table([bytes(16), bytes(15) + b"\x01", bytes(16)])
    for lists in ({"risk": twice}, {"advisory": twice[:2], "risk": twice}):
        with pytest.raises(ProtocolError, match="twice"):
            owners(lists)


@pytest.mark.parametrize(
    "broken",
    [
        np.zeros((2, 15), dtype=np.uint8),
        np.zeros(16, dtype=np.uint8),
        np.zeros((2, 16), dtype=np.int8),
        np.zeros((1, 1, 16), dtype=np.uint8),
    ],
)
def test_a_list_of_another_shape_is_refused_by_name(broken: Tokens) -> None:
    with pytest.raises(ProtocolError, match="tokens of risk"):
        owners({"risk": broken, "advisory": table([])})


def test_nobody_owns_nothing() -> None:
    assert owners({}) == {}
    flags = owners({"advisory": table([]), "risk": table([bytes(16)])})
    assert flags["advisory"].shape == (0,)
    assert flags["risk"].tolist() == [True]


def test_a_client_has_one_row_wherever_it_is_known() -> None:
    rows = {"advisory": [b"a", b"b", b"c"], "research": [b"c", b"d"], "risk": [b"b", b"c"]}
    lists = {d: table([r * 16 for r in each]) for d, each in rows.items()}
    places = row_places(lists, rows=50, shuffle=bytes(32))
    found: dict[bytes, set[int]] = {}
    for department, each in rows.items():
        for client, place in zip(each, places[department].tolist(), strict=True):
            found.setdefault(client, set()).add(place)
    assert all(len(one) == 1 for one in found.values())
    assert len(set.union(*found.values())) == 4
    other = row_places(lists, rows=50, shuffle=bytes(range(32)))
    assert any((places[d] != other[d]).any() for d in rows)


def test_tokens_that_share_a_first_half_are_told_apart_and_together() -> None:
    near = [bytes(8) + bytes([n]) * 8 for n in (3, 1, 2)]
    lists = {"advisory": table(near), "risk": table(near[::-1])}
    places = row_places(lists, rows=3, shuffle=bytes(32))
    assert places["advisory"].tolist() == places["risk"].tolist()[::-1]
    assert sorted(places["risk"].tolist()) == [0, 1, 2]
    owned = owners(lists)
    assert (owned["advisory"] ^ owned["risk"][::-1]).all()


def spread_evenly(places: npt.NDArray[np.uint32], rows: int) -> bool:
    """A uniform sample's mean is within 6.2 deviations of the middle but once in 1e9."""
    deviation = rows / (12 * len(places)) ** 0.5
    return abs(float(places.mean()) - (rows - 1) / 2) < 6.2 * deviation


@pytest.mark.statistical
def test_places_tell_a_department_nothing_of_the_others() -> None:
    low = table([bytes([0, n]) * 8 for n in range(200)])
    high = table([bytes([255, n]) * 8 for n in range(200)])
    lists = {"advisory": low, "risk": high}
    assert spread_evenly(row_places(lists, rows=400, shuffle=os.urandom(32))["advisory"], 400)
    in_order = np.arange(200, dtype=np.uint32)  # the saboteur: places in the order of the tokens
    assert not spread_evenly(in_order, 400)


def test_more_clients_than_rows_are_refused() -> None:
    lists = {"risk": table([bytes([n]) * 16 for n in range(4)])}
    with pytest.raises(PlanInvalid, match="more clients"):
        row_places(lists, rows=3, shuffle=bytes(32))
    with pytest.raises(ProtocolError, match="shuffle"):
        row_places(lists, rows=4, shuffle=b"")
