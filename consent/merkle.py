"""Merkle trees as RFC 9162 section 2.1 defines them: leaves, nodes, roots and proofs. Pure.

A leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right); the first byte keeps one
from passing for the other. All of it is public.

Only hashes of perfect subtrees are ever kept. Each becomes known with its last leaf and never
changes, so a log keeps them in that leaf's row, and a proof of a tree of n leaves reads about
2 log2 n rows at most. Level 0 is the leaves.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from consent.log_errors import NotInLog, ProofInvalid

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
LARGEST_TREE = 2**62
"""Most leaves: far from any log's size, and a signed 64-bit integer holds every index."""


class Range(NamedTuple):
    """The leaves begin <= i < end of one subtree of the RFC's recursion."""

    begin: int
    end: int


class Node(NamedTuple):
    """A perfect subtree of 2**level leaves, named by the index of its last leaf."""

    last: int
    level: int


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry as a leaf, 32 bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with two children, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def grow(
    size: int, frontier: Sequence[bytes], leaves: Iterable[bytes]
) -> tuple[list[bytes], list[bytes]]:
    """Append leaves to a tree of which only the frontier is at hand.

    Args:
        size: number of leaves before.
        frontier: hashes of the perfect subtrees that make up the tree, largest first: one for each
            1 in the binary digits of ``size``.
        leaves: hashes of the new leaves, in order.

    Returns:
        For each new leaf the hashes of the perfect subtrees that end with it, level 0 first,
        joined; and the new frontier.

    Raises:
        ProofInvalid: the frontier does not belong to a tree of this size.
    """
    if len(frontier) != size.bit_count():
        raise ProofInvalid("a frontier has one hash for each perfect subtree")
    known: list[bytes] = []
    edge = list(frontier)
    for index, leaf in enumerate(leaves, start=size):
        top = joined = leaf
        rest = index
        while rest & 1:
            top = node_hash(edge.pop(), top)
            joined += top
            rest >>= 1
        known.append(joined)
        edge.append(top)
    return known, edge


def frontier_root(frontier: Sequence[bytes]) -> bytes:
    """Return the root of the tree whose frontier this is; EMPTY_ROOT for no hash."""
    if not frontier:
        return EMPTY_ROOT
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def nodes(leaves: Range) -> list[Node]:
    """Return the perfect subtrees that make up a range, from left to right.

    Args:
        leaves: ``begin`` must be a multiple of the largest power of two that fits, as in every
            subtree of the recursion.
    """
    found = []
    begin, end = leaves
    while begin < end:
        level = (end - begin).bit_length() - 1
        begin += 1 << level
        found.append(Node(begin - 1, level))
    return found


def range_root(leaves: Range, hashes: Mapping[Node, bytes]) -> bytes:
    """Return the root over a range's leaves, from the hashes of its ``nodes``."""
    return frontier_root([hashes[node] for node in nodes(leaves)])


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose roots prove that leaf ``index`` is in the tree of ``size`` leaves.

    In the order of the proof: from the leaf up (RFC 9162, 2.1.3.1).

    Raises:
        NotInLog: not 0 <= index < size.
    """
    if not 0 <= index < size <= LARGEST_TREE:
        raise NotInLog(index, size)
    return [sibling for _, sibling in _walk(index, Range(0, size))][::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """Return the ranges whose roots prove that a tree of ``second`` leaves continues one of fewer.

    In the order of the proof (RFC 9162, 2.1.4.1); none if the sizes are equal or ``first`` is 0.

    Raises:
        NotInLog: not 0 <= first <= second.
    """
    if not 0 <= first <= second <= LARGEST_TREE:
        raise NotInLog(first, second)
    if first in (0, second):
        return []
    siblings = []
    for here, sibling in _walk(first - 1, Range(0, second)):
        siblings.append(sibling)
        whole = here
        if here.end == first:
            break
    return [*([whole] if whole.begin else []), *reversed(siblings)]


def _walk(index: int, tree: Range) -> Iterator[tuple[Range, Range]]:
    """Go down from the root to a leaf; yield each subtree on the way with its sibling."""
    here = tree
    while here.end - here.begin > 1:
        middle = here.begin + (1 << ((here.end - here.begin - 1).bit_length() - 1))
        left, right = Range(here.begin, middle), Range(middle, here.end)
        here, sibling = (left, right) if index < middle else (right, left)
        yield here, sibling


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf hash stands at ``index`` in the tree of ``size`` leaves (2.1.3.2).

    Guarantee: passes only if SHA-256 collides or the leaf is there (RFC 9162, section 2.1.3).

    Raises:
        ProofInvalid: the proof has the wrong length or leads to another root.
        NotInLog: not 0 <= index < size.
    """
    if not 0 <= index < size <= LARGEST_TREE:
        raise NotInLog(index, size)
    _check_hashes([leaf, root, *proof])
    found = leaf
    for is_left, sibling in _turns(index, size - 1, proof):
        found = node_hash(sibling, found) if is_left else node_hash(found, sibling)
    if found != root:
        raise ProofInvalid("it does not lead to the signed root")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Check that the tree of ``second`` leaves continues the one of ``first`` leaves (2.1.4.2).

    Guarantee: passes only if SHA-256 collides or the first ``first`` leaves are the same
    (RFC 9162, section 2.1.4). Every tree continues the empty one.

    Raises:
        ProofInvalid: the proof has the wrong length or leads to another root.
        NotInLog: not 0 <= first <= second.
    """
    if not 0 <= first <= second <= LARGEST_TREE:
        raise NotInLog(first, second)
    _check_hashes([first_root, second_root, *proof])
    if first in (0, second):
        if proof:
            raise ProofInvalid("it is too long")
        if first_root != (second_root if first else EMPTY_ROOT):
            raise ProofInvalid("it does not lead to the signed root")
        return
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        raise ProofInvalid("it is too short")
    node, last = first - 1, second - 1
    while node & 1:  # the first hash is the root of the perfect subtree that ends the old tree
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for is_left, sibling in _turns(node, last, path[1:]):
        if is_left:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if (old, new) != (first_root, second_root):
        raise ProofInvalid("it does not lead to the signed roots")


def _turns(node: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Go up from a node to the root; yield each sibling and whether it is the left one.

    Args:
        node: index of the node in its level.
        last: index of the last node of that level.
        proof: the siblings; one too many or too few raises ProofInvalid.
    """
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("it is too long")
        is_left = bool(node & 1) or node == last
        yield is_left, sibling
        while is_left and node and not node & 1:  # no sibling at these levels
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last:
        raise ProofInvalid("it is too short")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(found) != HASH_BYTES for found in hashes):
        raise ProofInvalid(f"a hash has {HASH_BYTES} bytes")
