import hmac
import json
import os
from collections.abc import Callable
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.errors import CohortTooSmall, ProtocolError
from federation.secure_aggregation.masks import add_masks, check_cohort, mask_for
from privacy.lattice import RingVector

VECTORS = Path(__file__).parents[1] / "vectors"
PLAN = bytes(range(32))
WORD = 0xFFFFFFFF

names = st.text(min_size=1, max_size=8)
cohorts = st.sets(names, min_size=2, max_size=5).map(lambda found: tuple(sorted(found)))
sizes = st.sampled_from([0, 1, 2, 7, 8, 9, 33, 100])
numbers = st.integers(0, 2**63 - 1)
keys = st.binary(min_size=32, max_size=32)


def mask(**changes: object) -> RingVector:
    facts: dict[str, object] = {
        "pair_secret": bytes(32),
        "plan": PLAN,
        "attempt": 0,
        "round": 0,
        "cohort": ("advisory", "research", "risk"),
        "me": "advisory",
        "peer": "risk",
        "size": 4,
    }
    return mask_for(**(facts | changes))  # type: ignore[arg-type]


def quarter(state: list[int], a: int, b: int, c: int, d: int) -> None:
    for first, second, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[first] = (state[first] + state[second]) & WORD
        mixed = state[third] ^ state[first]
        state[third] = (mixed << turn | mixed >> (32 - turn)) & WORD


def chacha20(key: bytes, nonce: bytes, *, counter: int, size: int) -> bytes:
    """RFC 8439, section 2.3, written from its text, to check ours without the library."""
    stream = b""
    while len(stream) < size:
        block = b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce
        start = [int.from_bytes(block[i : i + 4], "little") for i in range(0, 64, 4)]
        state = list(start)
        for _ in range(10):
            for column in range(4):
                quarter(state, column, column + 4, column + 8, column + 12)
            for i in range(4):
                quarter(state, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12)
        words = ((x + y) & WORD for x, y in zip(state, start, strict=True))
        stream += b"".join(word.to_bytes(4, "little") for word in words)
        counter += 1
    return stream[:size]


def test_the_stream_cipher_gives_the_published_streams() -> None:
    for case in json.loads((VECTORS / "rfc8439_chacha20.json").read_text())["streams"]:
        key, nonce, plaintext = (bytes.fromhex(case[x]) for x in ("key", "nonce", "plaintext"))
        initial = case["counter"].to_bytes(4, "little") + nonce
        library = Cipher(algorithms.ChaCha20(key, initial), mode=None).encryptor()
        assert library.update(plaintext).hex() == case["ciphertext"]
        stream = chacha20(key, nonce, counter=case["counter"], size=len(plaintext))
        xor = bytes(a ^ b for a, b in zip(stream, plaintext, strict=True))
        assert xor.hex() == case["ciphertext"]


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


@settings(deadline=None)
@given(secret=keys, plan=keys, attempt=numbers, round_=numbers, cohort=cohorts, size=sizes)
def test_a_mask_is_what_its_description_says(
    *, secret: bytes, plan: bytes, attempt: int, round_: int, cohort: tuple[str, ...], size: int
) -> None:
    low, high = cohort[0], cohort[-1]
    context = framed(
        plan,
        attempt.to_bytes(8, "big"),
        round_.to_bytes(8, "big"),
        framed(*(name.encode() for name in cohort)),
    )
    info = framed(b"infosandbox/mask/v1", context, low.encode(), high.encode())
    extracted = hmac.digest(bytes(32), secret, "sha256")
    key = hmac.digest(extracted, info + b"\x01", "sha256")
    stream = chacha20(key, bytes(12), counter=0, size=8 * size)
    expected = [int.from_bytes(stream[i : i + 8], "little") for i in range(0, 8 * size, 8)]
    facts = {"pair_secret": secret, "plan": plan, "attempt": attempt, "round": round_}
    assert mask(**facts, cohort=cohort, me=low, peer=high, size=size).tolist() == expected
    negated = mask(**facts, cohort=cohort, me=high, peer=low, size=size)
    assert negated.tolist() == [-word % 2**64 for word in expected]


@settings(deadline=None)
@given(secret=keys, cohort=cohorts, size=sizes, round_=numbers)
def test_masks_cancel_in_every_cohort_and_length(
    secret: bytes, cohort: tuple[str, ...], size: int, round_: int
) -> None:
    masks = [
        mask(
            pair_secret=sha256(secret + "|".join(sorted(pair)).encode()).digest(),
            cohort=cohort,
            me=pair[0],
            peer=pair[1],
            size=size,
            round=round_,
        )
        for pair in permutations(cohort, 2)
    ]
    total = add_masks(np.zeros(size, dtype=np.uint64), masks)
    assert total.tolist() == [0] * size
    if size:  # the saboteur: one department forgets one mask
        assert add_masks(np.zeros(size, dtype=np.uint64), masks[1:]).any()


def test_every_fact_changes_the_mask() -> None:
    masks = [
        mask(),
        mask(pair_secret=bytes(31) + b"\x01"),
        mask(plan=bytes(32)),
        mask(attempt=1),
        mask(round=1),
        mask(attempt=1, round=1),
        mask(cohort=("advisory", "risk")),
        mask(cohort=("advisory", "research", "risk", "sales")),
        mask(peer="research"),
        mask(me="research"),
        mask(me="risk", peer="advisory"),
    ]
    assert len({vector.tobytes() for vector in masks}) == len(masks)


def test_a_department_name_cannot_stand_in_for_two() -> None:
    first = mask(cohort=("a", "bc"), me="a", peer="bc")
    second = mask(cohort=("ab", "c"), me="ab", peer="c")
    assert (first != second).all()


def test_a_shorter_mask_is_the_beginning_of_a_longer_one() -> None:
    """Why a (plan, attempt, round) is answered once: two lengths share their keystream."""
    assert (mask(size=100)[:9] == mask(size=9)).all()


def test_adding_masks_leaves_the_vector_alone() -> None:
    vector = np.array([1, 2**64 - 1], dtype=np.uint64)
    added = add_masks(vector, [np.array([2**64 - 1, 2], dtype=np.uint64)])
    assert added.tolist() == [0, 1]
    assert vector.tolist() == [1, 2**64 - 1]


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_mask_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError, match="length"):
        add_masks(np.zeros(2, dtype=np.uint64), [np.zeros(size, dtype=np.uint64)])


@pytest.mark.parametrize(
    "change",
    [
        {"pair_secret": bytes(31)},
        {"plan": bytes(31)},
        {"plan": b""},
        {"attempt": -1},
        {"attempt": 2**63},
        {"round": -1},
        {"round": 2**63},
        {"size": -1},
        {"me": "risk"},
        {"me": "sales"},
        {"peer": "sales"},
        {"cohort": ("risk", "advisory")},
        {"cohort": ("advisory", "advisory", "risk")},
    ],
)
def test_a_mask_outside_the_protocol_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        mask(**change)


def test_a_mask_needs_a_peer() -> None:
    with pytest.raises(CohortTooSmall):
        mask(cohort=("risk",), me="risk", peer="risk")


@settings(deadline=None)
@given(n=st.integers(0, 6), tolerance=st.integers(0, 6))
def test_a_cohort_has_two_departments_and_one_beyond_the_tolerance(n: int, tolerance: int) -> None:
    cohort = tuple(f"d{i}" for i in range(n))
    if n >= 2 and n - tolerance >= 1:
        check_cohort(cohort, tolerance=tolerance)
        return
    with pytest.raises(CohortTooSmall) as refusal:
        check_cohort(cohort, tolerance=tolerance)
    assert refusal.value.cohort == n
    assert refusal.value.minimum == max(2, tolerance + 1)


def test_a_cohort_is_sorted_unique_and_tolerates_no_negative_number() -> None:
    with pytest.raises(ProtocolError, match="sorted"):
        check_cohort(("risk", "advisory"), tolerance=1)
    with pytest.raises(ProtocolError, match="sorted"):
        check_cohort(("risk", "risk"), tolerance=1)
    with pytest.raises(ProtocolError, match="negative"):
        check_cohort(("advisory", "risk"), tolerance=-1)


def seeds_repeat(make: Callable[[bytes, int], RingVector]) -> bool:
    """Birthday test: 110,000 masks of 128 bits under one secret, in different rounds.

    Independent masks repeat with probability 110,000^2 / 2^129 < 1e-28. Masks from a seed of 28
    bits all differ with probability exp(-110,000^2 / 2^29) < 2e-10.
    """
    secret = os.urandom(32)
    seen = {make(secret, round_).tobytes() for round_ in range(110_000)}
    return len(seen) < 110_000


def folded_to_28_bits(secret: bytes, round_: int) -> RingVector:
    """A saboteur, as in Flower's SecAgg+: the derived key is folded before it is expanded."""
    seed = int(mask(pair_secret=secret, round=round_, size=1)[0]) & (2**28 - 1)
    return np.frombuffer(sha256(seed.to_bytes(4, "big")).digest()[:16], dtype=np.uint64)


@pytest.mark.statistical
def test_masks_have_far_more_than_28_bits_of_seed() -> None:
    assert not seeds_repeat(lambda secret, n: mask(pair_secret=secret, round=n, size=2))


@pytest.mark.statistical
def test_the_seed_test_catches_a_seed_of_28_bits() -> None:
    assert seeds_repeat(folded_to_28_bits)
