import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.log_errors import NotInLog, ProofInvalid
from consent.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Node,
    Range,
    consistency_ranges,
    frontier_root,
    grow,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    nodes,
    range_root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/rfc9162_merkle.json").read_text())
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in VECTORS["leaves"]]
SIZES = st.integers(1, 70)


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


# The definition, word by word: the slow twin every other function is held against.


def naive_root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    middle = largest_power_below(len(leaves))
    return node_hash(naive_root(leaves[:middle]), naive_root(leaves[middle:]))


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = largest_power_below(len(leaves))
    if index < middle:
        return [*naive_path(index, leaves[:middle]), naive_root(leaves[middle:])]
    return [*naive_path(index - middle, leaves[middle:]), naive_root(leaves[:middle])]


def naive_subproof(first: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [naive_root(leaves)]
    middle = largest_power_below(len(leaves))
    if first <= middle:
        below = naive_subproof(first, leaves[:middle], whole=whole)
        return [*below, naive_root(leaves[middle:])]
    below = naive_subproof(first - middle, leaves[middle:], whole=False)
    return [*below, naive_root(leaves[:middle])]


def largest_power_below(size: int) -> int:
    power = 1
    while 2 * power < size:
        power *= 2
    return power


def known_hashes(leaves: Sequence[bytes]) -> dict[Node, bytes]:
    return {
        Node(last, start // HASH_BYTES): joined[start : start + HASH_BYTES]
        for last, joined in enumerate(grow(0, [], leaves)[0])
        for start in range(0, len(joined), HASH_BYTES)
    }


def proof(ranges: Sequence[Range], leaves: Sequence[bytes]) -> list[bytes]:
    known = known_hashes(leaves)
    return [range_root(each, known) for each in ranges]


# Published vectors


def test_the_empty_tree_has_the_published_root() -> None:
    assert EMPTY_ROOT.hex() == VECTORS["roots"][0]
    assert frontier_root([]) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_published_roots(size: int) -> None:
    _, frontier = grow(0, [], LEAVES[:size])
    assert frontier_root(frontier).hex() == VECTORS["roots"][size]


@pytest.mark.parametrize("case", VECTORS["inclusion"])
def test_published_inclusion_proofs(case: dict[str, int | list[str]]) -> None:
    index, size = case["index"], case["size"]
    assert isinstance(index, int)
    assert isinstance(size, int)
    found = proof(inclusion_ranges(index, size), LEAVES)
    assert [each.hex() for each in found] == case["proof"]
    verify_inclusion(LEAVES[index], index, size, found, bytes.fromhex(VECTORS["roots"][size]))


@pytest.mark.parametrize("case", VECTORS["consistency"])
def test_published_consistency_proofs(case: dict[str, int | list[str]]) -> None:
    first, second = case["first"], case["second"]
    assert isinstance(first, int)
    assert isinstance(second, int)
    found = proof(consistency_ranges(first, second), LEAVES)
    assert [each.hex() for each in found] == case["proof"]
    old, new = (bytes.fromhex(VECTORS["roots"][size]) for size in (first, second))
    verify_consistency(first, second, found, old, new)


# Against the definition


@given(size=st.integers(0, 70), first=st.integers(0, 70))
def test_growing_in_two_steps_is_growing_in_one(size: int, first: int) -> None:
    leaves, first = leaves_of(size), min(first, size)
    known, frontier = grow(0, [], leaves[:first])
    more, frontier = grow(first, frontier, leaves[first:])
    assert known + more == grow(0, [], leaves)[0]
    assert len(known + more) == size
    assert frontier_root(frontier) == naive_root(leaves)


@given(size=SIZES, data=st.data())
def test_inclusion_proofs_are_the_definitions(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    found = proof(inclusion_ranges(index, size), leaves)
    assert found == naive_path(index, leaves)
    verify_inclusion(leaves[index], index, size, found, naive_root(leaves))


@given(second=SIZES, data=st.data())
def test_consistency_proofs_are_the_definitions(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    leaves = leaves_of(second)
    found = proof(consistency_ranges(first, second), leaves)
    assert found == naive_subproof(first, leaves, whole=True)
    verify_consistency(first, second, found, naive_root(leaves[:first]), naive_root(leaves))


@given(size=SIZES, data=st.data())
def test_every_range_is_made_of_hashes_that_are_known(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    for each in [Range(0, size), *inclusion_ranges(index, size)]:
        assert set(nodes(each)) <= known_hashes(leaves_of(size)).keys()
        found = range_root(each, known_hashes(leaves_of(size)))
        assert found == naive_root(leaves_of(size)[each.begin : each.end])


# What must not pass


@given(size=SIZES, data=st.data())
def test_a_leaf_is_proved_nowhere_else(size: int, data: st.DataObject) -> None:
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    leaves = leaves_of(size)
    found, root = naive_path(index, leaves), naive_root(leaves)
    if other != index:
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaves[index], other, size, found, root)
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaves[other], index, size, found, root)


@given(second=st.integers(2, 70), data=st.data())
def test_a_rewritten_tree_is_not_consistent(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second - 1))
    edited = data.draw(st.integers(0, first - 1))
    leaves = leaves_of(second)
    rewritten = [*leaves[:edited], leaf_hash(b"edited"), *leaves[edited + 1 :]]
    found = naive_subproof(first, rewritten, whole=True)
    with pytest.raises(ProofInvalid):
        verify_consistency(first, second, found, naive_root(leaves[:first]), naive_root(rewritten))


Change = Callable[[list[bytes]], list[bytes]]
CHANGES: dict[str, Change] = {
    "one hash more": lambda found: [*found, b"\x00" * 32],
    "one hash less": lambda found: found[:-1],
    "a short hash": lambda found: [*found[:-1], b"\x00" * 31],
    "a flipped bit": lambda found: [bytes([found[0][0] ^ 1]) + found[0][1:], *found[1:]],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@given(size=st.integers(3, 70), data=st.data())
def test_a_changed_proof_is_refused(change: Change, size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    root = naive_root(leaves)
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    with pytest.raises(ProofInvalid):
        verify_inclusion(leaves[index], index, size, change(naive_path(index, leaves)), root)
    changed = change(naive_subproof(first, leaves, whole=True))
    with pytest.raises(ProofInvalid):
        verify_consistency(first, size, changed, naive_root(leaves[:first]), root)


def test_a_node_does_not_pass_for_a_leaf() -> None:
    left, right = LEAVES[0], LEAVES[1]
    with pytest.raises(ProofInvalid):
        verify_inclusion(leaf_hash(left + right), 0, 1, [], node_hash(left, right))


def test_every_tree_continues_the_empty_one_and_itself() -> None:
    root = naive_root(LEAVES)
    verify_consistency(0, 8, [], EMPTY_ROOT, root)
    verify_consistency(8, 8, [], root, root)
    for size, old in ((0, root), (8, EMPTY_ROOT)):
        with pytest.raises(ProofInvalid):
            verify_consistency(size, 8, [], old, root)
        with pytest.raises(ProofInvalid):
            verify_consistency(size, 8, [root], old, root)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (0, 2**63)])
def test_no_leaf_is_proved_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(NotInLog):
        inclusion_ranges(index, size)
    with pytest.raises(NotInLog):
        verify_inclusion(EMPTY_ROOT, index, size, [], EMPTY_ROOT)


@pytest.mark.parametrize(("first", "second"), [(-1, 3), (4, 3), (1, 2**63)])
def test_no_tree_continues_a_larger_one(first: int, second: int) -> None:
    with pytest.raises(NotInLog):
        consistency_ranges(first, second)
    with pytest.raises(NotInLog):
        verify_consistency(first, second, [], EMPTY_ROOT, EMPTY_ROOT)


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        grow(3, [LEAVES[0]], LEAVES)
